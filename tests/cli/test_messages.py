"""Messages name the file or the option that is wrong."""

import os
import subprocess

import pytest

from tests.cli.conftest import command, letters


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["unpack", "t.txt"], 1, "tokpress: t.txt: frame 1 (at byte 0): not a .tokp file"),
        (["unpack", "empty"], 1, "tokpress: empty: not a .tokp file"),
        (["sample", "-n", "9" * 20], 2, f"{'9' * 20} is out of range: 1 to 1,073,741,824"),
        (["sample", "--seed", "abc"], 2, "'abc' is not a whole number"),
        (["sample", "--seed", "-1"], 2, "-1 is out of range: 0 or more"),
    ],
)
def test_errors(run, place, words, code, said):
    (place / "t.txt").write_text("hello\n")
    (place / "empty").touch()
    assert said in run(*words, code=code).output


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no /dev/full here")
def test_a_full_output_is_not_the_fault_of_the_input(place, tiny):
    (place / "t.txt").write_text("hello\n")
    with open("/dev/full", "wb") as full:
        done = subprocess.run(command("score", "-m", tiny, "t.txt"), stdout=full, stderr=subprocess.PIPE, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith(b"tokpress: stdout: No space left on device")


def test_keep_going_does_not_advise_itself(run, place, tiny):
    (place / "a").write_bytes(letters(3000))
    run("compress", "-q", "-m", tiny, "--frame-size", "1000", "a")
    damaged = bytearray((place / "a.tokp").read_bytes())
    damaged[len(damaged) // 2] ^= 1
    (place / "a.tokp").write_bytes(damaged)
    assert "--keep-going restores the rest" in run("decompress", "-m", tiny, "a.tokp", "-o", "b", code=1).output
    said = run("decompress", "-m", tiny, "--keep-going", "a.tokp", "-o", "b", "-f", code=1).output
    assert "damaged" in said and "--keep-going" not in said
