import numpy as np
import pytest
from PIL import Image

from promptreid.tracking.pictures import picture_pixels


def test_arrays_and_images_become_rgb():
    pixels = np.random.default_rng(0).integers(0, 255, (5, 7, 3), dtype=np.uint8)
    assert np.array_equal(picture_pixels(pixels), pixels)
    assert np.array_equal(picture_pixels(Image.fromarray(pixels)), pixels)
    assert np.array_equal(picture_pixels(pixels / 255.0), pixels)
    gray = picture_pixels(pixels[..., 0])
    assert np.array_equal(gray, np.repeat(pixels[..., :1], 3, 2))


def test_transparent_becomes_white():
    clear = np.zeros((2, 2, 4), np.uint8)
    clear[0, 0] = (10, 20, 30, 255)
    found = picture_pixels(clear)
    assert found[0, 0].tolist() == [10, 20, 30]
    assert (found[1] == 255).all()


def test_figures_are_drawn():
    figure_module = pytest.importorskip("matplotlib.figure", reason="matplotlib is not installed")
    figure = figure_module.Figure(figsize=(2, 1), dpi=50)
    figure.add_axes((0, 0, 1, 1)).set_facecolor("red")
    figure.axes[0].set_axis_on()
    found = picture_pixels(figure)
    assert found.shape == (50, 100, 3)
    assert found[25, 50].tolist() == [255, 0, 0]


def test_other_shapes_are_refused():
    with pytest.raises(ValueError, match=r"not \(3, 4, 5\)"):
        picture_pixels(np.zeros((3, 4, 5)))
