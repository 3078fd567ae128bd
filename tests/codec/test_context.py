"""Compression with a context: the same bytes come back under the same context, and an error under any other."""

import io
import random
import threading
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tokpress
from tokpress.codec import stream
from tokpress.codec.options import Options
from tokpress.container.frames import Kind, read_header
from tokpress.container.member import iter_frames
from tokpress.container.short import MAX_SHORT
from tokpress.errors import ChecksumError, FormatError, ModelMismatchError, TokpressError
from tokpress.models.model import Model
from tokpress.priors.lecture.histogram import HistogramPrior
from tokpress.tokenizers.text.bytes import BytesTokenizer

TINY = Model(BytesTokenizer(), HistogramPrior(256), name="tiny")
MODELS = [None, "text", "context-mixing", TINY]
LINES = b"".join(b'{"id": %d, "name": "user%d", "ms": %d}\n' % (i, i * 7 % 13, i * i % 997) for i in range(99))
RECORD = b'{"id": 99, "name": "user4", "ms": 12}\n'


def headers(data):
    return [header for header, _ in iter_frames(io.BytesIO(data))]


@pytest.fixture(scope="module")
def context():
    return tokpress.Context(LINES)


@pytest.mark.parametrize("model", MODELS, ids=str)
@pytest.mark.parametrize("source", [b"", b"a", RECORD, LINES[-900:], bytes(range(256)), b"ab" * 9000])
def test_round_trips(context, model, source):
    packed = tokpress.compress(source, model, context=context)
    assert tokpress.compress(source, model, context=LINES) == packed
    given = model if model is TINY else None
    for same in (context, LINES):
        assert tokpress.decompress(packed, given, context=same) == source


@given(st.binary(max_size=300), st.binary(max_size=300))
@settings(max_examples=40)
def test_any_bytes_after_any_bytes(before, source):
    for model in ("context-mixing", TINY):
        packed = tokpress.compress(source, model, context=before)
        assert tokpress.decompress(packed, TINY, context=before) == source


def test_a_record_takes_few_bytes(context):
    """7 bytes of header; without a context the same record takes several times as many bytes."""
    packed = tokpress.compress(RECORD, context=context)
    (header,) = headers(packed)
    assert header.kind == Kind.SHORT and len(header.pack()) == 7
    assert 3 * len(packed) < len(tokpress.compress(RECORD))
    (header,) = headers(tokpress.compress(LINES[:3000], "context-mixing", context=context))
    assert header.kind == Kind.SHORT and len(header.pack()) == 8


def test_frames_with_sync(context):
    """Long sources, and sources of several frames, have the header of other frames, with the digest of the context."""
    long = RECORD * (MAX_SHORT // len(RECORD) + 1)
    (header,) = headers(tokpress.compress(long, context=context))
    assert header.kind == Kind.CONTEXT and header.context_id == context.id()
    options = Options([tokpress.load("context-mixing")], frame_size=1000, context=context)
    stream.compress_stream(io.BytesIO(LINES), out := io.BytesIO(), options)
    kinds = [header.kind for header in headers(out.getvalue())]
    assert len(kinds) > 3 and Kind.CONTEXT in kinds and Kind.SHORT not in kinds
    assert tokpress.decompress(out.getvalue(), context=context) == LINES


def test_joined_files(context):
    packed = [tokpress.compress(line, context=context) for line in (RECORD, b"", LINES[:50])]
    assert tokpress.decompress(b"".join(packed), context=context) == RECORD + LINES[:50]


@pytest.mark.parametrize("source", [RECORD, LINES * 5])
def test_another_context_or_none_is_an_error(context, source):
    packed = tokpress.compress(source, "context-mixing", context=context)
    with pytest.raises(ModelMismatchError, match="made with a context, and none is given"):
        tokpress.decompress(packed)
    for other in (b"", LINES[1:], LINES + b"\n"):
        with pytest.raises(ModelMismatchError, match="made with another context"):
            tokpress.decompress(packed, context=other)


def test_a_missing_model_is_an_error(context):
    packed = tokpress.compress(RECORD, TINY, context=context)
    with pytest.raises(ModelMismatchError, match="or with a model that is not here"):
        tokpress.decompress(packed, context=context)
    assert tokpress.decompress(packed, TINY, context=context) == RECORD
    letters = bytes(random.Random(0).choices(b"abcd", k=MAX_SHORT + 1))
    with pytest.raises(ModelMismatchError, match="not here"):
        tokpress.decompress(tokpress.compress(letters, TINY, context=b""), context=b"")


@pytest.mark.parametrize("model", ["text", "context-mixing", TINY], ids=str)
def test_damage_never_gives_other_bytes(context, model):
    """A flipped bit of the last bytes of a payload may change nothing: the end of the coder's number."""
    packed, given = tokpress.compress(RECORD, model, context=context), model if model is TINY else None
    for at in range(len(packed)):
        for bit in range(0, 8, 1 if at < 7 else 3):
            damaged = packed[:at] + bytes([packed[at] ^ 1 << bit]) + packed[at + 1 :]
            with suppress(FormatError, ModelMismatchError):
                assert tokpress.decompress(damaged, given, context=context) == RECORD and at >= 7
    for size in range(1, len(packed)):
        with pytest.raises(FormatError):
            tokpress.decompress(packed[:size], given, context=context)
    with pytest.raises(FormatError):
        tokpress.decompress(packed + b"\0", given, context=context)


def test_hostile_short_frames(context):
    """A record of 16 KB that a payload of no bytes is to restore: zeros are decoded, as many as that, and their check is wrong."""
    key = context.key(tokpress.load("context-mixing").id)
    frame = b"\xd2" + key + (MAX_SHORT).to_bytes(3, "little") + b"\0\0"
    with pytest.raises(ChecksumError):
        tokpress.decompress(frame, context=context)
    for sizes in (b"\xd1" + key + b"\0\0", b"\xd2" + key + b"\5\0\0", b"\xd7" + key + b"\xff\xff\0\4"):
        with pytest.raises(FormatError, match="impossible header"):
            read_header(io.BytesIO(sizes + b"\0\0"))


def test_models_that_read_none(context):
    with pytest.raises(TokpressError, match="linear-prediction reads no context"):
        tokpress.compress(RECORD, "linear-prediction", context=context)
    with pytest.raises(TokpressError, match="one lane"):
        tokpress.compress(RECORD, "text", lanes=2, context=context)
    with pytest.raises(ValueError, match="at most 67,108,864 bytes"):
        tokpress.Context(bytes((1 << 26) + 1))


def test_threads_share_a_context():
    context, found = tokpress.Context(LINES), {}

    def work(number: int) -> None:
        sources = [b'{"id": %d, "name": "user%d"}\n' % (i, number) for i in range(number, number + 5)]
        packed = [tokpress.compress(source, "context-mixing", context=context) for source in sources]
        found[number] = [tokpress.decompress(data, context=context) for data in packed] == sources

    threads = [threading.Thread(target=work, args=[number]) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == dict.fromkeys(range(4), True)


def test_files(context):
    with tokpress.open(file := io.BytesIO(), "wb", context=context) as out:
        out.write(RECORD)
    assert file.getvalue() == tokpress.compress(RECORD, context=context)
    with tokpress.open(io.BytesIO(file.getvalue()), context=context) as back:
        assert back.read() == RECORD
    with pytest.raises(ModelMismatchError), tokpress.open(io.BytesIO(file.getvalue())) as back:
        back.read()
