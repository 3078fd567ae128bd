import pytest

from tokpress.native import library


@pytest.fixture(params=library.instruction_sets() or ("no library",))
def core(request):
    """Each instruction set that this processor has."""
    if request.param == "no library":
        pytest.skip("the core is not built here")
    return request.param
