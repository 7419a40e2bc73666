"""XML files of CVAT become images that are cut out of pictures; hostile ones are refused."""

from collections import Counter
from pathlib import Path

import pytest
from facts import lacking
from marked_frames import SIZE, colour_of, draw_frame

from promptreid.data.images.decode import read_image
from promptreid.data.load_data import load_data
from promptreid.errors import DataError

BOXES = {"0": (4, 2, 14, 42), "1": (60, 10, 75, 60)}
META = (
    "<version>1.1</version><meta><task><name>gate 6</name><original_size>"
    f"<width>{SIZE[0]}</width><height>{SIZE[1]}</height></original_size></task></meta>"
)


def box(edges: tuple[int, int, int, int], inside: str = "", **values: object) -> str:
    cells = dict(zip(("xtl", "ytl", "xbr", "ybr"), edges, strict=True)) | values
    words = " ".join(f'{key}="{value}"' for key, value in cells.items())
    return f"<box {words}>\n{inside}</box>"


def mark(**values: str) -> str:
    return "".join(f'<attribute name="{key}">{text}</attribute>' for key, text in values.items())


def write_video(root: Path, *, frames: int = 4, inside: str = "", extra: str = "") -> Path:
    """Write two tracks; the last box of each is outside."""
    tracks = []
    for track, edges in BOXES.items():
        boxes = [box(edges, inside, frame=n, outside=int(n == frames)) for n in range(frames + 1)]
        tracks.append(f'<track id="{track}" label="person">\n' + "\n".join(boxes) + "\n</track>")
    for frame in range(frames):
        draw_frame(root / f"images/frame_{frame:06d}.PNG", BOXES)
    file = root / "annotations.xml"
    text = "\n".join((*tracks, extra))
    file.write_text(f'<?xml version="1.0"?>\n<annotations>\n{META}\n{text}\n</annotations>\n')
    return file


def write_images(root: Path, name: str = "{track}") -> Path:
    images = []
    for number in range(3):
        draw_frame(root / f"day/{number}.png", BOXES)
        boxes = [
            box(edges, mark(who=name.format(track=f"cat {track}"), camera=str(number)), label="cat")
            for track, edges in BOXES.items()
        ]
        size = f'width="{SIZE[0]}" height="{SIZE[1]}"'
        images.append(
            f'<image id="{number}" name="day/{number}.png" {size}>{"".join(boxes)}</image>'
        )
    file = root / "cats.xml"
    file.write_text("<annotations>" + "\n".join(images) + "</annotations>")
    return file


def test_tracks_are_identities(tmp_path: Path) -> None:
    data = load_data(f"cvat:{write_video(tmp_path)}")
    m = data.manifest
    assert len(m) == 8
    assert set(m.identities) == {"0", "1"}
    assert m.sample(1).path == "frame_000001.PNG"
    assert m.sample(1).attributes == {
        "label": "person", "sequence": "gate 6", "frame": "1", "track": "0",
    }  # fmt: skip
    for row in range(len(m)):
        pixels = read_image(m.image(row)).reshape(3, -1)
        assert pixels.unique(dim=1).T.tolist() == [list(colour_of(m.identities[row]))]
    assert len(load_data(f"cvat:{tmp_path / 'annotations.xml'}?every=2").manifest) == 4


def test_an_attribute_wins_over_tracks(tmp_path: Path) -> None:
    extra = '<track id="5" label="person">' + box(
        (1, 1, 9, 40), mark(identity="bob", who="y"), frame=0
    )
    extra += box((1, 1, 9, 40), mark(identity=""), frame=1) + "</track>"
    file = write_video(
        tmp_path, inside=mark(identity="anna", view="front", mood="a", who="x"), extra=extra
    )
    data = load_data(f"cvat:{file}")
    assert sorted(data.manifest.identities) == ["anna"] * 8 + ["bob"]
    assert set(data.manifest.views) == {"front", None}
    assert set(data.manifest.attributes["mood"]) == {"a", ""}
    by_view = load_data(f"cvat:{file}?identity=who").manifest
    assert Counter(by_view.identities) == {"x": 8, "y": 1}


