"""Speed, time left and the line over all files: without start-up, with three significant digits, within 80 columns."""

import math
import re

import pytest

from tokpress.cli.progress import Clock, Overall, Progress, significant, speed
from tokpress.cli.training import BESIDE, facts
from tokpress.training.options import Progress as TrainingProgress
from tokpress.training.options import StepResult

from .conftest import letters
from .test_terminal import on_terminal


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.000123456, "0.000123"), (0.0567, "0.0567"), (0.9999, "1.00"), (12.34, "12.3"), (99.96, "100"), (123456, "123456"), (0, "0")],
)  # fmt: skip
def test_three_digits(value, text):
    assert significant(value) == text and speed(round(value * 1e9), 1000) == f"{text} MB/s"


def test_start_up_is_left_out():
    """Loading for 50 seconds, then 1 MB/s."""
    clock = Clock(0.0)
    clock.report(0, 50.0)
    assert clock.left(10**6) == ""
    clock.report(2 * 10**6, 52.0)
    assert clock.speed == "1.00 MB/s" and clock.left(10 * 10**6) == "0:08 left" and clock.left(9000 * 10**6) == ""
    assert clock.left(150 * 10**6) == "2:28 left" and clock.began == 50.0
    assert clock.left(199 * 10**6).startswith("3:1")


def test_all_files_together():
    overall = Overall(2, 400)
    files = [Progress(name, 200, True, overall) for name in "ab"]
    with files[0] as one, files[1] as two:
        one.report(0)
        two.report(100)
        assert (overall.number(one), overall.number(two)) == (1, 2) and overall.report(one, 150, 1.0) == 250
    assert overall.report(files[0], 200, 2.0) == 400  # of each, all bytes


def test_a_line_over_all_files(place, tiny):
    for name in "abc":
        (place / name).write_bytes(letters(150_000))
    shown = on_terminal("compress", "-m", tiny, "-T", "1", "--frame-size", "1K", "a", "b", "c")
    lines = re.findall(r"\r\x1b\[K(\w) \((\d) of 3\): +(\d+)%  [\d.]+ k?B, [\d.]+ MB/s", shown)
    assert lines and [int(line[2]) for line in lines] == sorted(int(line[2]) for line in lines)


def test_training_fits_80_columns():
    progress = TrainingProgress(seconds=3599.0, fraction=0.5, step=123_456, tokens=10**9, learning_rate=0.00123)
    progress.count(StepResult(1000, 4 * math.log(2), 2.0), 0.001)
    progress.held_out_bits_per_byte = 1.9876
    line = facts(progress, 80 - BESIDE)
    assert line == "59:59 left, held-out 1.988, train 2.000 bits/byte" and len(line) <= 80 - BESIDE
    assert facts(progress).startswith(line) and "step 123,457, " in facts(progress)
