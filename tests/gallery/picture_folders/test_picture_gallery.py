"""Galleries of plain folders: made once, and in line with the files at every search."""

import os
import shutil

import numpy as np
import pytest
import torch
from facts import lacking
from gallery_model import PixelModel
from PIL import Image

from promptreid.data.images.decode import read_image
from promptreid.errors import DataError, GalleryError
from promptreid.gallery.picture_folders.picture_gallery import open_picture_gallery
from promptreid.gallery.picture_folders.picture_list import list_pictures
from promptreid.gallery.picture_folders.picture_log import LOG
from promptreid.gallery.picture_folders.search_cache import hold_gallery, make_room
from promptreid.gallery.records.sqlite.sqlite_records import SqliteRecords
from promptreid.gallery.vector_model import GalleryImage
from promptreid.progress import Silent


class FileModel(PixelModel):
    """Projects the pixels of image files, and counts them."""

    def __init__(self, seed=0, stops_after=None):
        super().__init__(seed)
        self.embedded = 0
        self.stops_after = stops_after

    def vectors(self, images):
        pixels = []
        for image in images:
            if self.embedded == self.stops_after:
                raise KeyboardInterrupt
            small = torch.nn.functional.adaptive_avg_pool2d(read_image(image.pixels).float(), 8)
            pixels.append(GalleryImage(small.permute(1, 2, 0).numpy()))
            self.embedded += 1
        return super().vectors(pixels)


@pytest.fixture
def folder(crops, tmp_path):
    return shutil.copytree(crops, tmp_path / "people")


@pytest.fixture
def search(folder, tmp_path):
    """Open the gallery of the folder with a model; compare its entries with the files."""

    def opened(place=None, model=None):
        model = model or FileModel()
        pictures = list_pictures(str(place or folder))
        result = open_picture_gallery(pictures, model, tmp_path / "cache", progress=Silent())
        rows = [row for row, _ in result.gallery.records.entries()]
        names = result.gallery.records.names()
        result.gallery.close()
        entries = {row.path: names[row.identity] for row in rows}
        assert len(entries) == len(rows)
        return result, model, entries

    return opened


def list_files(folder):
    return {str(path): path.parent.name for path in folder.rglob("*.png")}


def test_pictures_are_embedded_once(search, folder):
    result, model, entries = search()
    assert (model.embedded, result.embedded, result.removed) == (60, 60, 0)
    assert entries == list_files(folder)
    result, model, entries = search()
    assert (model.embedded, result.embedded) == (0, 0)
    assert entries == list_files(folder)


def test_new_removed_changed_and_moved_files_are_noticed(search, folder):
    search()
    shutil.copy(folder / "001/0.png", folder / "001/new.png")
    Image.fromarray(np.full((9, 9, 3), 200, np.uint8)).save(folder / "001/new.png")
    (folder / "002/0.png").unlink()
    Image.fromarray(np.full((9, 9, 3), 90, np.uint8)).save(folder / "003/0.png")
    (folder / "004/0.png").rename(folder / "005/from-004.png")
    result, model, entries = search()
    assert (model.embedded, result.removed) == (3, 3)
    assert entries == list_files(folder)
    assert entries[str(folder / "005/from-004.png")] == "005"


def test_the_same_content_counts_once_and_stays_when_one_of_its_files_goes(search, folder):
    shutil.copy(folder / "001/0.png", folder / "002/twin.png")
    result, _, entries = search()
    assert not lacking(" ".join(result.notes), "1 picture", "same as another")
    assert str(folder / "002/twin.png") not in entries
    (folder / "001/0.png").unlink()
    _, model, entries = search()
    assert model.embedded == 1
    assert entries == list_files(folder)


def test_what_cannot_be_read_is_left_out_and_told_but_not_tried_again(search, folder):
    bad = folder / "001/bad.png"
    bad.write_bytes(b"no picture")
    result, _, entries = search()
    assert not lacking(" ".join(result.notes), "1 picture", "bad.png")
    assert len(entries) == 60
    result, model, _ = search()
    assert (model.embedded, result.embedded) == (0, 0)
    assert not lacking(" ".join(result.notes), "bad.png")
    Image.fromarray(np.full((9, 9, 3), 90, np.uint8)).save(bad)
    result, model, entries = search()
    assert (model.embedded, result.notes) == (1, ())
    assert entries == list_files(folder)


def test_a_stopped_search_goes_on_where_it_was(search, folder, monkeypatch):
    monkeypatch.setattr("promptreid.gallery.picture_folders.picture_gallery.BATCH", 16)
    with pytest.raises(KeyboardInterrupt):
        search(model=FileModel(stops_after=40))
    _, model, entries = search()
    assert model.embedded == 60 - 32
    assert entries == list_files(folder)


