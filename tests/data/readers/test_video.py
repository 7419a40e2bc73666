"""Videos: frames are written once, boxes are cut out of them, and wrong input is named."""

from pathlib import Path

import pytest
from PIL import Image

from promptreid.data.images.decode import read_image
from promptreid.data.load_data import load_data
from promptreid.data.videos.kept_frames import FrameFolder
from promptreid.errors import ConfigError, DataError

av = pytest.importorskip("av", reason="av is not installed: promptreid[video]")
from small_videos import SIZE, state_rotation, write_video  # noqa: E402 - needs av

RED, GREEN, BLUE, GREY = (200, 30, 30), (30, 180, 30), (30, 30, 200), (128, 128, 128)


@pytest.fixture(scope="module")
def clips(tmp_path_factory) -> Path:
    """Three people, seen by two cameras; one video has another length."""
    root = tmp_path_factory.mktemp("clips")
    for who, colour in (("anna", RED), ("ben", GREEN), ("cleo", BLUE)):
        write_video(root / who / "front.mp4", [colour] * 11)
        write_video(root / who / "back.mov", [colour] * 6)
    write_video(root / "loose.mp4", [GREY])
    return root


def colour(data, row: int) -> tuple[int, ...]:
    image = read_image(data.manifest.image(row))
    return tuple(int(x) for x in image.float().mean(dim=(1, 2)).round())


def near(found: tuple[int, ...], wanted: tuple[int, int, int]) -> bool:
    return all(abs(a - b) <= 12 for a, b in zip(found, wanted, strict=True))


def test_every_fifth_frame_of_the_videos_of_each_identity(clips: Path, tmp_path: Path) -> None:
    data = load_data(f"video:{clips}?cache={tmp_path / 'frames'}")
    paths = sorted(data.manifest.paths)
    assert [path for path in paths if path.startswith("anna/")] == [
        *(f"anna/back.mov/{number:06d}.jpg" for number in (0, 5)),
        *(f"anna/front.mp4/{number:06d}.jpg" for number in (0, 5, 10)),
    ]
    assert len(data.manifest) == 15
    assert set(data.manifest.cameras) == {"front", "back"}
    for row, identity in enumerate(data.manifest.identities):
        assert near(colour(data, row), {"anna": RED, "ben": GREEN, "cleo": BLUE}[identity])
    notes = " ".join(data.notes)
    assert "loose.mp4" in notes
    assert "15 of them were written now" in notes
    assert data.own


def test_frames_are_decoded_once_and_again_where_a_video_changed(tmp_path: Path) -> None:
    root = tmp_path / "clips"
    video = write_video(root / "anna" / "front.mp4", [RED] * 11)
    frames = FrameFolder(root, tmp_path / "frames")
    assert frames.keep("anna/front.mp4", range(0, 1000, 5)) == [0, 5, 10]
    assert frames.written == 3
    assert frames.keep("anna/front.mp4", range(0, 1000, 5)) == [0, 5, 10]
    assert frames.keep("anna/front.mp4", frozenset({5, 10, 99})) == [5, 10]
    assert frames.written == 3
    assert frames.keep("anna/front.mp4", frozenset({4, 5})) == [4, 5]
    assert frames.written == 4
    write_video(video, [BLUE] * 12)
    assert frames.keep("anna/front.mp4", frozenset({5})) == [5]
    assert frames.written == 5
    assert near(mean(frames.path / "anna/front.mp4/000005.jpg"), BLUE)
    (frames.path / "anna/front.mp4/000005.jpg").unlink()
    frames.keep("anna/front.mp4", frozenset({5}))
    assert frames.written == 6


