"""Damaged files and wrong models through the real decoders: an error of ours, or the right bytes; never anything else."""

import io
import zlib
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tokpress
from tests.models import GIVEN, NETWORKS, tiny_models
from tokpress.codec import encoded_frame, options, stream
from tokpress.coding.lanes import Layout
from tokpress.container.frames import FrameHeader, write_frame
from tokpress.container.member import iter_frames
from tokpress.errors import FormatError, ModelMismatchError, TokpressError
from tokpress.models.model import Model

TEXT = b"never wrong bytes, never a hang, never a traceback; " * 4
MODELS = tiny_models()
#: networks share their stepping, so a sequence, items and stages stand for all of them
NAMES = sorted({*MODELS} - {*NETWORKS, *GIVEN} | {"lstm", "transformer-images"})


def frame(model: Model, source: bytes = TEXT, **lies) -> bytes:
    """A model frame, even where another kind were smaller. `lies`: header fields to be replaced, check and all."""
    coded = encoded_frame.encode(model, source, options.Options(), lambda done: None)
    payload = lies.pop("payload", coded.payload)
    header = FrameHeader(
        kind=stream.Kind.MODEL, source_length=len(source), payload_length=len(payload), source_crc=zlib.crc32(source),
        model_id=model.id, tokens=coded.tokens, lanes=coded.lanes,
    )  # fmt: skip
    write_frame(out := io.BytesIO(), replace(header, **lies), payload)
    return out.getvalue()


@pytest.mark.parametrize("name", NAMES)
def test_undamaged(name):
    assert tokpress.decompress(frame(MODELS[name]), models=[MODELS[name]]) == TEXT


@pytest.mark.parametrize("mask", [1, 0x10, 0x80, 0xFF])
def test_every_byte_of_several_frames(mask):
    """The same file as `compress` makes it, three frames; and keeping going gives the other two."""
    model = MODELS["histogram-static"]
    parts = [TEXT[:40], TEXT[40:90], TEXT[90:110]]
    member = stream.MemberWriter(file := io.BytesIO())
    for i, part in enumerate(parts):
        member.write(encoded_frame.encode(model, part, options.Options(), lambda done: None), part, last=i == 2)
    data = file.getvalue()
    starts = [header.offset for header, _ in iter_frames(io.BytesIO(data))] + [len(data)]
    assert tokpress.decompress(data, models=[model]) == TEXT[:110]
    for at in range(len(data)):
        bad = data[:at] + bytes([data[at] ^ mask]) + data[at + 1 :]
        with pytest.raises(FormatError):
            tokpress.decompress(bad, models=[model])
        hit = next(i for i in range(3) if at < starts[i + 1])
        summary = stream.decompress_stream(io.BytesIO(bad), out := io.BytesIO(), [model], keep_going=True)
        assert out.getvalue() == b"".join(part for i, part in enumerate(parts) if i != hit) and summary.damaged
    for length in range(len(data)):
        with pytest.raises(FormatError):
            tokpress.decompress(data[:length], models=[model])


@pytest.mark.parametrize("name", NAMES)
def test_payloads_whose_check_holds(name):
    """As if damage had slipped through the check, or an encoder gone wrong: flips, cuts, zeros, noise."""
    model, rng = MODELS[name], np.random.default_rng(7)
    payload = model.encode(TEXT)[0]
    refused, cases = (
        0,
        [payload[:at] + bytes([payload[at] ^ 1 << at % 8]) + payload[at + 1 :] for at in range(0, len(payload), 11)],
    )
    cases += [payload[:size] for size in range(0, len(payload), 31)]
    cases += [bytes(len(payload)), b"\xff" * len(payload), payload[::-1], *(rng.bytes(len(payload)) for _ in range(5))]
    for case in cases:
        data = frame(model, payload=case, payload_length=len(case))
        try:
            assert tokpress.decompress(data, models=[model]) == TEXT
            assert case[:-4] == payload[:-4]  # only the last word has bits that nothing depends on
        except FormatError as error:
            assert str(error).startswith("frame 1 (at byte 0): ")
            refused += 1
    assert refused >= len(cases) - 2


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    "lies",
    [{"tokens": 1}, {"tokens": 2 * len(TEXT)}, {"lanes": 1}, {"lanes": 3}, {"lanes": 100}, {"source_length": 150},
     {"source_length": 1000}, {"source_crc": 0}, {"tokens": 199}, {"tokens": 150, "lanes": 150}],
    ids=str,
)  # fmt: skip
def test_headers_whose_check_holds(name, lies):
    model = MODELS[name]
    (_, tokens, lanes), stride = model.encode(TEXT), model.prior.rules.stride
    same = Layout.divide(tokens, lies.get("lanes", 0), stride) == Layout.divide(tokens, lanes, stride)
    same |= model.prior.rules.lanes(1 << 20) == 1  # it takes one lane, whatever the header says
    if lies.get("tokens") == tokens or ("tokens" not in lies and same):
        pytest.skip("no lie for this one")
    with pytest.raises(FormatError, match=r"^frame 1 "):
        tokpress.decompress(frame(model, **lies), models=[model])


@pytest.mark.parametrize("name", NAMES)
def test_another_model_under_this_ones_id(name):
    model = MODELS[name]
    for other in NAMES:
        if MODELS[other].id != model.id:
            shipped = ("context_mixing", "context_mixing-on_grid", "linear_prediction")
            if {name, other} <= set(shipped[1:]):
                continue  # a source without samples they code alike
            if name not in shipped:  # those are found
                with pytest.raises(ModelMismatchError):
                    tokpress.decompress(frame(model), models=[MODELS[other]])
            with pytest.raises(FormatError, match=r"^frame 1 "):
                tokpress.decompress(frame(model, model_id=MODELS[other].id), models=[MODELS[other]])


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(NAMES), st.binary(max_size=80), st.integers(1, 300), st.integers(1, 300), st.integers(1, 60))
def test_any_payload_at_all(name, payload, source_length, tokens, lanes):
    model = MODELS[name]
    lanes, tokens = min(lanes, tokens), min(tokens, 2 * source_length)
    payload = payload[: 8 * source_length + 64]
    lies = {
        "source_length": source_length,
        "tokens": tokens,
        "lanes": min(lanes, tokens),
        "payload_length": len(payload),
    }
    try:
        tokpress.decompress(frame(model, payload=payload, **lies), models=[model])
    except FormatError:
        return
    raise AssertionError("a CRC-32 held by chance?")


def test_models_that_are_damaged(tmp_path):
    """Each byte of a model directory's files: it cannot be opened, or is another model, which the file does not name."""
    model = MODELS["histogram-static"]
    model.save(tmp_path / "m")
    packed = frame(model)
    for part in ("config.json", "model.safetensors"):
        path = tmp_path / "m" / part
        good = path.read_bytes()
        places = [*range(0, min(len(good), 260)), *range(260, len(good), 97)]
        for at in places:
            path.write_bytes(good[:at] + bytes([good[at] ^ 1 << at % 7]) + good[at + 1 :])
            with pytest.raises(TokpressError):
                tokpress.decompress(packed, models=[tokpress.models.loading.load_folder(tmp_path / "m")])
        for length in (0, 1, 8, 100, len(good) - 3):
            path.write_bytes(good[: min(length, len(good) - 3)])
            with pytest.raises(TokpressError):
                tokpress.decompress(packed, models=[tokpress.models.loading.load_folder(tmp_path / "m")])
        path.write_bytes(good)
    assert tokpress.decompress(packed, models=[tokpress.load(tmp_path / "m")]) == TEXT
