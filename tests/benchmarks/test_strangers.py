"""The benchmark of the promise, on features that are drawn."""

import numpy as np
import pytest
from benchmarks.nobody import UnseenImages, compare_rules, table_lines


def draw_images(people, images, *, noise):
    """Draw people of whom four each look alike, seen by two cameras."""
    rng = np.random.default_rng(0)
    parents = rng.normal(size=(people // 4, 16)).repeat(4, 0)
    faces = parents + rng.normal(0, 0.7, (people, 16))
    vectors = faces.repeat(images, 0) + rng.normal(0, noise, (people * images, 16))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    rows = np.arange(people * images).reshape(people, images)
    return UnseenImages(vectors.astype(np.float32), list(rows), np.arange(people * images) % 2)


@pytest.fixture(scope="module")
def rows():
    images = draw_images(480, 4, noise=0.25)
    return compare_rules(images, [60, 240], [0.05], halves=25, seed=0, trained=0.8)


def test_strangers_are_accepted_at_the_rate_and_the_enrolled_are_found(rows):
    kept = [row for row in rows if row.rule == "p-value"]
    assert [row.identities for row in kept] == [60, 240]
    for row in kept:
        low, high = row.interval
        assert low <= row.strangers <= high
        assert row.strangers <= 0.05 + 0.01  # the error of 25 splits
        assert row.found > 0.8
        assert row.found + row.confused <= 1


def test_a_fixed_threshold_keeps_its_rate_in_the_smallest_gallery_alone(rows):
    few, many = (row.strangers for row in rows if row.rule == "fixed")
    assert many > 1.5 * few
    few, many = (row.strangers for row in rows if row.rule == "of training")
    assert many > few


def test_each_row_is_a_line(rows):
    lines = table_lines(rows)
    assert len(lines) == len(rows) + 1
    assert "strangers accepted" in lines[0]


def test_probes_are_of_another_camera_than_what_is_enrolled():
    images = draw_images(40, 4, noise=0.0)
    half = images.split(20, np.random.default_rng(0))
    assert half.right.all()
    assert half.enrolled == pytest.approx(np.ones(20), abs=1e-5)
    assert (half.strangers < 0.9999).all()