def test_two_processes_write_the_same_frames_at_a_time(tmp_path: Path, monkeypatch) -> None:
    root = tmp_path / "clips"
    write_video(root / "anna" / "front.mp4", [RED] * 6)
    save, waiting = Image.Image.save, [FrameFolder(root, tmp_path / "frames")]

    def save_while_the_other_does(image: Image.Image, *words, **options) -> None:
        save(image, *words, **options)
        while waiting:
            waiting.pop().keep("anna/front.mp4", range(0, 1000, 5))

    monkeypatch.setattr(Image.Image, "save", save_while_the_other_does)
    frames = FrameFolder(root, tmp_path / "frames")
    assert frames.keep("anna/front.mp4", range(0, 1000, 5)) == [0, 5]
    assert near(mean(frames.path / "anna/front.mp4/000000.jpg"), RED)
    names = {file.name for file in (frames.path / "anna/front.mp4").iterdir()}
    assert names == {"000000.jpg", "000005.jpg", "frames.json"}


def mean(file: Path) -> tuple[int, ...]:
    return tuple(int(x) for x in read_image(file).float().mean(dim=(1, 2)).round())


def test_a_rotation_that_the_file_states_is_applied(tmp_path: Path) -> None:
    video = write_video(tmp_path / "anna" / "phone.mp4", [GREY] * 2, corner=RED)
    state_rotation(video)
    frames = FrameFolder(tmp_path, tmp_path / "frames")
    frames.keep("anna/phone.mp4", frozenset({1}))
    image = read_image(frames.path / "anna/phone.mp4/000001.jpg")
    assert image.shape == (3, SIZE[0], SIZE[1])
    corner = image[:, :14, -14:].float().mean(dim=(1, 2))  # upper left goes to the upper right
    assert near(tuple(int(x) for x in corner), RED)


def test_one_video_an_identity_says_nothing_of_cameras(tmp_path: Path) -> None:
    for who, shown in (("anna", RED), ("ben", GREEN)):
        write_video(tmp_path / "clips" / who / f"{who}.mp4", [shown] * 11)
    write_video(tmp_path / "clips" / "unknown" / "x.mp4", [GREY] * 2)
    data = load_data(f"video:{tmp_path / 'clips'}?cache={tmp_path / 'frames'}&train=0")
    assert set(data.manifest.cameras) == {None}
    assert set(data.manifest.identities) == {"anna", "ben"}
    assert "Each identity is of one video" in " ".join(data.notes)


TABLE = """video,frame,identity,left,top,width,height,label
front,0,anna,0,0,16,16,person
front,1,anna,0,0,16,16,person
front,2,anna,0,0,16,16,person
front,4,ben,20,20,20,20,dog
day2/back.mp4,3,anna,0,0,16,16,person
day2/back.mp4,3,ben,20,20,20,20,person
"""