def test_boxes_on_images_need_an_attribute(tmp_path: Path) -> None:
    file = write_images(tmp_path)
    m = load_data(f"cvat:{file}?identity=who").manifest
    assert set(m.identities) == {"cat 0", "cat 1"}
    assert m.cameras == ("0", "0", "1", "1", "2", "2")
    assert m.sample(3).path == "day/1.png"
    assert m.root == tmp_path
    with pytest.raises(DataError) as caught:
        load_data(f"cvat:{file}")
    assert not lacking(str(caught.value), "identity=NAME", "who")
    with pytest.raises(DataError, match=r"'wo'.*who"):
        load_data(f"cvat:{file}?identity=wo")


def test_other_shapes_and_rotated_boxes_are_counted(tmp_path: Path) -> None:
    extra = '<track id="7" label="x"><polygon frame="0" points="1,2;3,4"/></track>'
    extra += '<track id="8" label="x">' + box((1, 1, 9, 9), frame=0, rotation=30) + "</track>"
    data = load_data(f"cvat:{write_video(tmp_path, extra=extra)}")
    assert len(data.manifest) == 8
    assert any("1 polygon" in note for note in data.notes)
    assert any("1 box is rotated" in note for note in data.notes)


def test_frames_that_are_missing(tmp_path: Path) -> None:
    file = write_video(tmp_path)
    (tmp_path / "images/frame_000002.PNG").unlink()
    with pytest.raises(DataError) as caught:
        load_data(f"cvat:{file}")
    assert not lacking(str(caught.value), "line", "2 boxes", "frame 2", "ffmpeg", "missing=skip")
    assert len(load_data(f"cvat:{file}?missing=skip").manifest) == 6
    draw_frame(tmp_path / "images/more/frame_1.png", BOXES)
    with pytest.raises(DataError, match="frame 1"):
        load_data(f"cvat:{file}?missing=skip")


BOMB = '<!DOCTYPE a [<!ENTITY b "bbbb"><!ENTITY c "&b;&b;">]>\n<annotations>&c;</annotations>'


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("<annotations>\n<image>", "line 2: this is no XML"),
        (BOMB, "line 1: the file declares a document type"),
        ('<!DOCTYPE a SYSTEM "file:///etc/passwd">\n<annotations/>', "document type"),
        ("<osm>\n</osm>", "line 1: the file begins with <osm>"),
        ("", "no XML"),
        ("<annotations></annotations>", "no upright box"),
        ('<annotations>\n<box xtl="1" ytl="1" xbr="2" ybr="2"/></annotations>', "line 2"),
        (f'<annotations><track id="1">\n{box((1, 1, 2, 2))}</track></annotations>', "frame"),
        ('<annotations><image name="a">\n<box xtl="x"/></image></annotations>', "line 2: xtl"),
        ('<annotations><image>\n<box xtl="1" ytl="1" xbr="2" ybr="2"/></image></annotations>',
         "image without a name"),
        ('<annotations><image name="a"><box xtl="1" ytl="inf" xbr="2" ybr="2"/></image>'
         "</annotations>", "ytl"),
    ],
)  # fmt: skip
def test_damaged_and_hostile_files_are_refused(tmp_path: Path, text: str, words: str) -> None:
    file = tmp_path / "a.xml"
    file.write_text(text)
    with pytest.raises(DataError) as caught:
        load_data(f"cvat:{file}")
    assert not lacking(str(caught.value), str(file), words)


def write_project(root: Path, subsets: dict[str, list[str]]) -> Path:
    """Write what a project exports: tasks, frames that are numbered on within each subset."""
    tasks, tracks, number = [], [], 0
    for subset, names in subsets.items():
        for at, name in enumerate(names):
            number += 1
            tasks.append(
                f"<task><id>{number}</id><name>{name}</name><subset>{subset}</subset>"
                f"<original_size><width>{SIZE[0]}</width><height>{SIZE[1]}</height>"
                "</original_size><owner><username>x</username></owner></task>"
            )
            who = f"{subset} {at}"
            frames = [3 * at + frame for frame in range(3)]
            for frame in frames:
                draw_frame(root / f"images/{subset}/frame_{frame:06d}.PNG", {who: BOXES["0"]})
            inside = "".join(box(BOXES["0"], mark(identity=who), frame=n) for n in frames)
            values = f'id="{number}" label="person" task_id="{number}" subset="{subset}"'
            tracks.append(f"<track {values}>{inside}</track>")
    meta = f"<meta><project><id>9</id><name>gates</name><tasks>{''.join(tasks)}</tasks></project>"
    file = root / "annotations.xml"
    file.write_text(f"<annotations>{meta}</meta>{''.join(tracks)}</annotations>")
    return file


