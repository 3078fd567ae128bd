"""tokpress.open: like the built-in one, over frames."""

import gc
import io
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tokpress
from tests.codec.files import DATA, MODEL, Pipe, offsets, packed, reader
from tests.models import tiny_autoencoders
from tests.observe import calls_of
from tokpress.codec import restore
from tokpress.codec import stream as pipeline
from tokpress.codec.file import TokpressFile
from tokpress.errors import FormatError, ModelMismatchError, TokpressError


@pytest.fixture
def decoded():
    """The numbers of the frames that were decoded."""
    with calls_of(restore.restore_frame, lambda arguments: arguments["header"].number) as numbers:
        yield numbers


def test_what_is_written_is_an_ordinary_file(tmp_path):
    path = tmp_path / "a.tokp"
    with tokpress.open(path, "xb", model=MODEL, frame_size=1000) as file:
        assert [file.write(DATA[:1500]), file.write(memoryview(DATA)[1500:]), file.tell()] == [1500, 3800, 5300]
        assert file.writable() and not file.readable() and not file.seekable()
    data = path.read_bytes()
    assert tokpress.decompress(data, models=[MODEL]) == DATA and len(offsets(data)) == 6
    with pytest.raises(FileExistsError):
        tokpress.open(path, "xb")
    with tokpress.open(str(path), models=[MODEL]) as file:
        assert file.read() == DATA and file.read() == b"" and file.readable() and not file.writable()
    assert file.closed


@pytest.mark.parametrize("size", [0, 1, 999, 1000, 1001, 2000])
def test_sizes_around_a_frame(size):
    assert reader(packed(DATA[:size])).read() == DATA[:size]
    assert len(offsets(packed(DATA[:size]))) == max(1, -(-size // 1000))


@pytest.mark.parametrize("source", [io.BytesIO, Pipe])
def test_streaming_decodes_frame_by_frame(decoded, source):
    file = TokpressFile(source(packed()), model=MODEL)
    assert file.read1(10) == DATA[:10] and decoded == [1]
    assert file.read(985) == DATA[10:995] and file.readline() == DATA[995 : DATA.index(b"\n", 995) + 1]
    assert set(decoded) <= {1, 2}
    rest = DATA[file.tell() :]
    assert list(file) == io.BytesIO(rest).readlines() and decoded == [1, 2, 3, 4, 5, 6]


def test_seek_decodes_what_is_needed(decoded):
    file = reader(packed())
    assert file.seek(4100) == 4100 and file.read(5) == DATA[4100:4105] and decoded == [5]
    assert file.seek(-4000, io.SEEK_CUR) == 105 and file.peek(1)[:9] == DATA[105:114] and decoded == [5, 1]
    assert file.seek(-10, io.SEEK_END) == 5290 and file.read() == DATA[5290:] and decoded == [5, 1, 6]
    assert file.seek(99_999) == 5300 and file.read(1) == b"" and decoded == [5, 1, 6]
    with pytest.raises(ValueError, match="before the start"):
        file.seek(-1)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 11_000), st.integers(0, 3000)), max_size=8))
def test_like_bytesio(moves):
    member = packed()
    ours, plain = reader(member + packed(b"") + member), io.BytesIO(2 * DATA)
    for position, count in moves:
        assert ours.seek(position) == min(plain.seek(position), len(2 * DATA))
        assert ours.read(count) == plain.read(count)
        buffers = bytearray(50), bytearray(50)
        assert ours.readinto(buffers[0]) == plain.readinto(buffers[1]) and buffers[0] == buffers[1]
    ours.seek(0)
    assert ours.read() == 2 * DATA


def test_frames_may_begin_inside_a_file():
    stream = io.BytesIO(b"something else" + packed())
    stream.seek(14)
    file = TokpressFile(stream, model=MODEL)
    file.seek(3000)
    assert file.read() == DATA[3000:]
    file.close()
    assert not stream.closed  # it is the caller's


def test_a_pipe_cannot_seek():
    file = TokpressFile(Pipe(packed()), model=MODEL)
    assert not file.seekable()
    with pytest.raises(io.UnsupportedOperation):
        file.seek(0)


def test_text(tmp_path):
    path = tmp_path / "a.tokp"
    with tokpress.open(path, "wt", model=MODEL, encoding="utf-16", newline="\r\n") as file:
        file.write("één\ntwee\n")
    with tokpress.open(path, "rt", model=MODEL, encoding="utf-16") as file:
        assert file.readlines() == ["één\n", "twee\n"]
    with tokpress.open(path, models=[MODEL]) as file:
        assert file.read().decode("utf-16") == "één\r\ntwee\r\n"


