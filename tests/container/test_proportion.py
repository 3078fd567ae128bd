"""No frame asks for work out of proportion to its bytes, and no encoder makes such a frame."""

import io
import zlib
from dataclasses import replace

import numpy as np
import pytest

import tokpress
from tests.models import tiny_autoencoders, tiny_models
from tests.observe import calls_of
from tokpress.codec import encoded_frame, options
from tokpress.coding import Frame
from tokpress.container.frames import MAX_LANES, FrameHeader, Kind, write_frame
from tokpress.container.proportion import FREE_BYTES, FREE_LANES, TOKENS_A_BYTE, least_payload
from tokpress.errors import ChecksumError, FormatError
from tokpress.models import store
from tokpress.models.model import Model
from tokpress.native import library

from .frames import digest

MODELS = tiny_models()
SHIPPED = ("context-mixing", "context-mixing-2d", "linear-prediction", "text", "text-large")
MIB = 1 << 20


def frame(model: Model, payload: bytes, tokens: int, lanes: int | None = None, length: int | None = None) -> bytes:
    """A model frame whose check holds, whatever it says."""
    size = length or tokens
    header = FrameHeader(
        kind=Kind.MODEL, source_length=size, payload_length=len(payload), source_crc=zlib.crc32(b""),
        model_id=model.id, tokens=tokens, lanes=lanes, digest=digest(b"", size=size),
    )  # fmt: skip
    write_frame(out := io.BytesIO(), header, payload)
    return out.getvalue()


def test_more_tokens_or_lanes_than_bytes_allow_are_no_header():
    model = MODELS["context_mixing"]
    for size in (0, 1, 100):
        most = TOKENS_A_BYTE * (size + FREE_BYTES)
        frame(model, bytes(size), most)
        frame(model, bytes(size), 1000, size + FREE_LANES)
        for tokens, lanes in ((most + 1, None), (1000, size + FREE_LANES + 1), (1000, MAX_LANES + 1)):
            with pytest.raises(FormatError, match="impossible header"):
                frame(model, bytes(size), tokens, lanes)


@pytest.mark.parametrize("name", SHIPPED)
def test_refused_before_it_is_decoded(name):
    """What the header allows, and the prior does not."""
    model = store.load(name)
    most = model.prior.rules.tokens_per_byte * (1 + FREE_BYTES)
    with calls_of(type(model.prior.codec(Frame(1))).decode) as begun:
        with pytest.raises(ChecksumError, match="does not hold"):
            model.decode(b"\0", most + 1, 1, length=most + 1)
        assert begun == []
        assert model.decode(*model.encode(b"ab"), length=2) == b"ab" and len(begun) == 1


@pytest.mark.parametrize(
    "name", [name for name in SHIPPED if name in ("context-mixing", "context-mixing-2d", "linear-prediction", "text")]
)
@pytest.mark.parametrize("byte", [0, 255, 0x61])
def test_the_core_s_codecs_keep_to_it(name, byte):
    """Long runs of one byte: the shortest payloads that there are. Context mixing meets the bound by itself."""
    if not library.is_here():
        pytest.skip("the twins are too slow")
    model, source = store.load(name), bytes([byte]) * (MIB if name != "text" else MIB >> 5)
    payload, tokens, lanes = model.encode(source)
    assert len(payload) >= least_payload(tokens, lanes, model.prior.rules.tokens_per_byte)
    assert model.decode(payload, tokens, lanes, length=len(source)) == source
    if name == "context-mixing":
        assert payload == model.prior.codec(Frame(tokens)).encode(source)


@pytest.mark.slow
@pytest.mark.parametrize("size", [1, 3, 10])
@pytest.mark.parametrize("byte", [0, 255, 0x61])
@pytest.mark.parametrize("name", ["context-mixing", "context-mixing-2d", "linear-prediction"])
def test_megabytes_of_one_byte(name, byte, size):
    model, source = store.load(name), bytes([byte]) * (size * MIB)
    assert tokpress.decompress(tokpress.compress(source, model)) == source
    assert len(model.prior.codec(Frame(len(source))).encode(source)) >= least_payload(len(source), 1)


class Strict:
    """A prior that allows one token for each byte of payload, and is another one in all else."""

    def __init__(self, prior):
        self._prior, self.rules = prior, replace(prior.rules, tokens_per_byte=1)

    def __getattr__(self, name):
        return getattr(self._prior, name)

    def for_tokenizer(self, tokenizer):
        return self


def strict(model: Model) -> Model:
    return Model(model.tokenizer, Strict(model.prior), model.id)


@pytest.mark.parametrize("name", sorted({*MODELS} - {"bound"}))
def test_every_prior_s_short_payload_is_padded(name):
    """With a bound of one token a byte, and the same source back."""
    source = b"to be, or not to be " * 9
    plain, model = MODELS[name].encode(source), strict(MODELS[name])
    payload, tokens, lanes = model.encode(source)
    assert len(payload) == max(len(plain[0]), least_payload(tokens, lanes, 1))
    assert model.decode(payload, tokens, lanes, length=len(source)) == source
    if len(payload) > len(plain[0]):
        with pytest.raises(ChecksumError, match="does not hold"):
            model.decode(plain[0], tokens, lanes, length=len(source))


def test_what_wraps_a_text_model_keeps_its_bound():
    least = MODELS["mingru"].prior.rules.tokens_per_byte
    assert (
        least
        < MODELS["histogram"].prior.rules.tokens_per_byte
        == MODELS["memory-histogram"].prior.rules.tokens_per_byte
    )
    for name in ("memory", "memory-memory", "bitwise", "product"):
        assert MODELS[name].prior.rules.tokens_per_byte == least
    assert {store.load(name).prior.rules.tokens_per_byte for name in ("text", "text-large")} == {least}


def test_lanes_are_paid_for():
    """An encoder that is told many pads; the frame holds, and a byte less does not."""
    model, source = MODELS["memory"], bytes(300)
    payload, tokens, lanes = model.encode(source, 300)
    assert lanes == 300 and len(payload) >= 300 - FREE_LANES
    assert tokpress.decompress(tokpress.compress(source, model, lanes=300), models=[model]) == source
    with pytest.raises(ChecksumError, match="does not hold"):
        model.decode(payload[: 299 - FREE_LANES], tokens, lanes, length=len(source))


def test_a_residual_s_parts_keep_to_it():
    """Both payloads inside a residual frame are checked by themselves."""
    model = strict(tiny_autoencoders()["vq"])
    source = bytes(model.tokenizer.sizes.unit_bytes * 40)
    coded = encoded_frame.complete(model, source, options.Options(models=[model]), lambda done: None, None)
    assert len(coded.payload) >= least_payload(coded.tokens, 1, 1)
    assert np.array_equal(
        np.frombuffer(tokpress.decompress(_written(coded, source), models=[model]), np.uint8), np.zeros(len(source))
    )


def _written(coded: encoded_frame.EncodedFrame, source: bytes) -> bytes:
    from tokpress.codec.stream import MemberWriter

    MemberWriter(out := io.BytesIO()).write(coded, source, last=True)
    return out.getvalue()
