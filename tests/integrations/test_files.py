"""Files *.tokp opened by other libraries, by memory, disk and HTTP; archives of shutil and tarfile."""

import io
import os
import shutil
import tarfile

import pytest

import tokpress
from tests.http_server import serving
from tokpress.errors import FormatError, TokpressError
from tokpress.integrations import shutil as our_shutil

TABLE = "id,mood\n" + "".join(f"{i},{'abc'[i * i % 3]}\n" for i in range(200))
MOODS = [line[-1] for line in TABLE.splitlines()[1:]]


@pytest.fixture(scope="module")
def fsspec():
    fsspec = pytest.importorskip("fsspec")
    from tokpress.integrations import fsspec as ours

    ours.register()
    ours.register()
    return fsspec


@pytest.fixture(params=["memory", "disk"])
def url(request, tmp_path, fsspec):
    """Where a compressed table is."""
    place = f"memory://{tmp_path.name}" if request.param == "memory" else f"file://{tmp_path}"
    with fsspec.open(f"{place}/table.csv.tokp", "wt", compression="infer") as file:
        file.write(TABLE)
    return f"{place}/table.csv.tokp"


@pytest.fixture
def server(tmp_path):
    """The address of a server of the files in a folder."""
    (tmp_path / "table.csv.tokp").write_bytes(tokpress.compress(TABLE.encode()))
    (tmp_path / "table.csv").write_text(TABLE)

    with serving(tmp_path) as address:
        yield address


def test_fsspec(fsspec, url):
    with fsspec.open(url) as file:
        assert tokpress.decompress(file.read()) == TABLE.encode()
    with fsspec.open(url, compression="infer") as file:
        assert file.read() == TABLE.encode() and file.seek(3) == 3 and file.read(4) == TABLE.encode()[3:7]
    with fsspec.open(url, "rt", compression="tokp") as file:
        assert file.readlines() == TABLE.splitlines(keepends=True)
    assert fsspec.url_to_fs(url)[0].size(url) < len(TABLE) / 3


def test_a_file_system_opens_compressed_files(fsspec, url):
    """Its own `open` leaves the file under the compressed one to that."""
    system, path = fsspec.url_to_fs(url)
    with system.open(path, "wb", compression="infer") as file:
        file.write(b"other")
    with system.open(path, "rt", compression="infer") as file:
        assert file.read() == "other"
    from tokpress.integrations import fsspec as ours

    under = io.BytesIO(system.cat(path))
    one = ours.opened(under)
    assert one.read() == b"other" and not under.closed
    one.close()
    assert under.closed


def test_what_an_exception_leaves_is_incomplete(fsspec, url):
    system, path = fsspec.url_to_fs(url)
    with pytest.raises(KeyError), system.open(path, "wb", compression="infer") as file:
        file.write(b"other")
        raise KeyError
    with pytest.raises(FormatError), system.open(path, compression="infer") as file:
        file.read()


def test_fsspec_over_http(fsspec, server):
    pytest.importorskip("aiohttp")
    with fsspec.open(f"{server}/table.csv.tokp", "rt", compression="infer") as file:
        assert file.read() == TABLE
    assert fsspec.open_files(f"{server}/table.csv.tokp", compression="infer")[0].open().read() == TABLE.encode()


def test_fsspec_caches_what_comes_over_http(fsspec, server, tmp_path):
    """A chain of protocols, from the documentation of fsspec."""
    pytest.importorskip("aiohttp")
    options = {"filecache": {"cache_storage": str(tmp_path / "cache")}}
    with fsspec.open(f"filecache::{server}/table.csv.tokp", compression="infer", **options) as file:
        assert file.read() == TABLE.encode()


def test_a_damaged_file_is_an_error(fsspec, tmp_path):
    packed = bytearray(tokpress.compress(TABLE.encode()))
    packed[30] ^= 1
    (tmp_path / "a.tokp").write_bytes(packed)
    with pytest.raises(TokpressError), fsspec.open(str(tmp_path / "a.tokp"), compression="infer") as file:
        file.read()


