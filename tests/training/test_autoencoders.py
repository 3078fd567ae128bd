"""Autoencoders in training compute what the exact ones do, learn, and are trained, stopped and resumed by the command line."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy
import torch

from tests.training.command import run
from tokpress.media.distortion import Distortion
from tokpress.tokenizers.learned.autoencoder import Autoencoder
from tokpress.tokenizers.learned.codebook import nearest
from tokpress.tokenizers.registry import TOKENIZERS
from tokpress.training.learners.autoencoder import Net, held_out, scaled
from tokpress.training.nets.bottlenecks import LEAST_SHARE, Nearest

SMALL = {"width": 16, "depth": 1}
KINDS = {
    "vq": {"shape": "8x8x3", "codes": 8, "dim": 4},
    "vqgan": {"shape": "16x16x3", "codes": 8, "dim": 4},
    "fsq": {"shape": "8x8x3", "levels": "4,4"},
    "lfq": {"shape": "8x8x3", "codes": 16},
    "gumbel": {"shape": "8x8x3", "codes": 16, "dim": 4},
    "titok": {"shape": "16x16", "latents": 6, "codes": 8, "dim": 4, "heads": 2},
    "multiscale": {"shape": "16x16x3", "scales": "1,2,4", "codes": 8, "dim": 4},
    "audio_rvq": {"shape": "64", "down": 8, "codes": 8, "dim": 4, "levels": 3},
    "video_lfq": {"shape": "5x8x8x3", "down": 4, "slower": 2, "codes": 16},
}


@pytest.mark.parametrize(
    ("kind", "rate"), [*((kind, 0.0) for kind in KINDS), ("vq", 0.05), ("titok", 0.05), ("multiscale", 0.05)]
)
def test_trained_and_exact_are_one_function(kind, rate):
    plan = TOKENIZERS.find(kind)({**SMALL, **KINDS[kind]}, {})
    assert isinstance(plan, Autoencoder)
    net = Net(plan, 0, rate)
    rng = np.random.default_rng(0)
    shape = (16, int(np.prod(plan.sides)), plan.channels)
    top = 255 if plan.bits == 8 else 20000
    items = rng.integers(0, top, shape).astype("u1" if plan.bits == 8 else "<i2")
    net.train()
    net(scaled(items))  # codebooks begin with what they see
    net.eval()
    with torch.no_grad():
        made, indices, _ = net(scaled(items))
    exact = type(plan)(plan.settings, net.export())
    tokens = exact.encode(items.tobytes())
    assert (tokens.reshape(16, -1) == indices.flatten(1).numpy()).mean() > 0.98  # the rest are ties, to a rounding
    restored = np.frombuffer(exact.decode(indices.flatten().numpy().astype(np.int32)), items.dtype).reshape(shape)
    expected = made.clamp(-1, 1).numpy()
    expected = (expected + 1) * 127.5 if plan.bits == 8 else expected * (1 << 15)
    limit = {"audio_rvq": 20, "titok": 3}.get(kind, 0.51)  # the softmax of exact attention is rounded more
    assert np.abs(restored - expected).max() <= limit


@pytest.mark.parametrize("rate", [0.0, 0.2])
def test_a_rate_trades_distortion_for_bits(rate):
    """t = argmin_k ‖z − c_k‖² + λ · mean‖z‖² · log2(1/p_k); the tokenizer finds it as the nearest code."""
    torch.manual_seed(0)
    z = torch.randn(64, 16, 5)
    z[..., -1] = 0
    bottleneck = Nearest(5, 64, 0.25, rate)
    for _ in range(300):
        bottleneck(z)
    bottleneck.eval()
    _, indices, _ = bottleneck(z)
    book = torch.from_numpy(bottleneck.export()["codebook"])
    costs = (z[..., None, :-1] - book[:, :-1]).square().sum(-1)
    distortion = costs.gather(-1, indices).mean()
    counts = indices.flatten().bincount(minlength=64).float()
    p = (counts / counts.sum()).clamp_min(1e-9)
    if rate:
        shares = bottleneck.shares.clamp_min(LEAST_SHARE / 64)
        costs = costs - rate * z.square().sum(-1).mean() * shares.log2()
    assert (costs.argmin(-1) == indices[..., 0]).float().mean() > 0.999
    bits = -(p * p.log2()).sum()
    assert (bits < 4, distortion > 1) == ((True, True) if rate else (False, False))
    assert np.array_equal(nearest(z.numpy().reshape(-1, 5), book.numpy()), indices.flatten().numpy())


def test_the_encoder_leaves_the_number_of_the_rate_at_zero(pictures):
    run(*words("vq", "--max-steps", 20, "--rate", 0.05, "-q"))
    tensors = safetensors.numpy.load_file("t/tokenizer.safetensors")
    assert not tensors["encoder.out.weight"][-1].any() and tensors["encoder.out.weight"][:-1].any(1).all()
    assert (tensors["codebook"][:, -1] > 0).all()
    assert "0.05 · mean" in Path("t/README.md").read_text("utf-8")


@pytest.mark.parametrize("kind", ["fsq", "gumbel", "audio_rvq", "bpe"])
def test_a_rate_needs_codes_that_are_nearest(corpus, kind):
    said = run("train", "tokenizer", ".", "-o", "t", "--kind", kind, "--rate", 0.1, code=1).output
    assert f"the tokenizer '{kind}' does not choose the nearest code: leave --rate out" in said
    assert "multiscale, titok, vq, vqgan" in said


def test_a_rate_needs_one_number_of_a_code(pictures):
    said = run(*words("vq", "--max-steps", 2, "--rate", 0.1, "--set", "dim=1"), code=1).output
    assert "dim=1 should be at least 2 with --rate" in said


def test_the_first_frame_of_a_video_alone_is_a_picture():
    plan = TOKENIZERS.find("video_lfq")({**SMALL, **KINDS["video_lfq"]}, {})
    video = TOKENIZERS.find("video_lfq")(plan.settings, Net(plan, 0).export())
    one = TOKENIZERS.find("video_lfq")({**plan.settings, "shape": "1x8x8x3"}, Net(plan, 0).export())
    source = np.random.default_rng(0).bytes(video.sizes.unit_bytes)
    first = source[: one.sizes.unit_bytes]
    tokens = video.encode(source)
    assert video.item_shape == (6, 2)
    assert np.array_equal(one.encode(first), tokens[: one.sizes.unit_tokens])
    assert one.decode(tokens[: one.sizes.unit_tokens]) == video.decode(tokens)[: one.sizes.unit_bytes]
    later = source[: 3 * one.sizes.unit_bytes] + bytes(
        2 * one.sizes.unit_bytes
    )  # what comes later changes nothing before
    assert np.array_equal(video.encode(later)[: 2 * one.sizes.unit_tokens], tokens[: 2 * one.sizes.unit_tokens])


@pytest.fixture
def pictures(corpus) -> np.ndarray:
    """Flat tiles of eight colours, in a .npy file."""
    rng = np.random.default_rng(0)
    colours = rng.integers(0, 256, (8, 3))
    tiles = colours[rng.integers(8, size=(400, 2, 2))].repeat(4, 1).repeat(4, 2).astype(np.uint8)
    np.save("tiles.npy", tiles)
    return tiles


def words(kind: str, *more: object) -> list[object]:
    sets = [word for key, value in {**SMALL, **KINDS[kind]}.items() for word in ("--set", f"{key}={value}")]
    return ["train", "tokenizer", "tiles.npy", "-o", "t", "--kind", kind, *sets, "--rows", "16", "-T", 1, *more]


@pytest.mark.parametrize("kind", ["vq", "fsq"])
def test_from_pictures_to_a_file_and_back(pictures, kind):
    run(*words(kind, "--max-steps", 150, "-q"))
    curve = json.loads(Path("t/training_curve.json").read_text())
    assert curve[-1]["held_out_psnr"] > 15 and curve[-1]["held_out_used"] > 0
    assert (curve[-1].get("dead_codes_replaced", 0) > 0) == (kind == "vq")  # eight colours leave some of the codes dead
    card = Path("t/README.md").read_text()
    for part in (
        f"`{kind}` of",
        "| PSNR, dB | ",
        "| codes used | ",
        "| tiles.npy | ",
        "'shape': '8x8x3'",
        "150 steps",
        "held-out curve",
    ):
        assert part.lower() in card.lower(), part
    assert ("dead codes replaced" in card) == (kind == "vq")
    run("train", "prior", "tiles.npy", "-o", "m", "--tokenizer", "t", "--prior", "pixelcnn", "--set", "width=16",
        "--set", "depth=1", "--max-steps", 40, "--rows", 16, "--no-compile", "-q", "-T", 1)  # fmt: skip
    assert json.loads(Path("m/config.json").read_text())["prior"]["shape"] == "2x2"
    Path("new.ppm").write_bytes(b"P6 11 13 255\n" + pictures[:3].tobytes()[: 11 * 13 * 3])
    said = run("compress", "--lossy", "-m", "m", "new.ppm").output
    assert "PSNR" in said
    run("decompress", "-q", "-m", "m", "new.ppm.tokp", "-o", "back.ppm")
    back = Path("back.ppm").read_bytes()
    assert len(back) == 13 + 11 * 13 * 3 and back[:13] == b"P6 11 13 255\n"
    run("sample", "-f", "-m", "m", "--items", 2, "--seed", 1, "-o", "drawn")
    assert Path("drawn").stat().st_size == 2 * 192


def test_of_sound_snr_is_told(corpus):
    """It was PSNR, which a quiet recording makes look good."""
    Path("hum.raw").write_bytes((np.sin(np.arange(64 * 400) / 7) * 500).astype("<i2").tobytes())
    said = run(*[word if word != "tiles.npy" else "hum.raw" for word in words("audio_rvq", "--max-steps", 2)]).output
    assert "held-out SNR" in said and "PSNR" not in said
    (point,) = json.loads(Path("t/training_curve.json").read_text())
    assert point["held_out_snr"] < 10 and "held_out_psnr" not in point  # of its peaks it would be more than 40


@pytest.mark.parametrize("kind", ["vq", "audio_rvq"])
def test_decibels_are_those_of_files(kind):
    plan = TOKENIZERS.find(kind)({**SMALL, **KINDS[kind]}, {})
    net, sound = Net(plan, 0), plan.sound
    shape = (16, int(np.prod(plan.sides)), plan.channels)
    items = np.random.default_rng(0).integers(0, 20000 if sound else 256, shape).astype("<i2" if sound else "u1")
    net(scaled(items))
    decibels, _, _ = held_out(net, items, torch.device("cpu"))
    exact = type(plan)(plan.settings, net.export())
    restored = exact.decode(exact.encode(items.tobytes()))
    assert decibels == pytest.approx(Distortion.between(items.tobytes(), restored, sound).decibels, abs=0.2)


def test_a_stopped_run_is_resumed(pictures, monkeypatch):
    from tokpress.cli.training import Display

    with monkeypatch.context() as patched:
        patched.setattr(Display, "stop", lambda self: True)
        run(*words("vq", "--max-steps", 30, "-q"), code=130)
    assert not Path("t/config.json").exists()
    run(*words("vq", "--max-steps", 30, "-q"), code=1)  # an unfinished run is not replaced silently
    run("train", "tokenizer", "-o", "t", "--resume", "-q")
    assert Path("t/config.json").is_file() and not Path("t/.checkpoint").exists()


@pytest.mark.parametrize(
    ("more", "told"),
    [(("--set", "codes=1"), "2 to"), (("--set", "what=1"), "no setting 'what'"), (("--set", "shape=9x9x3"), "multiples"),
     (("--set", "shape=512x512x3"), "no items")],
)  # fmt: skip
def test_what_cannot_be_trained(pictures, more, told):
    assert told in run(*words("vq", "--max-steps", 3, "-q", *more), code=1).output
    assert not Path("t").exists()


def test_pictures_do_not_train_a_tokenizer_of_sound(pictures):
    from PIL import Image

    Image.fromarray(pictures[0]).save("one.png")
    said = run("train", "tokenizer", "one.png", "-o", "t", "--kind", "audio_rvq", "--max-steps", 3, "-q", code=1).output
    assert "one.png is a picture, and the tokenizer is for recordings" in said and not Path("t").exists()


def test_a_trained_tokenizer_comes_before_its_prior(pictures):
    said = run("train", "prior", "tiles.npy", "-o", "m", "--tokenizer", "vq", "--max-steps", 3, "-q", code=1).output
    assert "train tokenizer --kind vq" in said
    assert "no settings" in run("train", "tokenizer", "tiles.npy", "-o", "t", "--set", "a=1", "-q", code=1).output


def test_a_run_that_diverges_at_its_last_step(pictures):
    """No loss had seen the weights that were saved."""
    for steps in (1, 2):
        said = run(*words("vq", "--learning-rate", 1e30, "--max-steps", steps, "-q"), code=1).output
        assert "lower --learning-rate" in said and not Path("t").exists()


def test_a_disk_that_is_full(pictures):
    """It was an unexpected SafetensorError."""
    resource = pytest.importorskip("resource")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (8000, limits[1]))
    try:
        said = run(*words("vq", "--max-steps", 1, "-q"), code=1).output
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert "t/tokenizer.safetensors: File too large: free some space" in said and not Path("t").exists()


def test_a_tokenizer_is_no_model(pictures):
    run(*words("vq", "--max-steps", 1, "-q"))
    for command in (["info"], ["compress"], ["decompress"]):
        said = run(*command, "-m", "t", "tiles.npy", code=1).output
        assert "t is a tokenizer; train a prior for it: tokpress train prior --tokenizer t" in said


def test_without_torch(pictures, monkeypatch):
    monkeypatch.delitem(sys.modules, "tokpress.training.learners.autoencoder", raising=False)
    monkeypatch.setitem(sys.modules, "torch", None)
    assert "pip install 'tokpress[train]'" in run(*words("fsq", "--max-steps", 1, "-q"), code=1).output
