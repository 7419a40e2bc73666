from __future__ import annotations

import math

import pytest
import torch
from torchvision.transforms.v2 import InterpolationMode
from torchvision.transforms.v2 import functional as vision

from promptreid.data.augment import warp
from promptreid.data.augment.warp import rotation, shear, shift

BILINEAR = InterpolationMode.BILINEAR


def noise(*shape, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(0, 256, shape, dtype=torch.uint8, generator=generator)


def smooth(count, size=(40, 24)):
    return vision.resize(noise(count, 3, 6, 4), list(size), antialias=True)


def column(*values):
    return torch.tensor(values, dtype=torch.float64)


def difference(first, second):
    return (first.int() - second.int()).abs()


def reference(image, matrix, border):
    """Bilinear sampling at positions rounded to 1/64, pixel by pixel."""
    channels, height, width = image.shape
    result = torch.zeros_like(image)

    def level(c, y, x):
        if border == "edge":
            y, x = min(max(y, 0), height - 1), min(max(x, 0), width - 1)
        inside = 0 <= y < height and 0 <= x < width
        return image[c, y, x].item() if inside else 0

    for y in range(height):
        for x in range(width):
            place = matrix @ column(x + 0.5, y + 0.5, 1)
            sx, sy = (math.floor((v - 0.5) * 64 + 0.5) / 64 for v in place.tolist())
            left, top = math.floor(sx), math.floor(sy)
            fx, fy = sx - left, sy - top
            for c in range(channels):
                value = (1 - fy) * (1 - fx) * level(c, top, left)
                value += (1 - fy) * fx * level(c, top, left + 1)
                value += fy * (1 - fx) * level(c, top + 1, left)
                value += fy * fx * level(c, top + 1, left + 1)
                result[c, y, x] = math.floor(value + 0.5)
    return result


@pytest.mark.parametrize("border", ["black", "edge"])
def test_warp_equals_pixel_by_pixel_reference(border):
    generator = torch.Generator().manual_seed(2)
    batch = noise(6, 3, 9, 7)
    matrices = warp.identity(6) + 0.4 * torch.randn(
        6, 2, 3, generator=generator, dtype=torch.float64
    )
    matrices[:, :, 2] += torch.randint(-6, 7, (6, 2), generator=generator)
    # Whole fractions: no position lies so close to a tie that rounding could go either way.
    matrices = (matrices * 256).round() / 256 + 1e-4
    got = warp.warp(batch, matrices, border=border)
    expected = torch.stack(
        [reference(image, matrix, border) for image, matrix in zip(batch, matrices, strict=True)]
    )
    assert torch.equal(got, expected)


@pytest.mark.parametrize("border", ["black", "edge"])
def test_identity_changes_nothing(border):
    batch = noise(3, 3, 5, 11)
    assert torch.equal(warp.warp(batch, warp.identity(3), border=border), batch)


def test_whole_shifts_copy_pixels():
    batch = noise(2, 3, 6, 8)
    got = warp.warp(batch, shift(column(2, 0), column(0, -3)))
    assert torch.equal(got[0, :, :, 2:], batch[0, :, :, :-2])
    assert got[0, :, :, :2].count_nonzero() == 0
    assert torch.equal(got[1, :, :-3], batch[1, :, 3:])
    assert got[1, :, -3:].count_nonzero() == 0


@pytest.mark.parametrize("degrees", [17.0, -40.0, 135.0])
def test_rotation_is_that_of_torchvision(degrees):
    batch = smooth(3)
    got = warp.warp(batch, rotation(column(*[degrees] * 3), (40, 24)))
    assert difference(got, vision.rotate(batch, degrees, BILINEAR)).max() <= 4


def test_right_angles_turn_pixels():
    batch = noise(2, 3, 6, 6)
    got = warp.warp(batch, rotation(column(90, 180), (6, 6)))
    assert torch.equal(got[0], batch[0].rot90(1, (1, 2)))
    assert torch.equal(got[1], batch[1].rot90(2, (1, 2)))


@pytest.mark.parametrize("axis", ["x", "y"])
def test_shear_is_that_of_torchvision(axis):
    batch, slope, none = smooth(2), column(0.2, -0.3), column(0, 0)
    got = warp.warp(batch, shear(slope, none) if axis == "x" else shear(none, slope))
    for image, changed, s in zip(batch, got, slope.tolist(), strict=True):
        angle = math.degrees(math.atan(s))
        angles = [angle, 0.0] if axis == "x" else [0.0, angle]
        expected = vision.affine(image, 0.0, [0, 0], 1.0, angles, BILINEAR, center=[0, 0])
        flipped = [-angle for angle in angles]
        other = vision.affine(image, 0.0, [0, 0], 1.0, flipped, BILINEAR, center=[0, 0])
        # The sign of a slope is random anyway; only one of both directions can match.
        assert min(difference(changed, expected).max(), difference(changed, other).max()) <= 4
    moved = warp.warp(batch, shear(column(1, 1), none))
    assert torch.equal(moved[:, :, 0, 1:], _halfway(batch[:, :, 0]))


def _halfway(row):
    """Row 0 of an image sheared by one pixel per row moves by half a pixel, to its centre."""
    return ((row[..., :-1].int() + row[..., 1:].int() + 1) // 2).to(torch.uint8)


def test_crop_equals_resized_crop():
    batch = smooth(2, (40, 24))
    matrices = warp.crop(column(4, 0), column(10, 0), column(0.5, 1), column(0.75, 1))
    got = warp.warp(batch, matrices, border="edge")
    expected = vision.resized_crop(batch[0], 10, 4, 30, 12, [40, 24], BILINEAR, antialias=False)
    # Beyond the outermost pixel centres of the part, neighbours outside the part are read.
    assert difference(got[0], expected)[:, 1:-1, 1:-1].max() <= 2
    assert torch.equal(got[1], batch[1])


def test_images_do_not_touch_each_other():
    batch = noise(4, 3, 12, 10)
    matrices = rotation(column(10, 20, 30, 40), (12, 10))
    together = warp.warp(batch, matrices)
    for i in range(4):
        assert torch.equal(together[i : i + 1], warp.warp(batch[i : i + 1], matrices[i : i + 1]))


@pytest.mark.cuda
def test_cuda_gives_the_same_bits():
    batch, matrices = noise(16, 3, 64, 32), rotation(torch.linspace(-90, 90, 16).double(), (64, 32))
    assert torch.equal(warp.warp(batch.cuda(), matrices).cpu(), warp.warp(batch, matrices))
