"""Maps of embeddings as they are placed on the page."""

from dataclasses import replace

import numpy as np
import pytest

from promptreid.figures.style import LIGHT, group_look
from promptreid.pages.report_page.album import Album
from promptreid.pages.report_page.embedding_plane import SIDE, keys, planes


@pytest.fixture
def section(content):
    return content.tests[0].map


@pytest.mark.slow
def test_points_keep_their_arrangement_within_the_drawing(section):
    for found, plane in zip(section.maps, planes(section, Album()), strict=True):
        placed = {point.number: (float(point.x), float(point.y)) for point in plane.points}
        there = np.array([placed[number] for number in range(len(section.points))])
        every = np.array([(float(point.x), float(point.y)) for point in plane.points])
        assert every.min() >= 10
        assert every.max() <= SIDE - 10
        # One scale for both directions, the second one upwards.
        scale = np.ptp(there[:, 0]) / np.ptp(found.points[:, 0])
        assert np.ptp(there[:, 1]) == pytest.approx(scale * np.ptp(found.points[:, 1]), abs=0.2)
        assert there[found.points[:, 1].argmax(), 1] == there[:, 1].min()


def test_identities_look_as_in_figures(section):
    shapes = {"circle": "o", "square": "s", "up": "^", "diamond": "D", "down": "v"}
    for key in keys(section):
        assert (LIGHT.hues[key.hue], shapes[key.shape]) == group_look(LIGHT, key.group)
    for plane in planes(section, Album()):
        for point in plane.points:
            if point.kind != "text":
                assert (LIGHT.hues[point.hue], shapes[point.shape]) == group_look(
                    LIGHT, point.group
                )


def test_sentences_lie_on_top_and_have_no_picture(section):
    first, second = planes(section, Album())
    assert {point.kind for point in first.points} == {"gallery", "query"}
    kinds = [point.kind for point in second.points]
    assert kinds == sorted(kinds, key=["gallery", "query", "text"].index)
    texts = [point for point in second.points if point.kind == "text"]
    assert [(text.picture, text.shape, text.number) for text in texts] == [("", "text", -1)] * 2
    assert texts[0].hue == -1
    assert "and 2 sentences" in second.alt


def test_a_single_place_is_the_middle(section):
    still = replace(section.maps[0], points=np.zeros_like(section.maps[0].points))
    (plane,) = planes(replace(section, maps=(still,)), Album())
    assert {(point.x, point.y) for point in plane.points} == {("240.0", "240.0")}


def test_the_album_keeps_each_picture_once():
    album = Album()
    rng = np.random.default_rng(0)
    one, other = rng.integers(0, 255, (2, 30, 20, 3)).astype(np.uint8)
    names = [album.add(picture).name for picture in (one, other, one.copy())]
    assert names[0] == names[2] != names[1]
    assert [(shown.width, shown.height) for shown in album.pictures] == [(20, 30)] * 2
    assert album.add(one.reshape(20, 30, 3)).name not in names[:2]  # same bytes, another shape
