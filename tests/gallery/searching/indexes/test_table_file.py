"""The file of the table saves reading, is never trusted where it does not fit, and is wiped."""

import shutil
from dataclasses import replace

import pytest
from gallery_model import PixelModel, draw_people, make_gallery, open_gallery

from promptreid.gallery.searching.entry_table import EntryTable
from promptreid.gallery.searching.indexes import index_choice, row_segments, row_store, table_file
from promptreid.gallery.searching.indexes.row_segments import TABLE_FILE
from promptreid.gallery.vector_model import as_image

PICTURES, NAMES = draw_people(20, 4)


def describe(number):
    """Return a picture with a camera, a domain and an attribute."""
    return replace(
        as_image(PICTURES[number]),
        camera=f"camera {number % 3}",
        domain="yard" if number % 2 else "",
        attributes={"badge": f"badge-of-{NAMES[number]}-in-full"},
    )


@pytest.fixture
def gallery(tmp_path, monkeypatch):
    """A gallery of ten people, searched by codes, of which the table is in a file."""
    monkeypatch.setattr(index_choice, "BITS_FROM", 30)
    for module in (row_store, row_segments):
        monkeypatch.setattr(module, "SEGMENT", 16)
    made = make_gallery(tmp_path / "people")
    made.add([describe(number) for number in range(40)], NAMES[:40])
    yield made
    made.close()


@pytest.fixture
def file(gallery, tmp_path):
    return tmp_path / "people" / "derived" / TABLE_FILE


def open_telling(folder, monkeypatch):
    """Open a gallery and let it read; return it, and since which revision columns were read."""
    opened, read = open_gallery(folder), []
    columns = type(opened.records).columns

    def tell(records, since=-1, *, model=None):
        read.append(since)
        return columns(records, since, model=model)

    with monkeypatch.context() as patched:
        patched.setattr(type(opened.records), "columns", tell)
        opened._make_ready()
    return opened, read


def list_rows(table):
    """Return all that a table knows of each entry, whatever codes it uses."""
    columns, names = table.list_columns()
    for name, texts in names.items():
        columns[name] = [texts[code] if code >= 0 else None for code in columns[name]]
    columns["codes"] = columns.pop("identities")[columns["codes"]]
    return {name: [str(one) for one in column] for name, column in columns.items()}


def read_anew(records):
    table = EntryTable()
    table.refresh(records)
    return list_rows(table)


CHANGES = {
    "nothing": lambda gallery: None,
    "added": lambda gallery: gallery.add([describe(number) for number in (40, 41)], NAMES[40:42]),
    "hidden": lambda gallery: gallery.hide("person 3"),
    "merged": lambda gallery: gallery.merge("person 3", "person 4"),
    "deleted": lambda gallery: delete(gallery, "person 3"),
}


def delete(gallery, name):
    """Delete somebody as an erasure does that is stopped before it looks for what is left."""
    with gallery._state.changing(gallery.records):
        gallery.records.delete([row.entry for row in gallery.entries(name)])


@pytest.mark.parametrize("change", CHANGES)
def test_only_what_changed_since_is_read(gallery, file, tmp_path, monkeypatch, change):
    kept = file.read_bytes()
    since = gallery._state.table.revision
    CHANGES[change](gallery)
    gallery.records.execute("UPDATE facts SET value = 0 WHERE key = 'compaction_due'")
    file.write_bytes(kept)  # whether or not it was written anew
    opened, read = open_telling(tmp_path / "people", monkeypatch)
    assert read == [since]
    assert list_rows(opened._state.table) == read_anew(opened.records)
    assert opened.search(PICTURES[:4]) == gallery.search(PICTURES[:4])
    opened.close()


def damage(content, how):
    if how == "cut":
        return content[:-3]
    if how == "a bit":
        place = len(content) - 700
        return content[:place] + bytes([content[place] ^ 4]) + content[place + 1 :]
    return {"empty": b"", "foreign": b"[1, 2]\n" + content}[how]


@pytest.mark.parametrize("how", ["cut", "a bit", "empty", "foreign", "gone"])
def test_a_damaged_file_is_made_anew(gallery, file, tmp_path, monkeypatch, how):
    content = file.read_bytes()
    file.unlink() if how == "gone" else file.write_bytes(damage(content, how))
    opened, read = open_telling(tmp_path / "people", monkeypatch)
    assert read == [-1]
    assert list_rows(opened._state.table) == read_anew(opened.records)
    assert file.read_bytes() == content
    opened.close()


def test_a_file_of_later_records_or_another_model_is_not_used(gallery, file, tmp_path, monkeypatch):
    """As after records were taken from a backup, and other things were enrolled since."""
    gallery.close()
    shutil.copytree(tmp_path / "people", tmp_path / "backup")
    for number, folder in ((40, "people"), (44, "backup")):
        opened = open_gallery(tmp_path / folder)
        opened.add([describe(number)], [NAMES[number]])
        opened.erase(entries=[1])  # which writes the file anew
        opened.close()
    shutil.copy(file, tmp_path / "backup" / "derived" / TABLE_FILE)
    opened, read = open_telling(tmp_path / "backup", monkeypatch)
    assert read == [-1]
    assert list_rows(opened._state.table) == read_anew(opened.records)
    old = file.read_bytes()
    opened.reembed(PixelModel(7))
    opened.close()
    (tmp_path / "backup" / "derived" / TABLE_FILE).write_bytes(old)
    opened = open_gallery(tmp_path / "backup", seed=7)
    assert len(opened.search(PICTURES[:1])) == 1
    assert list_rows(opened._state.table) == read_anew(opened.records)
    opened.close()


def test_nothing_of_what_is_erased_stays(gallery, file, tmp_path, monkeypatch):
    """Nor does another write it who has not seen the erasure yet."""
    badge = b"badge-of-person 3-in-full"
    other = open_gallery(tmp_path / "people")
    other._make_ready()
    assert badge in file.read_bytes()
    gallery.erase("person 3")
    assert file.is_file()
    file.unlink()
    other._state.settle(other.records)
    assert not file.exists()
    for path in (tmp_path / "people").rglob("*"):
        assert path.is_dir() or badge not in path.read_bytes()
    other.search(PICTURES[:1])
    assert badge not in file.read_bytes()
    other.close()


def test_it_is_written_anew_before_its_stamp_is_forgotten(gallery, file, monkeypatch):
    monkeypatch.setattr(table_file, "_LAG", 3)
    monkeypatch.setattr(table_file, "_PART", 0)  # however many are new
    before = file.read_bytes()
    for number in (40, 41):
        gallery.add([describe(number)], [NAMES[number]])
        assert file.read_bytes() == before
    gallery.hide("person 1")
    assert file.read_bytes() != before