def test_pandas(fsspec, url):
    pandas = pytest.importorskip("pandas")
    with fsspec.open(url, compression="infer") as file:
        table = pandas.read_csv(file)
    assert list(table["mood"]) == MOODS
    with fsspec.open(other := url.replace("table", "copy"), "w", compression="infer") as file:
        table.to_csv(file, index=False)
    with fsspec.open(other, "rt", compression="infer") as file:
        assert file.read() == TABLE


def test_pandas_takes_names_of_other_file_systems(fsspec):
    """Its storage_options are passed to fsspec.open."""
    pandas = pytest.importorskip("pandas")
    name, options = "memory://pandas/table.csv.tokp", {"compression": "infer"}
    pandas.DataFrame({"mood": MOODS}).to_csv(name, index=False, storage_options=options)
    assert list(pandas.read_csv(name, storage_options=options)["mood"]) == MOODS
    with fsspec.open(name, "rb") as file:
        assert tokpress.decompress(file.read()).split() == [b"mood", *(mood.encode() for mood in MOODS)]


def test_pandas_opens_a_file_object(tmp_path):
    pandas = pytest.importorskip("pandas")
    with tokpress.open(tmp_path / "a.jsonl.tokp", "wt") as file:
        pandas.DataFrame({"mood": MOODS}).to_json(file, orient="records", lines=True)
    with tokpress.open(tmp_path / "a.jsonl.tokp", "rt") as file:
        assert list(pandas.read_json(file, lines=True)["mood"]) == MOODS


def test_pyarrow(fsspec, url):
    csv, feather = pytest.importorskip("pyarrow.csv"), pytest.importorskip("pyarrow.feather")
    with fsspec.open(url, compression="infer") as file:
        table = csv.read_csv(file)
    assert table["mood"].to_pylist() == MOODS
    other = url.replace("table.csv", "table.feather")
    with fsspec.open(other, "wb", compression="infer") as file:
        feather.write_feather(table, file, compression="uncompressed")
    with fsspec.open(other, compression="infer") as file:
        assert feather.read_table(file).equals(table)


def test_dask(fsspec, url):
    bag = pytest.importorskip("dask.bag")
    lines = bag.read_text(url, compression="infer").str.strip().compute(scheduler="threads")
    assert lines == TABLE.splitlines()


def test_dask_dataframes(fsspec, url):
    dataframe = pytest.importorskip("dask.dataframe")
    table = dataframe.read_csv(url, compression="infer", blocksize=None)
    assert list(table["mood"].compute(scheduler="threads")) == MOODS


def test_smart_open(tmp_path, server):
    smart_open = pytest.importorskip("smart_open")
    from tokpress.integrations import smart_open as ours

    ours.register()
    ours.register()
    path = str(tmp_path / "a.txt.tokp")
    with smart_open.open(path, "w", compression_kwargs={"effort": "fast"}) as file:
        file.write(TABLE)
    assert tokpress.decompress((tmp_path / "a.txt.tokp").read_bytes()) == TABLE.encode()
    with smart_open.open(path, "rb") as file:
        assert file.read() == TABLE.encode()
    with smart_open.open(path) as file:
        assert list(file) == TABLE.splitlines(keepends=True)
    with smart_open.open(path, "wb") as file:
        file.write(b"other")
    with smart_open.open(path, "rb") as file:
        assert file.read() == b"other"
    pytest.importorskip("requests")
    with smart_open.open(f"{server}/table.csv.tokp") as file:
        assert file.read() == TABLE


@pytest.fixture
def folder(tmp_path):
    place = tmp_path / "notes"
    (place / "old").mkdir(parents=True)
    (place / "monday.txt").write_text("nothing happened\n" * 30)
    (place / "old" / "sunday.txt").write_bytes(bytes(range(256)))
    (place / "monday.txt").chmod(0o640)
    return place