def test_subsets_of_a_project_are_roles_with_pictures_of_their_own(tmp_path: Path) -> None:
    file = write_project(tmp_path, {"Train": ["a", "a"], "Test": ["b", "c"]})
    m = load_data(f"cvat:{file}").manifest
    assert len(m) == 12
    for row in range(len(m)):
        pixels = read_image(m.image(row)).reshape(3, -1)
        assert pixels.unique(dim=1).T.tolist() == [list(colour_of(m.identities[row]))]
        subset = m.identities[row].split()[0]
        assert m.paths[row].startswith(f"{subset}/frame_")
        assert (m.splits[row] == "train") == (subset == "Train")
    assert set(m.attributes["sequence"]) == {"a", "a (2)", "b", "c"}
    assert len(load_data(f"cvat:{file}?every=2").manifest) == 8  # each video from its first frame
    drawn = load_data(f"cvat:{file}?split=draw&train=0").manifest
    assert "train" not in drawn.splits
    (tmp_path / "images/Test/frame_000004.PNG").unlink()
    with pytest.raises(DataError, match=r"images/Test, the first on frame 4"):
        load_data(f"cvat:{file}")


def test_a_folder_names_its_files(tmp_path: Path) -> None:
    write_video(tmp_path / "task")
    with pytest.raises(DataError, match=r"Name one of its files: task/annotations\.xml"):
        load_data(f"cvat:{tmp_path}")


def test_subsets_that_are_no_roles_are_said(tmp_path: Path) -> None:
    file = write_project(tmp_path, {"Train": ["a", "b"], "Test": ["c", "d"], "site2": ["e"]})
    data = load_data(f"cvat:{file}")
    assert any(not lacking(note, "site2", "roles are drawn") for note in data.notes)


def test_images_of_a_project_lie_in_folders_of_their_subsets(tmp_path: Path) -> None:
    images = []
    for subset, who in (("Train", "a"), ("Test", "b"), ("Test", "c")):
        for number in range(2):
            name = f"{who}{number}.png"
            draw_frame(tmp_path / f"images/{subset}/{name}", {who: BOXES["0"]})
            inside = box(BOXES["0"], mark(identity=who), label="person")
            images.append(f'<image id="0" name="{name}" subset="{subset}">{inside}</image>')
    file = tmp_path / "annotations.xml"
    file.write_text("<annotations>" + "".join(images) + "</annotations>")
    m = load_data(f"cvat:{file}").manifest
    assert sorted(m.paths)[0] == "Test/b0.png"
    assert {m.identities[row] for row in range(len(m)) if m.splits[row] == "train"} == {"a"}
    for one in (tmp_path / "images").glob("*/*.png"):  # as somebody put them into one folder
        one.rename(tmp_path / one.name)
    assert set(load_data(f"cvat:{file}").manifest.paths) == {
        f"{who}{number}.png" for who in "abc" for number in range(2)
    }


@pytest.mark.parametrize("subset", ["", "Train"])
def test_names_of_frames_may_have_no_ending(tmp_path: Path, subset: str) -> None:
    """A task on a video that is exported "for images" names frames without that of the files."""
    images = []
    for number in range(3):
        draw_frame(tmp_path / f"images/{subset}/frame_{number:06d}.PNG", BOXES)
        boxes = "".join(box(edges, mark(who=who)) for who, edges in BOXES.items())
        name = f'name="frame_{number:06d}" subset="{subset}"'
        images.append(f'<image id="{number}" {name}>{boxes}</image>')
    file = tmp_path / "annotations.xml"
    file.write_text("<annotations>" + "".join(images) + "</annotations>")
    m = load_data(f"cvat:{file}?identity=who").manifest
    folder = f"{subset}/" if subset else ""
    assert m.paths == tuple(f"{folder}frame_{row // 2:06d}.PNG" for row in range(6))
    for row in range(len(m)):
        pixels = read_image(m.image(row)).reshape(3, -1)
        assert pixels.unique(dim=1).T.tolist() == [list(colour_of(m.identities[row]))]
    draw_frame(tmp_path / f"images/{subset}/frame_000001.jpg", BOXES)
    with pytest.raises(DataError) as caught:
        load_data(f"cvat:{file}?identity=who")
    assert not lacking(str(caught.value), "frame_000001.PNG", "frame_000001.jpg")
