"""Labels of a plot overlap neither each other nor the points."""

import io
import itertools
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.pages.test_document import check_harmless
from tokpress.bench import labels, report
from tokpress.bench.labels import MARK, overlap
from tokpress.bench.measure import Row, Run
from tokpress.cli.bench_page import page

FRAME = (0.0, 0.0, 900.0, 500.0)
#: 8 codecs at almost one place, and some elsewhere, one with a name that is markup
CROWDED = [("xz", 300000, 0.06), ("xz:9", 300100, 0.061), ("zstd", 300200, 0.062), ("zstd:19", 300300, 0.0605), ("brotli", 300400, 0.0615),
           ("ppmd", 300050, 0.0602), ("bzip3", 300150, 0.0612), ("zpaq", 300250, 0.0608), ("tokpress:a/<b>$x", 200000, 4),
           ("tokpress", 199000, 4.1)]  # fmt: skip


def check_apart(boxes) -> None:
    assert all(overlap(a, b) == 0 for a, b in itertools.combinations(boxes, 2))


@given(st.lists(st.tuples(st.floats(0, 900), st.floats(0, 500)), max_size=12), st.floats(20, 200))
def test_labels_are_apart(points, width):
    boxes = labels.placed(points, [(width, 14.0)] * len(points), FRAME)
    check_apart(boxes)
    for box in boxes:
        assert box[0] >= 0 and box[2] <= 900 and box[1] >= 0 and box[3] <= 500
        assert all(overlap(box, (x - MARK, y - MARK, x + MARK, y + MARK)) == 0 for x, y in points)


def test_more_labels_than_there_is_room_for():
    assert len(labels.placed([(5, 5)] * 9, [(9, 9)] * 9, (0, 0, 10, 10))) == 9


def test_a_far_label_gets_a_line():
    assert labels.leader((0, 0), (8, -5, 30, 5)) is None
    assert labels.leader((0, 0), (30, 40, 60, 50)) == (30, 40)


def run() -> Run:
    rows = [Row("a & b", c, 10**6, compressed_bytes=size, decompress_seconds=t) for c, size, t in CROWDED]
    return Run([], rows=rows)


def test_labels_of_the_page():
    parsed = check_harmless(page(run()))
    boxes = [
        (x := float(each["x"]), y := float(each["y"]), x + 7.3 * len(name), y + 15.0)
        for each, (name, *_) in zip((each for each in parsed.named("text") if each["class"] == "label"), CROWDED)
    ]
    assert len(boxes) == len(CROWDED)
    check_apart(boxes)
    assert "tokpress:a/<b>$x" in parsed.texts["text"] and parsed.texts["h1"] == "Rate against speed: a & b"
    assert sum(tag == "circle" for tag, _ in parsed.elements) == 8


def test_labels_of_the_plot():
    """In an SVG file, whose text is drawn: the clip of each label is its own."""
    pytest.importorskip("matplotlib")
    report.plot(run(), out := io.BytesIO(), "svg")
    drawn = out.getvalue().decode()
    assert all(f"<!-- {name} -->" in drawn for name in ("xz:9", "bzip3", "zpaq"))
    places = re.findall(r"<!-- (\w[^ ]*) -->\s*<g[^>]*transform=\"translate\(([\d.]+) ([\d.]+)\)", drawn)
    found = {name: (float(x), float(y)) for name, x, y in places if name in dict((c[0], 0) for c in CROWDED)}
    assert len(found) >= 8
    for (a, at), (b, other) in itertools.combinations(found.items(), 2):
        assert abs(at[1] - other[1]) > 8 or abs(at[0] - other[0]) > 8, (a, b)


def test_one_point_and_none():
    row = Row("a", "xz", 10**6, compressed_bytes=10, decompress_seconds=1.0)
    assert page(Run([], rows=[row])).count(b"<circle") == 1
    failed = Row("a", "xz", 10**6, error="<no>")
    assert b"No codec has a rate" in page(Run([], rows=[failed])) and b"&lt;no&gt;" in page(Run([], rows=[failed]))