@pytest.mark.parametrize("mode", ["wb", "wt"])
@pytest.mark.parametrize("size", [10, 5300])
@pytest.mark.parametrize("how", ["exception", "left"])
def test_unfinished_never_looks_complete(tmp_path, mode, size, how):
    path, data = tmp_path / "a.tokp", DATA[:size]
    if how == "exception":
        with (
            pytest.raises(RuntimeError),
            tokpress.open(path, mode, model=MODEL, frame_size=1000) as file,
        ):
            file.write(data if mode == "wb" else data.decode())
            raise RuntimeError
    else:
        file = tokpress.open(path, mode, model=MODEL, frame_size=1000)
        file.write(data if mode == "wb" else data.decode())
        with pytest.warns(ResourceWarning, match="not closed"):
            del file
            gc.collect()
    with pytest.raises(FormatError, match=r"truncated after frame|it is empty"):
        tokpress.decompress(path.read_bytes(), models=[MODEL])
    with (
        pytest.raises(FormatError, match=r"truncated after frame|it is empty"),
        tokpress.open(path, model=MODEL) as file,
    ):
        file.read()
    whole = [
        p
        for p in restore.restored(io.BytesIO(path.read_bytes()), restore.Decoding([MODEL]), keep_going=True)
        if p.__class__ is tuple
    ]
    assert b"".join(piece for _, piece, _ in whole) == data[: len(whole) * 1000]


class Raw(io.RawIOBase):
    """Takes a few bytes at a time; None at the calls in `blocks`; raises at those in `fails`."""

    def __init__(self, blocks=(), fails=()):
        self.taken, self.calls, self.blocks, self.fails = bytearray(), 0, blocks, fails

    def writable(self):
        return True

    def write(self, data):
        self.calls += 1
        if self.calls in self.fails:
            raise OSError(28, "No space left on device")
        if self.calls in self.blocks:
            return None
        self.taken += data[:5]
        return min(len(data), 5)


def test_short_writes():
    with tokpress.open(raw := Raw(), "wb", model=MODEL, frame_size=1000) as file:
        file.write(DATA)
    assert tokpress.decompress(bytes(raw.taken), models=[MODEL]) == DATA
    pipeline.compress_stream(io.BytesIO(DATA), raw := Raw(), pipeline.Options(models=[MODEL]))
    packed_again = bytes(raw.taken)
    pipeline.decompress_stream(io.BytesIO(packed_again), raw := Raw(), [MODEL])
    assert raw.taken == DATA


@pytest.mark.parametrize("raw", [Raw(blocks={9}), Raw(fails={9})], ids=["would block", "full"])
def test_a_write_that_fails_is_an_error_and_so_is_closing(raw):
    file = tokpress.open(raw, "wb", model=MODEL, frame_size=1000)
    with pytest.raises(OSError):
        file.write(DATA)
    with pytest.raises(TokpressError, match="an earlier write failed"):
        file.write(b"more")
    with pytest.raises(TokpressError, match="an earlier write failed"):
        file.close()
    assert file.closed


class OnlyReads:
    def __init__(self, data):
        self.read = io.BytesIO(data).read


class OnlyWrites:
    def __init__(self):
        self.file = io.BytesIO()

    def write(self, data):
        self.file.write(data)  # and tells nothing


def test_one_method_is_enough():
    with tokpress.open(out := OnlyWrites(), "wb", model=MODEL, frame_size=1000) as file:
        file.write(DATA)
    data = out.file.getvalue()
    assert TokpressFile(OnlyReads(data), model=MODEL).read() == DATA
    pipeline.decompress_stream(OnlyReads(data), out := OnlyWrites(), [MODEL])
    assert out.file.getvalue() == DATA
    pipeline.compress_stream(OnlyReads(DATA), out := OnlyWrites(), pipeline.Options(models=[MODEL]))
    assert tokpress.decompress(out.file.getvalue(), models=[MODEL]) == DATA


@pytest.mark.parametrize("mode", ["rb", "wb", "ab", "rt", "wt"])
@pytest.mark.parametrize("file", [None, 7, object()], ids=type)
def test_what_is_no_file(file, mode):
    with pytest.raises(TypeError, match=f"has no {'read' if mode[0] == 'r' else 'write'}"):
        tokpress.open(file, mode)
    gc.collect()  # no finalizer complains


def test_a_text_file_is_no_binary_one():
    with pytest.raises(TypeError, match="binary mode"):
        tokpress.open(io.StringIO("text")).read()
    with pytest.raises(TypeError, match="binary mode"):
        pipeline.compress_stream(io.StringIO("text"), io.BytesIO())


class NotReady(io.RawIOBase):
    def readable(self):
        return True

    def readinto(self, buffer):
        return None


def test_an_input_that_is_not_ready():
    with pytest.raises(BlockingIOError):
        tokpress.open(NotReady()).read()
    with pytest.raises(BlockingIOError):
        pipeline.compress_stream(NotReady(), io.BytesIO())


