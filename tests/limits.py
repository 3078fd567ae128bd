"""How tests wait: for events, never for a time that some machine might not keep."""

import time
from collections.abc import Callable

#: seconds after which something hangs, on any machine; no test may depend on less
LAST_RESORT = 3600


def wait_until(condition: Callable[[], object]) -> None:
    """Look again and again until `condition()` holds."""
    end = time.monotonic() + LAST_RESORT
    while not condition():
        assert time.monotonic() < end, "nothing happens any more"
        time.sleep(0.01)
