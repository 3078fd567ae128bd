"""What a type checker makes of the public interface: checked by mypy (pyproject.toml names this file) and by pytest."""

import io
from pathlib import Path
from typing import TYPE_CHECKING, assert_type

import tokpress
import tokpress.tokenizers

if TYPE_CHECKING:
    from tokpress.exact.arithmetic import Exact
    from tokpress.exact.fields import Fields
    from tokpress.exact.network_ops import FieldOps, NetworkOps
    from tokpress.exact.parallel import ParallelExact
    from tokpress.training.nets.arithmetic import Trained
    from tokpress.training.nets.fields import TrainedFields


def use(path: Path) -> None:
    data = tokpress.compress(b"text", model="context-mixing", lanes=1)
    assert_type(data, bytes)
    assert_type(tokpress.compress(b"text", effort="fast"), bytes)
    model = tokpress.load("context-mixing")
    assert_type(model, tokpress.Model)
    assert_type(tokpress.decompress(data, models=[model]), bytes)
    assert_type(tokpress.decompress(data, "context-mixing"), bytes)
    bits = model.score(b"text", lanes=1)
    assert_type(bits, tokpress.Bits)
    assert_type(bits.total_bits, float)
    assert_type(bits.bits_per_byte, float)
    assert_type(model.sample(8, seed=1, temperature=0.5), bytes)
    assert_type(model.id, bytes)
    encoding = tokpress.tokenizers.load("bytes").encode("text")
    assert_type(encoding, tokpress.tokenizers.Encoding)
    assert_type(encoding.pieces, list[bytes])
    assert_type(tokpress.tokenizers.load(model).decode_batch([encoding]), list[bytes])
    model.save(path / "model", card="# mine\n")
    with tokpress.open(path / "a.tokp", "wb", model=model) as written:
        assert_type(written, tokpress.TokpressFile)
        assert_type(written.write(b"text"), int)
    with tokpress.open(path / "a.tokp") as read:
        assert_type(read, tokpress.TokpressFile)
        assert_type(read.read(), bytes)
    with tokpress.open(str(path / "a.tokp"), "rt", encoding="ascii") as text:
        assert_type(text, io.TextIOWrapper)
        assert_type(text.read(), str)
    compressor = tokpress.TokpressCompressor(effort="fast")
    assert_type(compressor.compress(b"text") + compressor.flush(), bytes)
    decompressor = tokpress.TokpressDecompressor(models=[model])
    assert_type(decompressor.decompress(bytearray(data), max_length=2), bytes)
    assert_type((decompressor.eof, decompressor.needs_input, decompressor.unused_data), tuple[bool, bool, bytes])


def network_operations(
    exact: "Exact", parallel: "ParallelExact", trained: "Trained", fields: "Fields", trained_fields: "TrainedFields"
) -> "tuple[list[NetworkOps], list[FieldOps]]":
    """Every arithmetic implements the protocol that networks are written in."""
    return [exact, parallel, trained], [fields, trained_fields]
