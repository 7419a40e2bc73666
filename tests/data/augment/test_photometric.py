"""Each operation against torchvision or Pillow, image by image."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image
from torchvision.transforms.v2 import functional as vision

from promptreid.data.augment import photometric

FACTORS = [0.0, 0.3, 0.9, 1.0, 1.4, 1.9]


def noise(*shape, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(0, 256, shape, dtype=torch.uint8, generator=generator)


def column(values):
    return torch.tensor(values, dtype=torch.float64)


def difference(first, second):
    return (first.int() - second.int()).abs()


def test_gray_is_that_of_pillow():
    batch = noise(4, 3, 20, 16)
    for image, got in zip(batch, photometric.gray(batch), strict=True):
        picture = Image.fromarray(image.permute(1, 2, 0).numpy()).convert("L")
        assert np.array_equal(got[0].numpy(), np.asarray(picture))


@pytest.mark.parametrize(
    ("name", "oracle"),
    [
        ("brightness", vision.adjust_brightness),
        ("contrast", vision.adjust_contrast),
        ("saturation", vision.adjust_saturation),
        ("sharpness", vision.adjust_sharpness),
    ],
)
def test_factors_are_those_of_torchvision(name, oracle):
    batch = noise(len(FACTORS), 3, 14, 18)
    got = getattr(photometric, name)(batch, column(FACTORS))
    assert got.dtype == torch.uint8
    for image, changed, factor in zip(batch, got, FACTORS, strict=True):
        # torchvision rounds down, here and in the gray image that it blends with.
        assert difference(changed, oracle(image, factor)).max() <= 2
    assert torch.equal(got[3], batch[3])


def test_sharpness_leaves_what_has_no_inside():
    batch = noise(2, 3, 2, 9)
    assert torch.equal(photometric.sharpness(batch, column([0.0, 2.0])), batch)


def test_hue_is_that_of_torchvision():
    turns = [-0.5, -0.2, 0.0, 0.07, 0.31, 0.5]
    batch = noise(len(turns), 3, 30, 30)
    batch[:, :, :10, :10] = batch[:, :1, :10, :10]  # gray pixels have no hue
    got = photometric.hue(batch, column(turns))
    for image, changed, turn in zip(batch, got, turns, strict=True):
        assert difference(changed, vision.adjust_hue(image, turn)).max() <= 1
    assert torch.equal(got[2], batch[2])
    assert torch.equal(got[:, :, :10, :10], batch[:, :, :10, :10])


def test_posterize_and_solarize_are_those_of_torchvision():
    batch = noise(9, 3, 8, 8)
    bits = list(range(9))
    got = photometric.posterize(batch, column(bits))
    for image, changed, kept in zip(batch, got, bits, strict=True):
        assert torch.equal(changed, vision.posterize(image, kept))
    thresholds = [0.0, 1.0, 100.0, 100.5, 128.0, 200.0, 254.0, 255.0, 256.0]
    got = photometric.solarize(batch, column(thresholds))
    for image, changed, threshold in zip(batch[:-1], got[:-1], thresholds[:-1], strict=True):
        assert torch.equal(changed, vision.solarize(image, threshold))
    assert torch.equal(got[-1], batch[-1])


def test_blur_is_that_of_torchvision():
    sigmas = [0.1, 0.5, 1.0, 2.0]
    batch = noise(4, 3, 30, 22)
    got = photometric.blur(batch, column(sigmas))
    for image, changed, sigma in zip(batch, got, sigmas, strict=True):
        assert difference(changed, vision.gaussian_blur(image, [13, 13], [sigma, sigma])).max() <= 1
    assert torch.equal(got[0], batch[0])


def test_blur_of_small_and_plain_images():
    small = photometric.blur(noise(3, 3, 4, 1), column([0.5, 1.0, 2.0]))
    assert small.shape == (3, 3, 4, 1)
    for level in (0, 1, 127, 255):
        plain = torch.full((2, 3, 5, 30), level, dtype=torch.uint8)
        assert torch.equal(photometric.blur(plain, column([0.7, 2.0])), plain)


@pytest.mark.cuda
@pytest.mark.parametrize(
    "name",
    ["brightness", "contrast", "saturation", "sharpness", "hue", "posterize", "solarize", "blur"],
)
def test_cuda_gives_the_same_bits(name):
    batch, change = noise(32, 3, 48, 40), getattr(photometric, name)
    strength = torch.linspace(0.1, 1.9, 32, dtype=torch.float64)
    assert torch.equal(change(batch.cuda(), strength).cpu(), change(batch, strength))
