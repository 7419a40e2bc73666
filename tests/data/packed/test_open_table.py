"""Pictures as files, in tar files and in Parquet files: the same rows and the same bytes."""

import io
import json
import tarfile
from concurrent.futures import ThreadPoolExecutor

import pytest
from facts import lacking

from promptreid.data.images.image_files import UnreadableImage
from promptreid.data.packed.open_table import open_table
from promptreid.errors import ConfigError, DataError

arrow = pytest.importorskip("pyarrow")
parquet = pytest.importorskip("pyarrow.parquet")


def write_tar(path, files):
    with tarfile.open(path, "w") as archive:
        for name, data in files:
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))


@pytest.fixture(scope="module")
def pictures(crops):
    """Six crops: name, bytes, identity and camera of each."""
    paths = sorted(crops.glob("00[01]/[012].png"))
    assert len(paths) == 6
    return [
        (f"{path.parent.name}-{path.stem}", path.read_bytes(), path.parent.name, f"c{path.stem}")
        for path in paths
    ]


@pytest.fixture
def tars(pictures, tmp_path):
    """The crops in two tar files, each with what is known of it, and files that are neither."""
    folder = tmp_path / "tars"
    folder.mkdir()
    for number in range(2):
        files = [("./notes/read.me", b"hello"), ("folder.txt", b"-")]
        for name, data, identity, camera in pictures[3 * number : 3 * number + 3]:
            known = {"identity": identity, "camera": camera, "age": 31, "boxes": [1, 2]}
            files += [
                (f"./{name}.json", json.dumps(known).encode()),
                (f"./{name}.png", data),
                (f"./{name}.txt", b"a person"),
            ]
        write_tar(folder / f"part-{number}.tar", files)
    return folder


def test_pictures_of_tar_files_and_what_is_known_of_them(tars, pictures):
    for spec in (f"tar:{tars}", f"tar:{tars}/part-*.tar"):
        table = open_table(spec)
        manifest = table.manifest
        assert manifest.paths == tuple(
            f"part-{number // 3}.tar/{picture[0]}.png" for number, picture in enumerate(pictures)
        )
        assert manifest.identities == tuple(picture[2] for picture in pictures)
        assert manifest.cameras == tuple(picture[3] for picture in pictures)
        assert dict(manifest.attributes) == {"age": ("31",) * 6}
        with ThreadPoolExecutor(4) as pool:
            assert list(pool.map(table.read, range(6))) == [picture[1] for picture in pictures]
        assert table.decode(5, table.read(5)).shape == (3, 40, 40)
    assert len(open_table(str(tars / "part-1.tar"))) == 3


def test_a_class_names_the_identity_and_no_word_makes_one_of_its_own(pictures, tmp_path):
    data = pictures[0][1]
    write_tar(
        tmp_path / "a.tar",
        [("x/1.png", data), ("x/1.cls", b"17\n"), ("x/2.v1.png", data), ("y/1.png", data)],
    )
    manifest = open_table(f"tar:{tmp_path / 'a.tar'}").manifest
    assert manifest.identities == ("17", "a.tar/x/2.v1.png", "a.tar/y/1.png")
    assert set(manifest.splits) == {"gallery"}


def test_tar_files_that_cannot_be_used(tars, pictures, tmp_path):
    whole = (tars / "part-0.tar").read_bytes()
    broken = tmp_path / "broken.tar"
    for content in (b"no tar file at all", whole[:5000]):
        broken.write_bytes(content)
        with pytest.raises(DataError) as caught:
            open_table(str(broken))
        assert not lacking(str(caught.value), str(broken), "uncompressed tar file")
    write_tar(broken, [("a.json", b"[1]"), ("a.png", pictures[0][1])])
    with pytest.raises(DataError) as caught:
        open_table(str(broken))
    assert not lacking(str(caught.value), "a.json", str(broken), "JSON object")
    write_tar(broken, [("a.png", b"1"), ("a.png", b"2")])
    with pytest.raises(DataError, match=r"two files named a\.png"):
        open_table(str(broken))
    write_tar(broken, [("a.txt", b"1")])
    with pytest.raises(DataError, match="no picture"):
        open_table(str(broken))


