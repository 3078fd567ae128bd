"""Video files with a tokenizer of video: the frames as an array, many frames of a file, what is left out told."""

import io
import wave
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from tests.models import tiny_autoencoder
from tests.tokenizers.test_video import COLOUR, GREY, glide, reconstruction
from tests.training.command import run
from tokpress.errors import TokpressError
from tokpress.media import signatures, video
from tokpress.models.model import Model
from tokpress.priors.lecture.histogram import HistogramPrior

av = pytest.importorskip("av")


def clip(path: Path, frames: np.ndarray, codec: str = "ffv1", pixels: str = "bgr0", sound: bool = False) -> Path:
    """[T, rows, columns, 3] as a file; bgr0 of ffv1 keeps every bit."""
    with av.open(str(path), "w") as file:
        stream = file.add_stream(codec, rate=Fraction(25, 2))
        stream.height, stream.width = frames.shape[1:3]
        stream.pix_fmt = pixels
        heard = file.add_stream("pcm_s16le", rate=8000, layout="mono") if sound else None
        for frame in frames:
            file.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24").reformat(format=pixels)))
        file.mux(stream.encode(None))
        if heard:
            noise = av.AudioFrame.from_ndarray(np.zeros((1, 800), np.int16), format="s16", layout="mono")
            noise.sample_rate = 8000
            file.mux(heard.encode(noise))
            file.mux(heard.encode(None))
    return path


