"""Ground truth of trackers becomes images that are cut out of frames."""

from pathlib import Path

import numpy as np
import pytest
from facts import lacking
from hypothesis import given, settings
from hypothesis import strategies as st
from marked_frames import colour_of, write_sequence

from promptreid.data.annotations.mot_boxes import visible_fractions
from promptreid.data.images.decode import read_image
from promptreid.data.load_data import load_data
from promptreid.errors import ConfigError, DataError

WALK = [{"1": (4 + n, 2, 14 + n, 42), "2": (60, 10 + n, 75, 60)} for n in range(8)]
ALL = "visibility=0&every=1&min_height=0"


def test_boxes_are_cut_out_of_their_frames(tmp_path: Path) -> None:
    write_sequence(tmp_path / "MOT17-02", WALK)
    data = load_data(f"mot:{tmp_path}?{ALL}")
    m = data.manifest
    assert len(m) == 16
    assert set(m.identities) == {"MOT17-02_1", "MOT17-02_2"}
    assert set(m.cameras) == {None}
    assert m.sample(2).path == "MOT17-02/img1/000002.jpg"
    assert m.sample(2).box == (5, 2, 10, 40)
    assert m.sample(2).attributes == {
        "label": "1", "sequence": "MOT17-02", "frame": "2", "visibility": "0.9", "track": "1",
    }  # fmt: skip
    for row in range(len(m)):
        pixels = read_image(m.image(row)).reshape(3, -1)
        assert pixels.unique(dim=1).T.tolist() == [list(colour_of(m.identities[row]))]
    assert any("every identity" in note.lower() or "Each identity" in note for note in data.notes)


def test_frames_height_visibility_and_margin(tmp_path: Path) -> None:
    more = [boxes | {"3": (30, 10, 45, 60 - n)} for n, boxes in enumerate(WALK)]
    write_sequence(tmp_path / "A", more)
    data = load_data(f"mot:{tmp_path}?every=3&min_height=45&margin=0.2&train=0")
    assert data.manifest.attributes["frame"] == ("1", "1", "4", "4")
    assert data.manifest.boxes[0] == (57, 0, 21, 70)
    assert any(not lacking(note, "4 of 9", "5 lower than 45") for note in data.notes)


def test_few_visible_boxes_are_left_out(tmp_path: Path) -> None:
    write_sequence(tmp_path / "A", WALK, visibility=0.25)
    with pytest.raises(DataError, match=r"None of the 16 boxes.*less visible than 0\.3"):
        load_data(f"mot:{tmp_path}?every=1&min_height=0")
    assert len(load_data(f"mot:{tmp_path}?{ALL}").manifest) == 16


def test_visibility_is_judged_by_overlap_where_it_is_not_stated(tmp_path: Path) -> None:
    hidden = [{"1": (10, 5, 30, 45), "2": (12, 5, 40, 55), "3": (70, 5, 80, 45)}]
    for name, visibility in (("A", 1), ("B", None)):
        write_sequence(tmp_path / name, hidden, visibility=visibility)
    m = load_data(f"mot:{tmp_path}?every=1&min_height=0").manifest
    assert m.identities == ("A_2", "A_3", "B_2", "B_3")
    m = load_data(f"mot:{tmp_path}?{ALL}").manifest
    assert m.attributes["visibility"] == ("0.1", "1", "1") * 2


@pytest.mark.slow
@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(*[st.integers(0, 20)] * 2, *[st.integers(1, 20)] * 2), max_size=6))
def test_visible_fractions_count_pixels(boxes: list[tuple[int, int, int, int]]) -> None:
    edges = np.array([(x, y, x + w, y + h) for x, y, w, h in boxes], float).reshape(-1, 4)
    expected = []
    for left, top, right, bottom in edges.astype(int):
        most = 0
        for other in edges.astype(int):
            if other[3] > bottom:
                canvas = np.zeros((50, 50), int)
                canvas[other[1] : other[3], other[0] : other[2]] = 1
                most = max(most, canvas[top:bottom, left:right].sum())
        expected.append(1 - most / ((right - left) * (bottom - top)))
    np.testing.assert_allclose(visible_fractions(edges), expected)


def test_one_of_three_copies_is_read(tmp_path: Path) -> None:
    for detector in ("DPM", "FRCNN", "SDP"):
        write_sequence(tmp_path / f"train/MOT17-02-{detector}", WALK)
    (tmp_path / "test/MOT17-01-DPM/img1").mkdir(parents=True)
    data = load_data(f"mot:{tmp_path}?{ALL}")
    assert set(data.manifest.identities) == {"MOT17-02_1", "MOT17-02_2"}
    assert data.manifest.paths[0] == "train/MOT17-02-DPM/img1/000001.jpg"
    assert any(not lacking(note, "once for each detector", "MOT17-02-DPM") for note in data.notes)


def test_sequences_of_val_are_tested(tmp_path: Path) -> None:
    for part in ("train", "val"):
        write_sequence(tmp_path / part / f"dancetrack-{part}", WALK, first=3)
    data = load_data(f"mot:{tmp_path}?{ALL}")
    assert data.manifest.counts() == {
        "train": {"images": 16, "identities": 2},
        "test": {"images": 16, "identities": 2},
    }
    assert not data.drawn
    only = load_data(f"mot:{tmp_path}?{ALL}&sequences=dancetrack-val").manifest
    assert set(only.attributes["sequence"]) == {"dancetrack-val"}
    assert load_data(f"mot:{tmp_path / 'val'}?{ALL}").manifest.name == f"{tmp_path.name}-val"