def test_a_tar_file_that_is_cut_off_after_it_was_listed(tars, pictures):
    table = open_table(f"tar:{tars}")
    last = tars / "part-1.tar"
    last.write_bytes(last.read_bytes()[:3000])
    assert table.read(0) == pictures[0][1]
    with pytest.raises(UnreadableImage) as caught:
        table.read(5)
    assert not lacking(str(caught.value), f"part-1.tar/{pictures[5][0]}.png", "ends within it")


@pytest.fixture(params=["binary", "struct"])
def parquets(request, pictures, tmp_path):
    """The crops in two Parquet files of two groups of rows each."""
    folder = tmp_path / "parquets"
    folder.mkdir()
    for number in range(2):
        part = pictures[3 * number : 3 * number + 3]
        columns = {
            "identity": [picture[2] for picture in part],
            "camera": [picture[3] for picture in part],
            "age": [31] * 3,
        }
        if request.param == "binary":
            columns["path"] = [f"{picture[0]}.png" for picture in part]
            columns["image"] = arrow.array([picture[1] for picture in part], arrow.binary())
        else:
            columns["image"] = [{"bytes": p[1], "path": f"{p[0]}.png"} for p in part]
        parquet.write_table(arrow.table(columns), folder / f"p{number}.parquet", row_group_size=2)
    return folder


def test_pictures_of_parquet_files_and_what_is_known_of_them(parquets, pictures):
    table = open_table(f"parquet:{parquets}")
    manifest = table.manifest
    assert manifest.paths == tuple(
        f"p{number // 3}.parquet/{picture[0]}.png" for number, picture in enumerate(pictures)
    )
    assert manifest.identities == tuple(picture[2] for picture in pictures)
    assert manifest.cameras == tuple(picture[3] for picture in pictures)
    assert dict(manifest.attributes) == {"age": ("31",) * 6}
    with ThreadPoolExecutor(4) as pool:
        rows = [5, 0, 3, 1, 4, 2, 0]
        assert list(pool.map(table.read, rows)) == [pictures[row][1] for row in rows]
    assert len(open_table(str(parquets / "p1.parquet"))) == 3


def test_parquet_files_that_cannot_be_used(tmp_path):
    file = tmp_path / "a.parquet"
    file.write_bytes(b"no")
    with pytest.raises(DataError) as caught:
        open_table(str(file))
    assert not lacking(str(caught.value), str(file), "Parquet")
    parquet.write_table(arrow.table({"name": ["a"]}), file)
    with pytest.raises(DataError) as caught:
        open_table(f"parquet:{file}")
    assert not lacking(str(caught.value), str(file), "no column of bytes", "name")
    parquet.write_table(arrow.table({"image": arrow.array([None, b"x"], arrow.binary())}), file)
    table = open_table(f"parquet:{file}")
    with pytest.raises(UnreadableImage, match="empty"):
        table.read(0)
    assert table.manifest.paths == ("a.parquet/row-000000000", "a.parquet/row-000000001")


def test_folders_pictures_and_data_sets(crops, tmp_path):
    assert len(open_table(str(crops))) == len(open_table(f"folder:{crops}")) == 60
    one = open_table(str(crops / "003" / "2.png"))
    assert one.manifest.paths == ("2.png",)
    assert one.read(0) == (crops / "003" / "2.png").read_bytes()
    other = tmp_path / "notes.doc"
    other.write_text("-")
    for spec, kind, facts in (
        (str(other), DataError, [str(other), "neither", "csv:"]),
        (f"tar:{crops}", DataError, [".tar", str(crops), "000"]),
        (f"tar:{crops}?key=1", ConfigError, ["tar", "key"]),
        (f"parcel:{crops}", ConfigError, ["parcel"]),
        ("no/where", ConfigError, ["no/where"]),
        ("~nobody-of-this-name/crops", ConfigError, ["~nobody-of-this-name"]),
    ):
        with pytest.raises(kind) as caught:
            open_table(spec)
        assert not lacking(str(caught.value), *facts), caught.value