@pytest.mark.parametrize("damage", ["missing", "torn", "strange", "empty records", "no records"])
def test_a_log_or_records_that_are_not_whole_are_mended(search, folder, tmp_path, damage):
    search()
    (place,) = [one for one in (tmp_path / "cache").iterdir() if one.is_dir()]
    log, records = place / LOG, place / "records.sqlite"
    if damage == "missing":
        log.unlink()
    elif damage == "torn":
        log.write_bytes(log.read_bytes()[:-30])
    elif damage == "strange":
        log.write_bytes(b'\xff\xfe{"key"')
    elif damage == "empty records":
        records.write_bytes(b"")
    else:
        records.unlink()
    _, model, entries = search()
    assert model.embedded == (1 if damage == "torn" else 60)
    assert entries == list_files(folder)
    _, model, _ = search()
    assert model.embedded == 0


def test_each_model_has_a_gallery_of_its_own(search, folder):
    search()
    _, model, entries = search(model=FileModel(seed=1))
    assert model.embedded == 60
    assert entries == list_files(folder)
    assert search()[1].embedded == 0


def test_loose_pictures_have_no_names(search, folder, tmp_path):
    loose = tmp_path / "loose"
    (loose / "deeper").mkdir(parents=True)
    for number, path in enumerate(sorted(folder.rglob("*.png"))):
        shutil.copy(path, loose / ("deeper" if number % 3 == 0 else ".") / f"{number}.png")
    result, _, entries = search(loose)
    assert not result.pictures.named
    assert len(entries) == 60
    assert len(set(entries.values())) == 1


def test_tables_bring_cameras_and_are_noticed_when_they_change(search, folder, tmp_path):
    table = tmp_path / "table.csv"
    rows = [
        f"{path},{path.parent.name},test,cam{path.stem}" for path in sorted(folder.rglob("*.png"))
    ]
    table.write_text("\n".join(["path,identity,split,camera", *rows]))
    result, model, _ = search(f"csv:{table}")
    assert model.embedded == 60
    rows[0] = rows[0].replace("cam0", "gate")
    table.write_text("\n".join(["path,identity,split,camera", *rows]))
    result, model, _ = search(f"csv:{table}")
    assert (model.embedded, result.removed) == (1, 1)


def test_places_without_pictures_are_told_apart(tmp_path, folder):
    (tmp_path / "empty").mkdir()
    (tmp_path / "deep" / "a" / "b").mkdir(parents=True)
    shutil.copy(folder / "001/0.png", tmp_path / "deep" / "a" / "b")
    for place, facts in (
        ("nowhere", ["nowhere", "nor", "gallery create"]),
        (folder / "001" / "0.png", ["file"]),
        (tmp_path / "empty", ["nothing"]),
        (tmp_path / "deep", ["2 folders deep", "depth=2"]),
    ):
        with pytest.raises((GalleryError, DataError)) as caught:
            list_pictures(str(place))
        assert not lacking(str(caught.value), *facts)


def test_unknown_folders_are_left_out_and_told(folder):
    (folder / "011").rename(folder / "unknown")
    pictures = list_pictures(str(folder))
    assert len(pictures.images) == 55
    assert not lacking(" ".join(pictures.notes), "5 pictures", "nobody knows")


def test_what_was_not_used_for_longest_gives_way(tmp_path):
    for number, name in enumerate("abc"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "records.sqlite").write_bytes(bytes(1000))
        (tmp_path / name / LOG).write_bytes(b"")
        os.utime(tmp_path / name / LOG, (number, number))
    assert make_room(tmp_path, spare="c", limit=3000) == []
    assert make_room(tmp_path, spare="a", limit=1500) == ["b", "c"]
    assert (tmp_path / "a").is_dir()


def test_what_another_process_is_reading_does_not_give_way(tmp_path):
    for name in "ab":
        (tmp_path / name).mkdir()
        (tmp_path / name / "records.sqlite").write_bytes(bytes(1000))
    with hold_gallery(tmp_path, "a", Silent()):
        assert make_room(tmp_path, spare="", limit=0) == ["b"]
    assert make_room(tmp_path, spare="", limit=0) == ["a"]


def test_what_fails_lets_go_of_the_gallery(folder, tmp_path, monkeypatch):
    closed = []
    monkeypatch.setattr(SqliteRecords, "close", lambda self: closed.append(self))
    pictures = list_pictures(str(folder))
    with pytest.raises(KeyboardInterrupt):
        open_picture_gallery(
            pictures, FileModel(stops_after=0), tmp_path / "cache", progress=Silent()
        )
    assert len(closed) == 2  # that of the empty records, and that of the gallery