@pytest.fixture
def here(tmp_path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    COLOUR.save("v")
    GREY.save("g")
    return tmp_path


@pytest.mark.parametrize("shape", [(7, 20, 26, 3), (1, 9, 30, 3), (2, 40, 6, 3)])
def test_there_and_back(here, shape):
    frames = glide(*shape)
    size = clip(here / "a.mkv", frames, sound=True).stat().st_size
    said = run("compress", "--lossy", "-m", "v", "a.mkv").output
    assert f"stored as npy, of a file of {size:,} bytes; left out: sound, the rate of 12.5 frames a second" in said
    assert "PSNR" in said and "model" in said
    run("decompress", "-q", "-m", "v", "a.npy.tokp")
    assert np.array_equal(np.load("a.npy"), reconstruction(frames, COLOUR))


def test_grey(here):
    frames = glide(4, 20, 26, 3)
    clip(here / "a.avi", frames)
    assert "frames a second, colour" in run("compress", "--lossy", "-m", "g", "a.avi").output
    run("decompress", "-q", "-m", "g", "a.npy.tokp")
    back = np.load("a.npy")
    assert back.shape == (4, 20, 26, 1)
    with open("a.avi", "rb") as file:
        grey = np.load(io.BytesIO(video.Unpacked(file, 1).readall()))
    assert np.abs(grey[..., 0].astype(int) - frames[..., 0]).max() < 3 and np.array_equal(
        back, reconstruction(grey, GREY)
    )


@pytest.mark.parametrize(
    ("name", "codec", "pixels"),
    [("a.mp4", "mpeg4", "yuv420p"), ("a.y4m", "wrapped_avframe", "yuv444p"), ("a.mov", "mjpeg", "yuvj420p")],
)
def test_kinds_of_files(here, name, codec, pixels):
    clip(here / name, glide(5, 32, 48, 3), codec, pixels)
    run("compress", "--lossy", "-q", "-m", "v", name)
    run("decompress", "-q", "-m", "v", "a.npy.tokp")
    assert np.load("a.npy").shape == (5, 32, 48, 3)
    row = run("score", "-m", "v", name).output.splitlines()[1].split("\t")
    assert row[0] == name and int(row[2]) == 5 * 32 * 48 * 3


def test_from_a_pipe_in_pieces(here, monkeypatch):
    frames = glide(9, 20, 26, 3)
    data = clip(here / "a.mkv", frames).read_bytes()
    from click.testing import CliRunner

    from tokpress.cli.main import cli

    made = CliRunner().invoke(cli, ["compress", "--lossy", "-m", "v", "--frame-size", "5000", "-c"], input=data)
    assert made.exit_code == 0, made.output
    (here / "b.npy.tokp").write_bytes(made.stdout_bytes)
    run("decompress", "-q", "-m", "v", "b.npy.tokp")
    assert np.array_equal(np.load("b.npy"), reconstruction(frames, COLOUR))
    assert run("info", "b.npy.tokp").output.count("3 × model") == 1


def test_an_array_of_frames(here):
    frames = glide(7, 20, 26, 3)
    np.save("a.npy", frames)
    assert "stored as" not in run("compress", "--lossy", "-m", "v", "a.npy").output
    run("decompress", "-q", "-f", "-m", "v", "a.npy.tokp")
    assert np.array_equal(np.load("a.npy"), reconstruction(frames, COLOUR))
    np.save("b.npy", frames)
    run("compress", "-q", "-m", "v", "b.npy")  # nothing is lost
    run("decompress", "-q", "-f", "-m", "v", "b.npy.tokp")
    assert np.array_equal(np.load("b.npy"), frames)
    assert len(run("score", "-m", "v", "--by", "token", "b.npy").output.splitlines()) == 1 + 3 * 3 * 4


def test_without_lossy_the_file_itself_comes_back(here):
    data = clip(here / "a.mkv", glide(7, 20, 26, 3)).read_bytes()
    run("compress", "-q", "-m", "v", "a.mkv")
    run("decompress", "-q", "-f", "-m", "v", "a.mkv.tokp")
    assert (here / "a.mkv").read_bytes() == data


def test_what_is_refused(here):
    whole = clip(here / "a.mkv", glide(7, 20, 26, 3)).read_bytes()
    vq = tiny_autoencoder("vq", {"width": 8, "depth": 1, "shape": "8x8x3", "codes": 32, "dim": 4})
    Model(vq, HistogramPrior(32)).save("p")
    (here / "cut.mkv").write_bytes(whole[:200])
    with wave.open("a.wav", "wb") as file:
        file.setparams((1, 2, 8000, 0, "NONE", ""))
        file.writeframes(bytes(100))
    (here / "a.ppm").write_bytes(b"P6 9 9 255\n" + bytes(243))
    for words, told in [
        (("--lossy", "-m", "p", "a.mkv"), "the model is for pictures, and this is a video"),
        (("--lossy", "-m", "v", "a.ppm"), "the model is for video, and this is a picture"),
        (("--lossy", "-m", "v", "a.wav"), "the model is for video, and this is sound"),
        (("--lossy", "-m", "v", "cut.mkv"), "cut.mkv: the video cannot be read"),
        (("--content", "a.mkv"), "not video"),
        (("--lossy", "-m", "text", "a.mkv"), "--lossy needs one model with a lossy tokenizer"),
    ]:
        assert told in run("compress", *words, code=1).output
    assert "the model is for pictures, and this is a video" in run("compress", "--lossy", "a.mkv", code=1).output
    assert not list(here.glob("*.tokp"))


def test_what_begins_as_a_video(here):
    for name in ("a.mkv", "a.avi"):
        data = clip(here / name, glide(2, 16, 16, 3)).read_bytes()
        assert video.is_video(data[: video.LOOK]) and not signatures.recognised(data)
    for head in (
        b"RIFF0000WAVEfmt ",
        b"RIFF0000WEBPVP8L",
        b"\0\0\0\x20ftypavif0000",
        b"\0\0\0\x20ftypM4A 0000",
        b"",
        b"text",
    ):
        assert not video.is_video(head)


def test_a_file_without_frames(here):
    with av.open("a.mkv", "w") as file:
        stream = file.add_stream("pcm_s16le", rate=8000, layout="mono")
        sound = av.AudioFrame.from_ndarray(np.zeros((1, 800), np.int16), format="s16", layout="mono")
        sound.sample_rate = 8000
        file.mux(stream.encode(sound))
    with open("a.mkv", "rb") as file, pytest.raises(TokpressError, match="holds no frames"):
        video.Unpacked(file, 3)