@pytest.fixture(scope="module")
def filmed(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("filmed")
    write_video(root / "front.mp4", [GREY] * 6, corner=RED)
    write_video(root / "day2" / "back.mp4", [GREEN] * 6, corner=RED)
    return root


def read_table(filmed: Path, tmp_path: Path, table: str, options: str = ""):
    (tmp_path / "boxes.csv").write_text(table)
    cache = tmp_path / "frames"
    return load_data(f"video:{filmed}?boxes={tmp_path / 'boxes.csv'}&cache={cache}{options}")


def test_boxes_of_a_table_are_cut_out_of_every_second_frame(filmed: Path, tmp_path: Path) -> None:
    data = read_table(filmed, tmp_path, TABLE, "&every=2&train=0")
    by_path = {
        (path, who): row
        for row, (path, who) in enumerate(
            zip(data.manifest.paths, data.manifest.identities, strict=True)
        )
    }
    assert set(by_path) == {
        ("front.mp4/000000.jpg", "anna"),
        ("front.mp4/000002.jpg", "anna"),
        ("front.mp4/000004.jpg", "ben"),
        ("day2/back.mp4/000003.jpg", "anna"),
        ("day2/back.mp4/000003.jpg", "ben"),
    }
    assert near(colour(data, by_path["front.mp4/000002.jpg", "anna"]), RED)
    assert near(colour(data, by_path["front.mp4/000004.jpg", "ben"]), GREY)
    assert near(colour(data, by_path["day2/back.mp4/000003.jpg", "ben"]), GREEN)
    assert set(data.manifest.cameras) == {"front", "back"}
    assert not (tmp_path / "frames/front.mp4/000001.jpg").exists()


def test_tracks_are_of_one_video_and_labels_are_chosen(filmed: Path, tmp_path: Path) -> None:
    table = TABLE.replace("identity", "track").replace("anna", "1").replace("ben", "2")
    table = table.replace("dog", "person")
    data = read_table(filmed, tmp_path, table, "&every=1&classes=person&first=0&train=0")
    assert set(data.manifest.identities) == {
        f"{video}_{track}" for video in ("front.mp4", "day2/back.mp4") for track in (1, 2)
    }
    assert set(data.manifest.cameras) == {None}


@pytest.mark.parametrize(
    ("old", "new", "options", "words"),
    [
        ("front,4", "side,4", "", "line 5.*side"),
        ("front,4", "front,four", "", "line 5.*four.*counted from 0"),
        ("front,4", "front,0", "&first=1", "line 2.*counted from 1"),
        ("front,4", "front,40", "&every=1", "line 5.*behind the end.*front.mp4.*missing=skip"),
        ("20,20,20,20,dog", ",,,,dog", "", "line 5.*no box"),
        ("20,20,20,20,dog", "20,20,0,20,dog", "", r"line 5.*empty[^;]*\.$"),
        ("left,top", "links,oben", "", "no columns hold boxes"),
        ("identity", "name", "", "columns video, frame, identity"),
        ("video,frame", "film,frame", "", "columns video, frame, identity"),
    ],
)
def test_wrong_tables_are_named(filmed, tmp_path, old, new, options, words) -> None:
    with pytest.raises(DataError, match=words):
        read_table(filmed, tmp_path, TABLE.replace(old, new), options)


def test_boxes_behind_the_end_are_left_out_where_wanted(filmed: Path, tmp_path: Path) -> None:
    table = TABLE.replace("front,4", "front,40")
    data = read_table(filmed, tmp_path, table, "&every=1&missing=skip&train=0")
    assert len(data.manifest) == 5
    assert "1 box is on frames behind the end" in " ".join(data.notes)


def test_what_is_no_video_is_said(clips: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="is not a folder"):
        load_data(f"video:{tmp_path / 'nowhere'}")
    write_video(tmp_path / "loose" / "a.mp4", [RED])
    with pytest.raises(DataError, match=r"1 video directly in it.*boxes=FILE"):
        load_data(f"video:{tmp_path / 'loose'}")
    with pytest.raises(DataError, match=r"video:.*clips"):
        load_data(f"folder:{clips}")
    for role in ("train", "test"):
        write_video(tmp_path / "roles" / role / "a.mp4", [RED])
    with pytest.raises(DataError, match="roles"):
        load_data(f"video:{tmp_path / 'roles'}?cache={tmp_path / 'frames'}")
    (tmp_path / "broken" / "anna").mkdir(parents=True)
    (tmp_path / "broken" / "anna" / "a.mp4").write_bytes(b"no video at all")
    with pytest.raises(DataError, match=r"a\.mp4 cannot be decoded.*ffmpeg"):
        load_data(f"video:{tmp_path / 'broken'}?cache={tmp_path / 'frames'}")
    with pytest.raises(ConfigError, match=r"margin.*boxes=FILE"):
        load_data(f"video:{tmp_path / 'loose'}?margin=0.1")


def test_without_pyav_the_extra_is_named(tmp_path: Path, monkeypatch) -> None:
    (tmp_path / "anna").mkdir()
    (tmp_path / "anna" / "a.mp4").write_bytes(b"")
    monkeypatch.setitem(__import__("sys").modules, "av", None)
    with pytest.raises(DataError, match=r"promptreid\[video\].*ffmpeg"):
        load_data(f"video:{tmp_path}?cache={tmp_path / 'frames'}")
