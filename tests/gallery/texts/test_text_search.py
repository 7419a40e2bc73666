"""Sentences rank what is enrolled as plain loops over all images would."""

import numpy as np
import pytest
from facts import lacking
from gallery_model import PixelModel, TextPixelModel, draw_people

from promptreid.errors import GalleryError
from promptreid.gallery.gallery import Gallery
from promptreid.gallery.gallery_settings import GallerySettings
from promptreid.gallery.records.sqlite.sqlite_records import SqliteRecords
from promptreid.gallery.searching.filters import Filters
from promptreid.gallery.texts.text_search import TextQuery
from promptreid.gallery.vector_model import GalleryImage

PEOPLE, IMAGES = 9, 3


def make(folder, model):
    gallery = Gallery(SqliteRecords.create(folder, GallerySettings().to_texts()), model)
    pictures, names = draw_people(PEOPLE, IMAGES)
    images = [
        GalleryImage(pixels, camera=f"cam{number % 2}") for number, pixels in enumerate(pictures)
    ]
    gallery.add(images, names)
    return gallery, images, names


@pytest.fixture(scope="module", params=[TextPixelModel, PixelModel])
def enrolled(request, tmp_path_factory):
    """A gallery with vectors for sentences, and one whose own vectors compare with them."""
    return make(tmp_path_factory.mktemp("texts") / "people", request.param())


def text_scores(gallery, images, sentence, templates=()):
    model = gallery._require_model()
    vectors, texts = model.both_vectors(images)
    sentence = model.sentence_vectors([sentence], templates)[0]
    return [float(np.dot(row, sentence)) for row in (vectors if texts is None else texts)]


def test_identities_are_ranked_by_their_best_image(enrolled):
    gallery, images, names = enrolled
    answer = gallery.search_text("a red coat", top=4)
    scores = text_scores(gallery, images, "a red coat")
    best = {}
    for number, (name, score) in enumerate(zip(names, scores, strict=True)):
        if score > best.get(name, (-2,))[0]:
            best[name] = (score, number + 1)
    expected = sorted(((score, name, entry) for name, (score, entry) in best.items()), reverse=True)
    found = [(one.score, one.identity, one.entry) for one in answer.candidates]
    assert [one[1:] for one in found] == [one[1:] for one in expected[:4]]
    np.testing.assert_allclose(
        [one[0] for one in found], [one[0] for one in expected[:4]], atol=1e-5
    )
    assert (answer.weight, answer.searched, answer.missing) == (1, PEOPLE * IMAGES, 0)
    assert not lacking(
        answer.explanation, "cannot be decided", gallery._require_model().text_remark
    )


@pytest.mark.parametrize("top", [0, -3])
def test_one_is_named_at_least(enrolled, top):
    gallery, images, _ = enrolled
    assert len(gallery.search_text("a red coat", top=top).candidates) == 1
    assert [len(near) for near in gallery.nearest(images[:2], top=top)] == [1, 1]


def test_templates_and_images_one_by_one(enrolled):
    gallery, images, _ = enrolled
    templates = ["a photo of {text}."]
    answer = gallery.search_text(TextQuery("a hat", templates=templates), top=27, by_identity=False)
    scores = text_scores(gallery, images, "a hat", templates)
    order = sorted(range(27), key=lambda number: -scores[number])
    assert [one.entry - 1 for one in answer.candidates] == order


def test_beside_a_picture_both_count_in_their_own_spread(enrolled):
    gallery, images, _ = enrolled
    query, weight = images[4], 0.3
    answer = gallery.search_text(TextQuery("a red coat", query, weight), top=27, by_identity=False)
    texts = np.array(text_scores(gallery, images, "a red coat"))
    vectors = gallery._require_model().vectors([query, *images])
    alike = np.array([float(np.dot(vectors[0], row)) for row in vectors[1:]])
    combined = (
        weight * (texts - texts.mean()) / texts.std()
        + (1 - weight) * (alike - alike.mean()) / alike.std()
    )
    for one in answer.candidates:
        assert one.score == pytest.approx(combined[one.entry - 1], abs=1e-3)
        assert one.image_score == pytest.approx(alike[one.entry - 1], abs=1e-5)
        assert one.text_score == pytest.approx(texts[one.entry - 1], abs=1e-5)
    assert [one.entry - 1 for one in answer.candidates] == np.argsort(-combined).tolist()
    alone = gallery.search_text(TextQuery("a red coat", query, 0), by_identity=False)
    assert alone.candidates[0].entry == 5


