import numpy as np
import pytest
from PIL import Image

from promptreid.figures.photographs import mosaic, read_picture


def test_pictures_keep_their_proportions_and_are_not_enlarged(tmp_path):
    Image.new("RGB", (300, 600), (10, 20, 30)).save(tmp_path / "a.png")
    assert read_picture(tmp_path / "a.png", longest=200).shape == (200, 100, 3)
    assert read_picture(tmp_path / "a.png", longest=900).shape == (600, 300, 3)


@pytest.mark.parametrize("shape", [(200, 100), (64, 128), (37, 53), (5, 9), (3, 1)])
def test_a_mosaic_has_few_colours_and_the_mean_of_each_tile(shape):
    picture = np.random.default_rng(0).integers(0, 256, (*shape, 3), np.uint8)
    found = mosaic(picture)
    assert found.shape == picture.shape
    assert found.dtype == np.uint8
    longest = max(shape)
    tiles = [max(1, round(side * 10 / longest)) for side in shape]
    assert len(np.unique(found.reshape(-1, 3), axis=0)) <= tiles[0] * tiles[1]
    if all(side % count == 0 for side, count in zip(shape, tiles, strict=True)):
        high, wide = shape[0] // tiles[0], shape[1] // tiles[1]
        mean = picture[:high, :wide].astype(float).mean((0, 1))
        assert np.abs(found[0, 0] - mean).max() <= 0.5


def test_detail_is_gone_before_anything_is_drawn(tmp_path):
    picture = np.zeros((100, 100, 3), np.uint8)
    picture[::2] = 255
    Image.fromarray(picture).save(tmp_path / "stripes.png")
    found = read_picture(tmp_path / "stripes.png", longest=100, pixelate=True)
    assert np.ptp(found) <= 1
