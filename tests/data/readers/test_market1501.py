from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from facts import lacking

from promptreid.data.inspection.inspect import inspect_data
from promptreid.data.load_data import load_data
from promptreid.errors import ConfigError, DataError

NAMES = (
    "bounding_box_train/0007_c3s3_077419_03.jpg",
    "bounding_box_train/0002_c1s1_000451_03.jpg",
    "bounding_box_train/0002_c6s1_000551_01.jpg",
    "bounding_box_train/-1_c1s1_000001_01.jpg",
    "query/0001_c1s1_001051_00.jpg",
    "query/0001_c2s1_000301_00.jpg",
    "bounding_box_test/-1_c1s1_000401_03.jpg",
    "bounding_box_test/0000_c4s6_000810_01.jpg",
    "bounding_box_test/0001_c1s1_002401_02.jpg",
    "bounding_box_test/0001_c3s1_008801_01.JPG",
    "bounding_box_test/1501_c6s4_001877_07.jpg",
)

BOXES = "2 boxes that show nobody (-1) are left out; 1 of identity 0000 is a distractor."


@pytest.fixture
def root(tmp_path: Path, make_images) -> Path:
    # A camera-like parent folder must not be taken for a file's identity.
    root = tmp_path / "x9_c9" / "Market-1501-v15.09.15"
    make_images(root, NAMES)
    (root / "query" / "Thumbs.db").touch()
    (root / "bounding_box_test" / "._0001_c1s1_002401_02.jpg").touch()
    (root / "readme.txt").touch()
    return root


def test_published_layout(root: Path) -> None:
    data = load_data(f"market1501:{root}")
    m = data.manifest
    assert m.name == "market1501"
    assert m.paths == (
        "bounding_box_train/0002_c1s1_000451_03.jpg",
        "bounding_box_train/0002_c6s1_000551_01.jpg",
        "bounding_box_train/0007_c3s3_077419_03.jpg",
        "query/0001_c1s1_001051_00.jpg",
        "query/0001_c2s1_000301_00.jpg",
        "bounding_box_test/0000_c4s6_000810_01.jpg",
        "bounding_box_test/0001_c1s1_002401_02.jpg",
        "bounding_box_test/0001_c3s1_008801_01.JPG",
        "bounding_box_test/1501_c6s4_001877_07.jpg",
    )
    assert m.identities == ("2", "2", "7", "1", "1", "0", "1", "1", "1501")
    assert m.cameras == ("1", "6", "3", "1", "2", "4", "1", "3", "6")
    assert Counter(m.splits) == {"train": 3, "query": 2, "gallery": 4}
    assert set(m.views) == {None}
    assert data.notes == (BOXES,)
    assert data.lost == ()


def test_protocol(root: Path) -> None:
    protocol = load_data(f"market1501:{root}").protocol
    assert protocol is not None
    assert (protocol.name, protocol.same_camera, protocol.ap) == ("market1501", "exclude", "step")
    (repeat,) = protocol.repeats
    assert repeat.query.tolist() == [3, 4]
    assert repeat.gallery.tolist() == [5, 6, 7, 8]
    kept = load_data(f"market1501:{root}?same_camera=keep").protocol
    assert kept is not None
    assert kept.same_camera == "keep"


@pytest.mark.parametrize("where", ["..", "query", "../.."])
def test_root_may_be_near(root: Path, where: str) -> None:
    near = (root / where).resolve()
    if where == "../..":
        with pytest.raises(DataError, match=r"holds x9_c9/"):
            load_data(f"market1501:{near}")
        return
    data = load_data(f"market1501:{near}")
    assert data.manifest.fingerprint() == load_data(f"market1501:{root}").manifest.fingerprint()
    assert data.notes == (f"Read from {root}.", BOXES)


def test_wrong_root_lists_what_was_wanted_and_what_is_there(root: Path) -> None:
    (root / "query").rename(root / "queries")
    with pytest.raises(DataError) as caught:
        load_data(f"market1501:{root}")
    wanted = "bounding_box_train, query, bounding_box_test"
    present = "bounding_box_test/, bounding_box_train/, queries/, readme.txt"
    assert not lacking(str(caught.value), str(root), wanted, present)


def test_two_candidates_below(root: Path, make_images) -> None:
    make_images(root.parent / "copy", NAMES)
    root.rename(root.parent / "other")
    with pytest.raises(DataError, match=r"several such data sets \(copy, other\)"):
        load_data(f"market1501:{root.parent}")


