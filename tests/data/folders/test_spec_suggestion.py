"""How folders of pictures are read: by where the pictures lie."""

import pytest
from PIL import Image

from promptreid.data.folders.spec_suggestion import suggest_spec
from promptreid.data.load_data import load_data
from promptreid.errors import DataError


@pytest.fixture
def folder(tmp_path):
    def made(*paths):
        for path in paths:
            place = tmp_path / "set" / path
            place.parent.mkdir(parents=True, exist_ok=True)
            if place.suffix == ".jpg":
                Image.new("RGB", (4, 8)).save(place)
            else:
                place.write_bytes(b"?")
        return tmp_path / "set"

    return made


CASES = {
    "one folder each": (
        ["anna/1.jpg", "anna/2.jpg", "ben/1.jpg"],
        "folder:{root}", {"anna", "ben"},
    ),
    "some deeper": (
        ["anna/1.jpg", "anna/2.jpg", "ben/1.jpg", "ben/old/1.jpg"],
        "folder:{root}?nested=take", {"anna", "ben"},
    ),
    "sessions": (
        ["anna/monday/1.jpg", "anna/friday/1.jpg", "ben/monday/1.jpg", "ben/friday/1.jpg"],
        "folder:{root}?nested=take", {"anna", "ben"},
    ),
    "sites": (
        ["north/anna/1.jpg", "north/ben/1.jpg", "south/carl/1.jpg", "south/dora/1.jpg"],
        "folder:{root}?depth=2", {"north/anna", "north/ben", "south/carl", "south/dora"},
    ),
    "one folder around": (
        ["crops/anna/1.jpg", "crops/ben/1.jpg"],
        "folder:{root}?depth=2", {"crops/anna", "crops/ben"},
    ),
    "deep": (
        ["a/b/anna/1.jpg", "a/b/ben/1.jpg"],
        "folder:{root}?depth=3", {"a/b/anna", "a/b/ben"},
    ),
    "roles": (
        ["train/anna/1.jpg", "train/ben/1.jpg", "test/carl/1.jpg", "test/carl/2.jpg"],
        "folder:{root}", {"anna", "ben", "carl"},
    ),
    "loose": (["1.jpg", "2.jpg", "more/3.jpg"], "images:{root}", None),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_a_folder_is_read_as_it_lies(folder, name):
    paths, spec, identities = CASES[name]
    root = folder(*paths)
    suggestion = suggest_spec(root)
    assert suggestion.spec == spec.format(root=root)
    assert suggestion.named == (identities is not None)
    assert suggestion.reasons
    if identities is not None:
        assert set(load_data(suggestion.spec).manifest.identities) == identities


@pytest.mark.parametrize(("name", "other"), [("sessions", "depth=2"), ("sites", "nested=take")])
def test_the_other_way_is_said_where_folders_lie_in_folders(folder, name, other):
    (reason,) = suggest_spec(folder(*CASES[name][0])).reasons
    assert other in reason


def test_a_published_layout_has_its_reader(folder):
    root = folder("query/1.jpg", "bounding_box_train/1.jpg", "bounding_box_test/1.jpg")
    assert suggest_spec(root).spec == f"market1501:{root}"


def test_heic_pictures_are_named(folder):
    root = folder("anna/1.jpg", "anna/2.HEIC", "ben/1.jpg", "ben/3.heic")
    assert suggest_spec(root).heic == ("anna/2.HEIC", "ben/3.heic")


@pytest.mark.parametrize(
    ("paths", "words"),
    [
        (["anna/1.heic"], ["HEIC", "JPEG"]),
        (["notes.txt"], ["notes.txt"]),
    ],
)
def test_where_nothing_can_be_read_it_is_said_why(folder, paths, words):
    with pytest.raises(DataError) as caught:
        suggest_spec(folder(*paths))
    assert all(word in str(caught.value) for word in words)


def test_what_is_no_folder_is_refused(tmp_path):
    with pytest.raises(DataError, match="does not exist"):
        suggest_spec(tmp_path / "nothing")