def test_halves(tmp_path: Path) -> None:
    write_sequence(tmp_path / "A", WALK)
    first = load_data(f"mot:{tmp_path}?{ALL}&half=first").manifest
    second = load_data(f"mot:{tmp_path}?{ALL}&half=second").manifest
    assert set(first.attributes["frame"]) == set("12345")
    assert set(second.attributes["frame"]) == set("678")
    with pytest.raises(DataError, match="identities=closed"):
        load_data(f"mot:{tmp_path}?{ALL}&half=split")
    data = load_data(f"mot:{tmp_path}?{ALL}&half=split&identities=closed")
    assert data.manifest.counts()["train"] == {"images": 10, "identities": 2}
    assert data.protocol is not None
    assert len(data.protocol.repeats[0].query) == 6


def test_classes_and_what_does_not_count(tmp_path: Path) -> None:
    write_sequence(tmp_path / "A", WALK)
    file = tmp_path / "A/gt/gt.txt"
    lines = file.read_text().splitlines()
    lines[2] = f"000{lines[2]}"  # a frame is a number, however it is written
    lines[0] = lines[0].replace(",1,1,", ",0,1,")  # ignored
    lines[1] = lines[1].replace(",1,1,", ",1,7,")  # another class
    file.write_text("\n".join(lines))
    assert len(load_data(f"mot:{tmp_path}?{ALL}").manifest) == 14
    assert len(load_data(f"mot:{tmp_path}?{ALL}&classes=1,7").manifest) == 15
    with pytest.raises(DataError, match="'9'"):
        load_data(f"mot:{tmp_path}?{ALL}&classes=9")


def test_what_cvat_exports_as_mot(tmp_path: Path) -> None:
    write_sequence(tmp_path / "job", WALK, columns="1,2", visibility=1.0, info=False)
    (tmp_path / "job/gt/labels.txt").write_text("car\nperson\n")
    m = load_data(f"mot:{tmp_path / 'job'}?{ALL}").manifest
    assert set(m.attributes["label"]) == {"person"}
    assert (m.paths[0], m.boxes[0]) == ("img1/000001.jpg", (5, 3, 10, 40))  # from 0, as written
    assert len(load_data(f"mot:{tmp_path / 'job'}?{ALL}&classes=Person").manifest) == 16


def test_a_place_in_the_world_is_no_class(tmp_path: Path) -> None:
    """MOT15 has ten cells a line: sequences of a calibrated camera end in metres."""
    write_sequence(tmp_path / "PETS09-S2L1", WALK, columns="1,12.5,-3.1,0", visibility=None)
    m = load_data(f"mot:{tmp_path}?{ALL}").manifest
    assert len(m) == 16
    assert set(m.attributes["label"]) == {"1"}


@pytest.mark.parametrize("line", ["1,2,3", "a,1,1,1,1,1", "1.5,1,1,1,1,1", "1,1,nan,1,1,1", "{}"])
def test_a_damaged_line_is_named(tmp_path: Path, line: str) -> None:
    write_sequence(tmp_path / "A", WALK)
    file = tmp_path / "A/gt/gt.txt"
    file.write_text(f"1,1,1,1,5,5,1,1,1\n\n{line}\n")
    with pytest.raises(DataError) as caught:
        load_data(f"mot:{tmp_path}?{ALL}")
    assert not lacking(str(caught.value), str(file), "line 3", line)


def test_what_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"gt\.txt"):
        load_data(f"mot:{tmp_path}")
    with pytest.raises(DataError, match="not a folder"):
        load_data(f"mot:{tmp_path / 'none'}")
    write_sequence(tmp_path / "A", WALK)
    with pytest.raises(DataError, match=r"'B'.*A"):
        load_data(f"mot:{tmp_path}?sequences=B")
    with pytest.raises(ConfigError, match="visibility"):
        load_data(f"mot:{tmp_path}?visibility=2")
    (tmp_path / "A/img1/000003.jpg").unlink()
    with pytest.raises(DataError, match="missing=skip"):
        load_data(f"mot:{tmp_path}?{ALL}")
    assert len(load_data(f"mot:{tmp_path}?{ALL}&missing=skip").manifest) == 14
    for frame in (tmp_path / "A/img1").iterdir():
        frame.unlink()
    with pytest.raises(DataError, match="no frames"):
        load_data(f"mot:{tmp_path}")


def test_boxes_beyond_and_outside_the_picture(tmp_path: Path) -> None:
    write_sequence(tmp_path / "A", [{"1": (-5, 2, 10, 50), "2": (90, 2, 120, 50)}] * 2)
    with (tmp_path / "A/gt/gt.txt").open("a") as stream:
        stream.write("2,3,200,5,10,50,1,1,0.9\n2,4,5,5,0,50,1,1,0.9\n2,5,-50,5,20,50,1,1,0.9\n")
    data = load_data(f"mot:{tmp_path}?{ALL}")
    assert len(data.manifest) == 4
    assert any("3 without a pixel" in note for note in data.notes)
    assert read_image(data.manifest.image(0)).shape == (3, 48, 10)
    assert read_image(data.manifest.image(1)).shape == (3, 48, 6)


def test_the_same_pixels_of_two_identities_are_left_out(tmp_path: Path) -> None:
    write_sequence(tmp_path / "A", WALK)
    with (tmp_path / "A/gt/gt.txt").open("a") as stream:
        stream.write("1,2,61.2,11.1,15,50,1,1,0.9\n2,9,6,3,10,40,1,1,0.9\n")
    data = load_data(f"mot:{tmp_path}?{ALL}")
    assert len(data.manifest) == 15
    assert any(not lacking(note, "2 boxes", "line 3 and", "line 18") for note in data.notes)
    assert any("1 boxes mark" in note for note in data.notes)