@pytest.mark.parametrize("name", ["holiday.jpg", "0001_cAs1_1_1.jpg", "x0001_c1s1_1_1.jpg"])
def test_foreign_names_stop(root: Path, name: str) -> None:
    (root / "query" / name).touch()
    with pytest.raises(DataError, match=f"{name} does not start with identity and camera"):
        load_data(f"market1501:{root}")


def test_cameras_and_identities_may_count_from_zero(tmp_path: Path, make_images) -> None:
    folders = {"bounding_box_train": "01", "query": "23", "bounding_box_test": "23"}
    make_images(
        tmp_path,
        [
            f"{folder}/{who:0>4}_c{camera}s1_{camera:06d}_00.jpg"
            for folder, people in folders.items()
            for who in people
            for camera in range(3)
        ],
    )
    data = load_data(f"market1501:{tmp_path}")
    assert set(data.manifest.cameras) == {"0", "1", "2"}
    assert data.manifest.identity_list("train") == ["0", "1"]
    assert data.background == frozenset()  # nobody is meant by 0 who is learned
    found = inspect_data(data, check_images=False)
    assert found.protocol is not None
    assert (found.protocol.absent, found.protocol.same_camera_only) == (0, 0)


def test_cameras_with_and_without_zeros_in_front_are_one(tmp_path: Path, make_images) -> None:
    make_images(
        tmp_path,
        [
            "bounding_box_train/0001_c1_1.jpg",
            "query/0002_c001_2.jpg",
            "bounding_box_test/0002_c1_3.jpg",
        ],
    )
    assert load_data(f"market1501:{tmp_path}").manifest.cameras == ("1", "1", "1")


def test_empty_split_is_said(root: Path) -> None:
    for file in (root / "query").iterdir():
        file.unlink()
    data = load_data(f"market1501:{root}")
    assert data.protocol is None
    assert data.notes == (BOXES, "Split 'query' has no image.")
    for folder in ("bounding_box_train", "bounding_box_test"):
        for file in (root / folder).iterdir():
            file.unlink()
    with pytest.raises(DataError, match=r"but no image in them"):
        load_data(f"market1501:{root}")


def test_identity_shared_by_train_and_test_stops(root: Path, make_images) -> None:
    make_images(root, ["query/0007_c1s1_000001_00.jpg"])
    with pytest.raises(DataError, match=r"both train and query, for example '7'"):
        load_data(f"market1501:{root}")


def test_options_are_checked(root: Path) -> None:
    with pytest.raises(ConfigError, match=r"same_camera=drop .* 'exclude' or 'keep'"):
        load_data(f"market1501:{root}?same_camera=drop")


def test_inspection(root: Path) -> None:
    found = inspect_data(load_data(f"market1501:{root}"))
    assert found.ok
    assert found.protocol is not None
    assert (found.protocol.absent, found.protocol.same_camera_only) == (0, 0)


@pytest.mark.parametrize("name", ["market1501", "dukemtmc", "occluded_duke"])
def test_boxes_that_are_nobody_are_counted(root: Path, make_images, name: str) -> None:
    make_images(root, [f"bounding_box_test/-1_c1s1_9{n}_00.jpg" for n in range(3)])
    make_images(root, [f"bounding_box_test/0000_c2s1_9{n}_00.jpg" for n in range(2)])
    notes = load_data(f"{name}:{root}").notes
    assert (
        "5 boxes that show nobody (-1) are left out; 3 of identity 0000 are distractors." in notes
    )
    for file in root.glob("*/0000_*"):
        file.unlink()
    notes = load_data(f"{name}:{root}").notes
    assert "5 boxes that show nobody (-1) are left out." in notes


def test_what_else_lies_in_the_folders_is_said(root: Path) -> None:
    (root / "query/notes.txt").touch()
    (root / "query/0001_c3s1_000000_00.jpg").symlink_to("/mnt/gone/1.jpg")
    data = load_data(f"market1501:{root}")
    assert "1 file is no image by its name: .txt." in data.notes
    assert data.lost[0].startswith("1 image is a link to nothing, for example query/0001_c3s1")
    assert not inspect_data(data).ok


LISTED = {
    "train": ["bounding_box_train/0002_c1s1_000451_03.jpg", "bounding_box_train/-1_c1s1_01_1.jpg"],
    "test": ["query/0001_c1s1_001051_00.jpg", "bounding_box_test/0001_c2s1_000001_00.jpg"],
}


