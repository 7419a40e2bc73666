"""Thresholds for pairs that a gallery's own images give."""

import itertools

import numpy as np
import pytest
from facts import lacking
from gallery_model import draw_people, make_gallery

from promptreid.errors import EvaluationError, GalleryError, WeightsError


@pytest.fixture(scope="module")
def enrolled(tmp_path_factory):
    """A gallery of 12 people with 3 images each, one of whom is hidden."""
    gallery = make_gallery(tmp_path_factory.mktemp("own") / "people")
    pictures, names = draw_people(13, 3)
    gallery.add(pictures, names)
    gallery.hide("person 12")
    return gallery, pictures[:36], names[:36]


def test_it_keeps_the_rate_on_all_pairs_of_strangers(enrolled):
    gallery, pictures, names = enrolled
    vectors = gallery._require_model().vectors([_image(one) for one in pictures])
    strangers, genuine = [], []
    for one, other in itertools.combinations(range(36), 2):
        score = float(np.dot(vectors[one], vectors[other]))
        (genuine if names[one] == names[other] else strangers).append(score)
    for far in (0.01, 0.1):
        chosen = gallery.own_threshold(far)
        assert (chosen.pairs, chosen.genuine) == (len(strangers), len(genuine))
        assert (chosen.images, chosen.identities, chosen.far) == (36, 12, far)
        accepted = np.mean(np.array(strangers) >= chosen.threshold - 1e-6)
        assert accepted <= far + 1 / len(strangers)
        lower = sorted(strangers)[int(len(strangers) * (1 - far)) - 2]
        assert chosen.threshold >= lower - 1e-6
    assert gallery.own_threshold().far == 0.1  # 66 pairs of identities measure no less


def _image(pixels):
    from promptreid.gallery.vector_model import GalleryImage

    return GalleryImage(pixels)


def test_pairs_are_judged_by_it(enrolled):
    gallery, pictures, _ = enrolled
    with pytest.raises(WeightsError):
        gallery.verify(pictures[0], pictures[1])
    chosen = gallery.own_threshold(0.01)
    answer = gallery.verify(pictures[0], pictures[0], threshold=chosen)
    assert answer.same
    assert answer.score == pytest.approx(1, abs=1e-5)
    assert (answer.threshold, answer.pairs) == (chosen.threshold, chosen.pairs)
    assert not gallery.verify(pictures[0], 255 - pictures[0], threshold=chosen).same


def test_of_many_images_some_are_drawn_the_same_each_time(enrolled):
    gallery, _, _ = enrolled
    first, second = (gallery.own_threshold(0.1, most=20) for _ in range(2))
    assert first == second
    assert first.images == 20
    assert not lacking(first.source, "20", "36")


def test_too_few_identities_are_told(enrolled):
    gallery, _, _ = enrolled
    with pytest.raises(GalleryError) as caught:
        gallery.own_threshold(1e-4)
    assert not lacking(str(caught.value), "36 images", "12 identities", "594 pairs", "10,000")


@pytest.mark.parametrize("far", [0.0, 1.0, float("nan")])
def test_a_rate_that_is_none_is_refused(tmp_path, far):
    gallery = make_gallery(tmp_path / "people")
    with pytest.raises(EvaluationError, match="between 0 and 1"):
        gallery.own_threshold(far)
