"""Tables of wildlife-datasets are read with their splits, boxes and days."""

from pathlib import Path

import pytest
from facts import lacking
from marked_frames import draw_frame

from promptreid.data.load_data import load_data
from promptreid.errors import DataError

HEAD = "image_id,identity,path,bbox,date,original_split,segmentation\n"


def write(root: Path, rows: str, head: str = HEAD) -> Path:
    file = root / "metadata.csv"
    file.write_text(head + rows)
    for number in range(8):
        draw_frame(root / f"img/{number}.png", {})
    return file


def row(number: int, identity: str, *, date: str = "", split: str = "") -> str:
    return f'{number},{identity},img/{number}.png,"[1, 2, 30, 40]",{date},{split},"[1, 2]"\n'


def test_splits_boxes_and_days(tmp_path: Path) -> None:
    rows = row(0, "a", split="Training") + row(1, "b", split="train")
    rows += row(2, "c", date="2026-01-05 10:00", split="query")
    rows += row(3, "c", date="2026-01-05 10:02", split="database")
    rows += row(4, "d", date="2026-01-06", split="query") + row(5, "d", split="database")
    rows += row(6, "unknown", split="query") + row(7, "e")
    write(tmp_path, rows)
    data = load_data(f"wildlife:{tmp_path}")
    m = data.manifest
    assert m.name == tmp_path.name
    assert m.splits == ("train", "train", "query", "gallery", "query", "gallery")
    assert m.boxes[0] == (1, 2, 30, 40)
    assert "segmentation" not in m.attributes
    assert any(not lacking(note, "1 of 2 queries", "same identity and day") for note in data.notes)
    assert any("1 image has no original_split" in note for note in data.notes)
    assert any("unknown" in note for note in data.notes)


def test_sets_that_are_split_by_image(tmp_path: Path) -> None:
    rows = "".join(row(n, "ab"[n % 2], split="test" if n > 3 else "train") for n in range(8))
    file = write(tmp_path, rows)
    with pytest.raises(DataError, match="identities=closed"):
        load_data(f"wildlife:{file}")
    data = load_data(f"wildlife:{file}?identities=closed")
    assert data.protocol is not None
    assert data.protocol.closed
    drawn = load_data(f"wildlife:{file}?split=draw")
    assert {split: one["images"] for split, one in drawn.manifest.counts().items()} == {
        "train": 4,
        "test": 4,
    }


def test_a_column_called_split_counts_likewise(tmp_path: Path) -> None:
    write(tmp_path, "a,img/0.png,train\nb,img/1.png,query\nb,img/2.png,database\n",
          head="identity,path,split\n")  # fmt: skip
    assert load_data(f"wildlife:{tmp_path}").manifest.splits == ("train", "query", "gallery")


def test_what_is_wrong_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="to_csv"):
        load_data(f"wildlife:{tmp_path}")
    file = write(tmp_path, row(0, "a", split="train") + row(1, "b", split="holdout"))
    with pytest.raises(DataError) as caught:
        load_data(f"wildlife:{file}")
    assert not lacking(str(caught.value), "line 3", "'holdout'", "database", "split=draw")