def write_lists(root: Path, make_images) -> None:
    """Write what Datumaro exports where no image is in training: lists, and the images named."""
    root.mkdir(exist_ok=True)
    for subset, names in LISTED.items():
        make_images(root, names)
        (root / f"images_{subset}.txt").write_text("".join(f"{name}\n" for name in names) + "\n")


def test_lists_are_read_where_folders_are_missing(tmp_path: Path, make_images) -> None:
    write_lists(tmp_path / "m", make_images)
    whole = load_data(f"market1501:{tmp_path / 'm'}")  # the folders say it all
    (tmp_path / "m/bounding_box_test").rename(tmp_path / "m/all")
    file = tmp_path / "m/images_test.txt"
    file.write_text(file.read_text().replace("bounding_box_test/", "all\\"))
    data = load_data(f"market1501:{tmp_path / 'm'}")
    assert data.manifest.identities == ("2", "1", "1")
    assert data.manifest.splits == whole.manifest.splits == ("train", "query", "gallery")
    assert data.protocol == whole.protocol
    assert any(not lacking(note, "images_train.txt", "images_test.txt") for note in data.notes)
    assert any("1 box of nobody" in note for note in data.notes)


def test_lists_that_cannot_be_read(tmp_path: Path, make_images) -> None:
    (tmp_path / "images_train.txt").write_text("bounding_box_train/0002_c1s1_1_0.jpg\n\nx/a.jpg\n")
    with pytest.raises(DataError) as caught:
        load_data(f"market1501:{tmp_path}")
    assert not lacking(
        str(caught.value), "images_train.txt, line 3", "a.jpg", "identity and camera"
    )
    (tmp_path / "images_train.txt").write_text("x/0002_c1s1_1_0.jpg\n")
    with pytest.raises(DataError, match=r"1 of 1 images listed in images_train\.txt"):
        load_data(f"market1501:{tmp_path}")
    (tmp_path / "images_train.txt").rename(tmp_path / "images_default.txt")
    with pytest.raises(DataError, match="'default'"):
        load_data(f"market1501:{tmp_path}")


def test_subsets_that_are_no_roles_are_the_gallery_or_what_they_are_given(
    tmp_path: Path, make_images
) -> None:
    """CVAT calls the subset of a task without one default."""
    names = {
        "bounding_box_default": ["0001_c2s1_000001_00.jpg", "-1_c1s1_01_1.jpg"],
        "bounding_box_Train": ["0002_c1s1_000451_03.jpg", "0002_c2s1_000451_03.jpg"],
        "query": ["0001_c1s1_001051_00.jpg"],
    }
    make_images(tmp_path, [f"{folder}/{name}" for folder, some in names.items() for name in some])
    data = load_data(f"market1501:{tmp_path}")
    assert data.manifest.splits == ("train", "train", "query", "gallery")
    assert data.manifest.cameras == ("1", "2", "1", "2")
    assert any(
        not lacking(note, "default", "gallery", "subsets=default:train") for note in data.notes
    )
    for folder, some in names.items():  # without images, as lists that name them elsewhere
        subset = folder.removeprefix("bounding_box_")
        (tmp_path / f"images_{subset}.txt").write_text("\n".join(f"{folder}/{n}" for n in some))
    assert load_data(f"market1501:{tmp_path}").manifest.splits == data.manifest.splits
    given = load_data(f"market1501:{tmp_path}?subsets=Train:gallery").manifest
    assert sorted(given.splits) == ["gallery", "gallery", "gallery", "query"]
    for words, option in (
        (r"subset.*'site'", "site:train"),
        ("role.*'all'", "default:all"),
        ("default:gallery", "default"),
    ):
        with pytest.raises(ConfigError, match=words):
            load_data(f"market1501:{tmp_path}?subsets={option}")


def test_subsets_beside_the_three_folders_are_read_where_asked(root: Path, make_images) -> None:
    whole = load_data(f"market1501:{root}").manifest
    make_images(root, ["bounding_box_site2/0777_c1s1_000001_00.jpg"])
    data = load_data(f"market1501:{root}")
    assert len(data.manifest) == len(whole)
    assert any(
        not lacking(note, "bounding_box_site2", "subsets=site2:train") for note in data.notes
    )
    m = load_data(f"market1501:{root}?subsets=site2:train").manifest
    assert len(m) == len(whole) + 1
    assert m.splits[m.identities.index("777")] == "train"
