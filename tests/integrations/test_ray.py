"""Columns of a Ray dataset, compressed, restored and scored."""

import subprocess
import sys
from importlib.util import find_spec

import numpy as np
import pytest

import tokpress
from tests.limits import LAST_RESORT
from tests.local_ray import local_ray
from tokpress.errors import FormatError
from tokpress.integrations import ray as ours

TEXTS = [f"{day}: nothing happened\n" * (day % 5) for day in range(40)]


def batch() -> ours.Batch:
    values = np.empty(len(TEXTS), dtype=object)
    values[:] = TEXTS
    return {"text": values, "day": np.arange(len(TEXTS))}


def test_a_batch_there_and_back():
    packed = ours.compress(batch(), "text", "packed", effort="fast")
    assert list(packed) == ["text", "day", "packed"] and packed["day"].tolist() == list(range(40))
    assert [tokpress.decompress(value).decode() for value in packed["packed"]] == TEXTS
    back = ours.decompress(packed, "packed", "back")
    assert [value.decode() for value in back["back"]] == TEXTS
    assert ours.decompress(packed, "packed")["packed"].tolist() == [text.encode() for text in TEXTS]


def test_bytes_that_end_in_zeros():
    values = np.empty(2, dtype=object)
    values[:] = [b"a\0\0", bytes(300)]
    packed = ours.compress({"bytes": values}, model="context-mixing", context=b"a\0")
    assert ours.decompress(packed, context=b"a\0")["bytes"].tolist() == [b"a\0\0", bytes(300)]


def test_scores_are_those_of_the_model():
    scored = ours.score(batch(), "text", model="context-mixing")
    model = tokpress.load("context-mixing")
    assert scored["bits"][7] == model.score(TEXTS[7].encode()).total_bits
    assert scored["bits_per_byte"][7] == scored["bits"][7] / len(TEXTS[7])
    assert scored["bits"][0] == scored["bits_per_byte"][0] == 0


def test_a_damaged_row_is_named():
    packed = ours.compress(batch(), "text", effort="fast")
    packed["text"][3] = packed["text"][3][:-1]
    with pytest.raises(FormatError, match="row 3 of the batch, column text: frame 1"):
        ours.decompress(packed, "text")


PROGRAM = """
import os
import sys
import ray
from tokpress.integrations import ray as tokpress_ray

folder = os.path.abspath("packed")  # workers are in other folders
ray.init(sys.argv[1], log_to_driver=False, logging_level="error")
ray.data.DataContext.get_current().enable_progress_bars = False
texts = [{"text": "nothing happened %d\\n" % day * 5} for day in range(60)]
data = ray.data.from_items(texts, override_num_blocks=4)
packed = data.map_batches(tokpress_ray.compress, fn_kwargs={"column": "text", "into": "packed", "effort": "fast"})
packed.drop_columns(["text"]).write_parquet(folder)
back = ray.data.read_parquet(folder).map_batches(tokpress_ray.decompress, fn_kwargs={"column": "packed", "into": "text"})
assert sorted(row["text"].decode() for row in back.iter_rows()) == sorted(row["text"] for row in texts)
scored = data.map_batches(tokpress_ray.score, fn_kwargs={"column": "text", "model": "context-mixing"})
assert 10 < scored.mean("bits") < 1000
print("done", packed.count())
"""


@pytest.mark.slow
@pytest.mark.skipif(not find_spec("ray"), reason="Ray is not installed")
def test_a_dataset(tmp_path):
    with local_ray() as address:
        words = [sys.executable, "-W", "ignore", "-c", PROGRAM, address]
        done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, timeout=LAST_RESORT)
    assert done.returncode == 0 and "done 60" in done.stdout, done.stderr


def test_values_that_are_no_bytes():
    """bytes(3) is three zeros, which would be stored in place of the number."""
    for value in (3, True, None, 1.5):
        for function in (ours.compress, ours.decompress, ours.score):
            first = "a" if function is not ours.decompress else tokpress.compress(b"")
            with pytest.raises(TypeError, match="row 1 of the batch, column text: a value is bytes or text, not"):
                function({"text": np.array([first, value], dtype=object)}, "text")
    with pytest.raises(tokpress.TokpressError, match="no column 'nope'; it has: text"):
        ours.compress({"text": []}, "nope")