def test_conditions_hold_and_changes_are_seen(tmp_path):
    gallery, _, _ = make(tmp_path / "people", TextPixelModel())
    first = gallery.search_text("a red coat", top=27, by_identity=False)
    some = gallery.search_text(
        "a red coat", filters=Filters(cameras=["cam1"]), top=27, by_identity=False
    )
    assert [one.entry for one in some.candidates] == [
        one.entry for one in first.candidates if one.entry % 2 == 0
    ]
    gallery.hide(entries=[first.candidates[0].entry])
    gallery.erase(entries=[first.candidates[1].entry])
    pictures, _ = draw_people(1, 1, seed=9)
    gallery.add(pictures, ["new"])
    after = gallery.search_text("a red coat", top=27, by_identity=False)
    left = [one.entry for one in after.candidates if one.identity != "new"]
    assert left == [one.entry for one in first.candidates[2:]]
    assert any(one.identity == "new" for one in after.candidates)
    again = Gallery(SqliteRecords.open(tmp_path / "people"), TextPixelModel())
    assert again.search_text("a red coat", top=27, by_identity=False) == after


def test_mistakes_are_sentences(enrolled):
    gallery, images, _ = enrolled
    with pytest.raises(GalleryError) as caught:
        TextQuery("a coat", images[0], 2)
    assert not lacking(str(caught.value), "between 0", "2")
    with pytest.raises(GalleryError):
        gallery.search_text("a coat", filters=Filters(identities=["zoe"]))


def test_images_without_a_vector_for_sentences_are_counted_and_get_one(tmp_path):
    """They were enrolled from vectors alone, or by a version that made none."""
    gallery, _, _ = make(tmp_path / "people", TextPixelModel())
    whole = gallery.search_text("a red coat", top=27, by_identity=False)
    gallery.records.execute("DELETE FROM text_vectors WHERE entry > 20")
    again = Gallery(SqliteRecords.open(tmp_path / "people"), TextPixelModel())
    answer = again.search_text("a red coat", top=27, by_identity=False)
    assert (answer.searched, answer.missing) == (20, 7)
    assert not lacking(answer.explanation, "7 images have no vector", "gallery reembed")
    assert again.reembed(TextPixelModel()).made == 7
    mended = again.search_text("a red coat", top=27, by_identity=False)
    assert mended.missing == 0
    assert [one.entry for one in mended.candidates] == [one.entry for one in whole.candidates]


@pytest.mark.parametrize("model", [TextPixelModel, PixelModel])
def test_where_nobody_is_enrolled_nobody_fits(tmp_path, model):
    records = SqliteRecords.create(tmp_path / "people", GallerySettings().to_texts())
    gallery, picture = Gallery(records, model()), draw_people(1, 1)[0][0]
    for query in ("a red coat", TextQuery("a red coat", picture)):
        answer = gallery.search_text(query)
        assert (answer.candidates, answer.searched, answer.missing) == ((), 0, 0)
    assert gallery.nearest([picture, picture]) == [[], []]


def test_where_no_image_has_a_vector_for_sentences_that_is_said(tmp_path):
    gallery, _, _ = make(tmp_path / "people", TextPixelModel())
    gallery.records.execute("DELETE FROM text_vectors")
    again = Gallery(SqliteRecords.open(tmp_path / "people"), TextPixelModel())
    answer = again.search_text(TextQuery("a red coat", draw_people(1, 1)[0][0]))
    assert (answer.candidates, answer.searched, answer.missing) == ((), 0, 27)
