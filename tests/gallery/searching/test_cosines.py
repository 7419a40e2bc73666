"""Largest scores and mean vectors against sorting and loops."""

import numpy as np
import pytest

from promptreid.gallery.searching.cosines import add_by_code, find_largest, scale_to_one


@pytest.mark.parametrize("columns", [0, 1, 63, 64, 1000, 5000])
@pytest.mark.parametrize("count", [0, 1, 5, 70])
def test_the_largest_are_those_of_sorting(columns, count):
    rng = np.random.default_rng(columns)
    scores = rng.normal(size=(4, columns)).astype(np.float32)
    scores[1] = np.round(scores[1])  # many are equal
    scores[2, : columns // 2] = -np.inf
    scores[3] = -np.inf
    count = min(count, columns)
    places, values = find_largest(scores, count)
    for row, chosen, told in zip(scores, places, values, strict=True):
        right = sorted(range(columns), key=lambda column: (-row[column], column))[:count]
        assert chosen.tolist() == right
        assert told.tolist() == row[right].tolist()


def test_vectors_are_added_to_the_rows_that_their_codes_name():
    rng = np.random.default_rng(0)
    vectors, codes = rng.normal(size=(50, 6)).astype(np.float32), rng.integers(0, 7, 50)
    codes[codes == 3] = 4
    sums, right = np.ones((7, 6), np.float32), np.ones((7, 6))
    add_by_code(sums, vectors, codes)
    for vector, code in zip(vectors, codes, strict=True):
        right[code] += vector
    np.testing.assert_allclose(sums, right, atol=1e-5)
    add_by_code(sums, vectors[:0], codes[:0])
    np.testing.assert_allclose(sums, right, atol=1e-5)


def test_vectors_have_length_one_but_for_those_that_have_none():
    scaled = scale_to_one(np.array([[3, 4], [0, 0]], np.float32))
    np.testing.assert_allclose(scaled, [[0.6, 0.8], [0, 0]])