def test_threads_share_a_file():
    out, lines = io.BytesIO(), [bytes([65 + i]) * 37 + b"\n" for i in range(8)]
    with tokpress.open(out, "wb", model="context-mixing", frame_size=5000) as file, ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda line: [file.write(line) for _ in range(60)], lines))
    with tokpress.open(io.BytesIO(out.getvalue())) as file:
        assert sorted(file) == sorted(lines * 60)
    with tokpress.open(io.BytesIO(out.getvalue())) as file, ThreadPoolExecutor(8) as pool:
        pieces = [piece for part in pool.map(lambda _: [file.read(38) for _ in range(60)], lines) for piece in part]
    assert sorted(pieces) == sorted(lines * 60)


def test_append(tmp_path):
    """Like lzma.open: what is there stays, and is followed by a new member."""
    path = tmp_path / "a.tokp"
    for number, part in enumerate((DATA[:1500], b"", DATA[1500:])):
        before = path.read_bytes() if number else b""
        with tokpress.open(path, "ab", model=MODEL, frame_size=1000) as file:
            assert file.writable() and file.tell() == 0
            file.write(part)
        assert path.read_bytes().startswith(before)
    with tokpress.open(path, model=MODEL) as file:
        assert file.read() == DATA
    assert tokpress.decompress(path.read_bytes(), models=[MODEL]) == DATA


def test_append_that_is_left_by_an_exception(tmp_path):
    """What was there before can still be read, and the file does not look complete."""
    path = tmp_path / "a.tokp"
    path.write_bytes(packed())
    with pytest.raises(RuntimeError), tokpress.open(path, "ab", model=MODEL, frame_size=1000) as file:
        file.write(DATA[:2500])
        raise RuntimeError
    data = path.read_bytes()
    assert data.startswith(packed()) and len(data) > len(packed())
    with tokpress.open(path, model=MODEL) as file:
        assert file.read(len(DATA) + 2000) == DATA + DATA[:2000]
        with pytest.raises(FormatError, match="truncated"):
            file.read()
    pipeline.decompress_stream(io.BytesIO(data), out := io.BytesIO(), [MODEL], keep_going=True)
    assert out.getvalue() == DATA + DATA[:2000]


def test_append_to_what_is_no_tokp_file(tmp_path):
    path = tmp_path / "a.txt"
    path.write_bytes(b"precious")
    with pytest.raises(FormatError, match=r"a\.txt: not a \.tokp file"):
        tokpress.open(path, "ab", model=MODEL)
    assert path.read_bytes() == b"precious"


def test_append_to_what_lacks_its_end(tmp_path):
    """A log whose writer was killed: what is appended after it could not be read."""
    path = tmp_path / "a.tokp"
    with pytest.raises(RuntimeError), tokpress.open(path, "wb", model=MODEL, frame_size=1000) as file:
        file.write(DATA[:2500])
        raise RuntimeError
    for data in (path.read_bytes(), packed()[:-1], packed() + b"x"):
        path.write_bytes(data)
        with pytest.raises(FormatError, match="nothing is appended"):
            tokpress.open(path, "ab", model=MODEL)
        assert path.read_bytes() == data


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_append_text(tmp_path, encoding):
    path = tmp_path / "a.tokp"
    for line in ("één\n", "twee\n"):
        with tokpress.open(path, "at", model=MODEL, encoding=encoding) as file:
            file.write(line)
    with tokpress.open(path, "rt", models=[MODEL], encoding=encoding) as file:
        assert file.read() == "één\ntwee\n"


def test_wrong_use(tmp_path):
    with pytest.raises(ModelMismatchError):
        TokpressFile(io.BytesIO(packed())).read()
    for mode in ("rw", "ra", "a+", "rbt", "", "z"):
        with pytest.raises(ValueError, match="mode"):
            tokpress.open(io.BytesIO(), mode)
    with pytest.raises(ValueError, match="frame_size"):
        tokpress.open(io.BytesIO(), "wb", frame_size=0)
    with pytest.raises(ValueError, match="text modes"):
        tokpress.open(io.BytesIO(), "rb", encoding="utf-8")
    with pytest.raises(FileNotFoundError):
        tokpress.open(tmp_path / "none")
    file = reader(packed())
    with pytest.raises(io.UnsupportedOperation):
        file.write(b"x")
    file.close()
    file.close()
    for use in (file.read, file.tell, file.readable, lambda: file.write(b"")):
        with pytest.raises(ValueError, match="closed file"):
            use()
    with tokpress.open(io.BytesIO(), "wb", model=MODEL) as file, pytest.raises(io.UnsupportedOperation):
        file.read()


def test_a_lossy_tokenizer_writes_no_stream():
    """It stored the tokens alone, as if they restored the source."""
    lossy = tiny_autoencoders()["vq"]
    with pytest.raises(TokpressError, match="lossless"):
        tokpress.open(io.BytesIO(), "wb", model=lossy)
    source = (np.arange(192 * 40) // 97 % 256).astype(np.uint8).tobytes()
    packed = tokpress.compress(source, model=lossy)
    with tokpress.open(io.BytesIO(packed), model=lossy) as file:
        assert file.read() == source
