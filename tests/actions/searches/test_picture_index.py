"""Folders of pictures searched from Python."""

import json
from pathlib import Path

import numpy as np
import pytest
from facts import lacking
from PIL import Image

import promptreid
from promptreid.actions.searches.picture_index import PictureIndex
from promptreid.errors import ConfigError, DataError, GalleryError

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def index(model, crops):
    with model.index(crops, keep=False, progress=promptreid.Silent()) as opened:
        yield opened


def test_a_picture_is_found_by_its_path_by_pillow_and_as_an_array(index, two):
    picture = Image.open(two[0])
    by_path = index.search(two[0], top=3)
    assert by_path[0].answer.candidates[0].identity == "000"
    for pixels in (picture, np.asarray(picture)):
        found = index.search(pixels, top=3)
        assert found[0].answer == by_path[0].answer
        assert found[0].label == "picture 1"
        assert "picture 1" in str(found)


def test_a_search_that_fails_leaves_nothing_open(model, crops, two, monkeypatch):
    closed, close = [], PictureIndex.close

    def note_and_close(opened):
        closed.append(opened)
        close(opened)

    monkeypatch.setattr(PictureIndex, "close", note_and_close)
    with pytest.raises(GalleryError, match="nobody"):
        promptreid.search(
            crops, two[0], identities="nobody", model=model, keep=False,
            progress=promptreid.Silent(),
        )  # fmt: skip
    (opened,) = closed
    assert not Path(opened.temporary.name).exists()


def test_what_was_found_is_words_json_a_figure_and_a_page(index, two, tmp_path):
    found = index.search(*two, top=3)
    assert len(found) == 2
    assert not lacking(str(found), str(two[0]), "000", "the picture itself".capitalize()[:11])
    assert repr(found) == str(found)
    record = json.loads(json.dumps(found.to_dict()))
    assert [answer["image"] for answer in record["answers"]] == [str(path) for path in two]
    drawn = found.show()
    assert len(drawn.figure.axes) == 2 * (1 + 3)
    assert drawn.save(tmp_path / "found.png").stat().st_size > 1000
    page = found.write_page(tmp_path / "found.html")
    assert page.read_text(encoding="utf-8").count('<section class="result') == 2


def test_a_name_alone_is_one_name(index, two):
    found = index.search(two[0], identities="003", top=3)
    assert [one.identity for one in found[0].answer.candidates] == ["003"]


def test_loose_pictures_are_ranked(model, crops, two):
    with model.index(crops / "003", keep=False, progress=promptreid.Silent()) as loose:
        found = loose.search(two[0], top=2)
        assert found[0].answer is None
        assert [len(one.neighbours) for one in found] == [2]
        assert len(found.show().figure.axes) == 3
        assert "pictures" in repr(loose)


def test_an_index_says_what_it_is(index, crops):
    assert not lacking(repr(index), "PictureIndex(", "60 pictures", "12 identities", str(crops))


def test_a_gallery_is_made_with_its_model_and_opened_again(model, crops, two, tmp_path):
    gallery = promptreid.Gallery.create(tmp_path / "people.gallery", model)
    gallery.add([crops / f"{person:03d}" / "1.png" for person in range(12)], [*"abcdefghijkl"])
    gallery.close()
    opened = promptreid.open_gallery(tmp_path / "people.gallery", device="cpu")
    assert opened.search([two[0]])[0].candidates[0].identity == "a"
    opened.close()
    found = promptreid.search(
        tmp_path / "people.gallery", two[0], device="cpu", progress=promptreid.Silent()
    )
    assert found[0].answer.candidates[0].identity == "a"


@pytest.mark.parametrize(
    ("asked", "error", "facts"),
    [
        ({}, ConfigError, ["IMAGE", "text="]),
        ({"images": ["gone.png"]}, DataError, ["gone.png"]),
        ({"text": "a red coat", "rerank": True}, ConfigError, ["--text", "--rerank"]),
        ({"templates": ["a {text}"], "images": [0]}, ConfigError, ["--template", "--text"]),
        ({"other_cameras": True, "images": [0]}, ConfigError, ["--query-camera"]),
        ({"rerank": True, "images": [0]}, ConfigError, ["rerank", "pictures"]),
        ({"identities": ["nobody"], "images": [0]}, GalleryError, ["nobody"]),
        ({"identities": "nobody", "images": [0]}, GalleryError, ["'nobody'"]),
    ],
)
def test_what_cannot_be_asked_is_refused_in_a_sentence(index, two, asked, error, facts):
    images = [two[0] if one == 0 else one for one in asked.pop("images", [])]
    with pytest.raises(error) as caught:
        index.search(*images, **asked)
    assert not lacking(str(caught.value), *facts)


def test_what_is_no_place_is_refused(model):
    with pytest.raises(GalleryError) as caught:
        model.index("/nowhere", progress=promptreid.Silent())
    assert not lacking(str(caught.value), "/nowhere", "folder of pictures")
