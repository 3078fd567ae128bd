"""A folder is used only where nobody else can change what is in it."""

import os

import pytest

from tokpress.exact import owned

pytestmark = pytest.mark.skipif(not hasattr(os, "geteuid"), reason="files here have no owners")
root = pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root gives files away")
SOMEBODY = 54321


@pytest.fixture
def place(tmp_path):
    (tmp_path / "place").mkdir(mode=0o755)
    return tmp_path / "place"


def make(folder) -> str:
    return owned.make(str(folder))


def refused(folder) -> bool:
    """And nothing is made."""
    existed = folder.exists()
    with pytest.raises(OSError, match="belongs to somebody else, or others can write to it"):
        make(folder)
    return folder.exists() == existed


def test_folders_are_made_for_one_user(place):
    previous = os.umask(0)
    try:
        made = make(place / "a" / "b")
    finally:
        os.umask(previous)
    assert made == str(place / "a" / "b") and make(made) == made
    assert (place / "a").stat().st_mode & 0o777 == (place / "a" / "b").stat().st_mode & 0o777 == 0o700
    (place / "link").symlink_to(place / "a")
    assert make(place / "link" / "c") == str(place / "a" / "c")


@pytest.mark.parametrize("mode", [0o777, 0o775, 0o757])
def test_not_where_others_can_write(place, mode):
    make(place / "a" / "b")
    place.chmod(mode)
    assert refused(place) and refused(place / "new") and refused(place / "a") and refused(place / "a" / "b")


def test_below_a_folder_where_everybody_may_change_what_is_theirs(place):
    place.chmod(0o1777)
    assert make(place / "a" / "b") and refused(place)
    (place / "a").chmod(0o777)
    assert refused(place / "a" / "b")


@root
def test_not_what_is_somebody_elses(place):
    make(place / "a" / "b")
    os.chown(place, SOMEBODY, SOMEBODY)
    assert refused(place) and refused(place / "new")
    os.chown(place, 0, 0)
    os.chown(place / "a", SOMEBODY, SOMEBODY)
    assert refused(place / "a" / "b") and refused(place / "a" / "c")


@root
def test_of_another_user(place):
    """Below root's folders: a folder of one's own, and no other."""
    for folder, user in ((place, 0), (place / "mine", SOMEBODY), (place / "other", SOMEBODY + 1)):
        folder.mkdir(exist_ok=True)
        os.chown(folder, user, user)
    for parent in place.parents:
        if parent.stat().st_mode & 0o001 == 0:
            pytest.skip("the temporary folder is not for other users")
    os.seteuid(SOMEBODY)
    try:
        assert make(place / "mine" / "a") and refused(place / "other") and refused(place / "other" / "a")
        with pytest.raises(OSError):
            make(place / "new")
    finally:
        os.seteuid(0)


def test_files(place):
    path = place / "file"
    assert not owned.is_own(str(path))
    path.write_bytes(b"")
    path.chmod(0o644)
    assert owned.is_own(str(path))
    (place / "link").symlink_to(path)
    assert not owned.is_own(str(place / "link"))
    for mode in (0o664, 0o646):
        path.chmod(mode)
        assert not owned.is_own(str(path))