@pytest.fixture
def formats():
    our_shutil.register()
    our_shutil.register()
    yield
    shutil.unregister_archive_format(our_shutil.NAME)
    shutil.unregister_unpack_format(our_shutil.NAME)


def content(place):
    return {path.relative_to(place): path.read_bytes() for path in place.rglob("*") if path.is_file()}


def test_shutil(folder, formats, tmp_path):
    assert (our_shutil.NAME, "tar file compressed by tokpress") in shutil.get_archive_formats()
    name = shutil.make_archive(tmp_path / "new" / "backup", "tokptar", folder)
    assert name == str(tmp_path / "new" / "backup.tar.tokp")
    shutil.unpack_archive(name, tmp_path / "restored")
    assert content(tmp_path / "restored") == content(folder)
    assert (tmp_path / "restored" / "monday.txt").stat().st_mode & 0o777 == 0o640


def test_shutil_takes_a_part_and_an_owner(folder, formats, tmp_path):
    before = os.getcwd()
    name = shutil.make_archive(tmp_path / "part", "tokptar", folder, "old", owner="someone", group="all")
    assert os.getcwd() == before
    with tokpress.open(name) as file, tarfile.open(fileobj=file) as tar:
        assert [(item.name, item.uname, item.gname) for item in tar] == [
            ("old", "someone", "all"),
            ("old/sunday.txt", "someone", "all"),
        ]
    assert (
        shutil.make_archive(tmp_path / "dry", "tokptar", folder, dry_run=True)
        and not (tmp_path / "dry.tar.tokp").exists()
    )


def test_shutil_leaves_no_part_of_an_archive(formats, tmp_path):
    with pytest.raises(FileNotFoundError):
        shutil.make_archive(tmp_path / "a", "tokptar", tmp_path, "nothing")
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_unpacked_outside_of_the_folder(formats, tmp_path):
    with tokpress.open(tmp_path / "a.tar.tokp", "wb") as file, tarfile.open(fileobj=file, mode="w") as tar:
        tar.addfile(tarfile.TarInfo("../outside"), io.BytesIO())
    with pytest.raises((getattr(tarfile, "OutsideDestinationError", shutil.ReadError), shutil.ReadError)):
        shutil.unpack_archive(tmp_path / "a.tar.tokp", tmp_path / "inside")
    assert not (tmp_path / "outside").exists()


@pytest.mark.skipif(hasattr(tarfile, "data_filter"), reason="since Python 3.11.4, tarfile checks")
@pytest.mark.parametrize(
    "name, kind", [("/a", b"0"), ("a/../../b", b"0"), ("a", b"2"), ("a", b"1"), ("a", b"3"), ("C:a", b"0")]
)
def test_old_pythons_refuse_what_they_cannot_check(formats, tmp_path, name, kind):
    with tokpress.open(tmp_path / "a.tar.tokp", "wb") as file, tarfile.open(fileobj=file, mode="w") as tar:
        item = tarfile.TarInfo(name)
        item.type, item.linkname = kind, "/etc/hostname"
        tar.addfile(item)
    with pytest.raises(shutil.ReadError, match=r"with Python 3\.11\.4 or later"):
        shutil.unpack_archive(tmp_path / "a.tar.tokp", tmp_path / "inside")
    assert not list((tmp_path / "inside").glob("*"))


@pytest.mark.parametrize("modes", [("w", "r:"), ("w|", "r|")])
def test_tarfile_by_file_object(folder, tmp_path, modes):
    with tokpress.open(tmp_path / "a.tar.tokp", "wb") as file, tarfile.open(fileobj=file, mode=modes[0]) as tar:
        tar.add(folder, "notes")
    with tokpress.open(tmp_path / "a.tar.tokp") as file, tarfile.open(fileobj=file, mode=modes[1]) as tar:
        tar.extractall(tmp_path / "restored", **({"filter": "data"} if hasattr(tarfile, "data_filter") else {}))
    assert content(tmp_path / "restored" / "notes") == content(folder)
