from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from torchvision.transforms import Compose, Normalize, ToTensor

from promptreid.data.images import transforms
from promptreid.data.images.preprocess import CLIP_MEAN, CLIP_STD, Preprocess

FILTERS = {"bicubic": Image.Resampling.BICUBIC, "bilinear": Image.Resampling.BILINEAR}


def noise(*shape, seed=0):
    return torch.randint(
        0, 256, shape, dtype=torch.uint8, generator=torch.Generator().manual_seed(seed)
    )


@pytest.mark.parametrize("interpolation", FILTERS)
@pytest.mark.parametrize(
    ("source", "target"),
    [((128, 64), (256, 128)), ((301, 97), (256, 128)), ((50, 200), (32, 16)), ((9, 5), (9, 5))],
)
def test_resize_equals_pillow(interpolation, source, target):
    image = noise(3, *source)
    # In two steps, because the order in which one step does them depends on Pillow's version.
    rows = (target[1], source[0])
    expected = Image.fromarray(image.permute(1, 2, 0).numpy())
    expected = expected.resize(rows, FILTERS[interpolation])
    expected = expected.resize(target[::-1], FILTERS[interpolation])
    got = transforms.resize(image, target, interpolation)
    assert got.shape == (3, *target)
    assert got.dtype == torch.uint8
    assert np.abs(got.permute(1, 2, 0).numpy().astype(int) - np.asarray(expected)).max() <= 1


def test_resize_of_a_photograph_equals_one_step_pillow():
    """Without pixel noise the order of the two steps hardly matters."""
    small = noise(3, 12, 8).permute(1, 2, 0).numpy()
    photo = Image.fromarray(small).resize((97, 301), Image.Resampling.BICUBIC)
    got = transforms.resize(
        torch.from_numpy(np.array(photo)).permute(2, 0, 1), (256, 128), "bicubic"
    )
    expected = photo.resize((128, 256), Image.Resampling.BICUBIC)
    assert np.abs(got.permute(1, 2, 0).numpy().astype(int) - np.asarray(expected)).max() <= 2


def test_resize_does_not_depend_on_memory_layout():
    image = noise(3, 40, 30)
    strided = image.permute(1, 2, 0).contiguous().permute(2, 0, 1)
    a, b = (transforms.resize(x, (64, 32), "bicubic") for x in (image, strided))
    assert (a.int() - b.int()).abs().max() <= 1


def test_normalize_equals_torchvision_to_the_bit():
    batch = noise(5, 3, 8, 6)
    preprocess = Preprocess((8, 6), mean=CLIP_MEAN, std=CLIP_STD)
    published = Compose([ToTensor(), Normalize(CLIP_MEAN, CLIP_STD)])
    expected = torch.stack([published(image.permute(1, 2, 0).numpy()) for image in batch])
    before = batch.clone()
    got = transforms.normalize(batch, preprocess)
    assert got.dtype == torch.float32
    assert torch.equal(got, expected)
    assert torch.equal(batch, before)
    assert torch.equal(transforms.normalize(batch[0], preprocess), expected[0])


def test_flip_mirrors_only_the_named():
    batch = noise(3, 3, 4, 5)
    got = transforms.flip(batch, torch.tensor([True, False, True]))
    assert torch.equal(transforms.flip_at_once(batch, torch.tensor([True, False, True])), got)
    assert torch.equal(got[0], batch[0].flip(-1))
    assert torch.equal(got[1], batch[1])
    assert torch.equal(got[2], batch[2].flip(-1))


@given(st.integers(1, 5), st.integers(1, 7), st.integers(1, 6), st.integers(0, 4), st.data())
@settings(max_examples=60, deadline=None)
def test_pad_crop_equals_reference(count, height, width, pad, data):
    offsets = st.lists(st.integers(0, 2 * pad), min_size=count, max_size=count)
    top, left = data.draw(offsets), data.draw(offsets)
    batch = noise(count, 3, height, width)
    expected = torch.zeros_like(batch)
    for b in range(count):
        for y in range(height):
            for x in range(width):
                from_y, from_x = y + top[b] - pad, x + left[b] - pad
                if 0 <= from_y < height and 0 <= from_x < width:
                    expected[b, :, y, x] = batch[b, :, from_y, from_x]
    offsets = torch.tensor(top), torch.tensor(left)
    got = transforms.pad_crop(batch, *offsets, pad=pad)
    assert torch.equal(transforms.pad_crop_at_once(batch, *offsets, pad=pad), got)
    assert torch.equal(got, expected)


def test_erase_equals_reference():
    generator = torch.Generator().manual_seed(3)
    batch = torch.randn(4, 3, 12, 9, generator=generator)
    boxes = torch.tensor([[0, 0, 12, 9], [2, 3, 4, 5], [0, 0, 0, 0], [11, 8, 1, 1]])
    assert transforms.noise_size(boxes, 3) == 3 * (108 + 20 + 0 + 1)
    values = torch.randn(transforms.noise_size(boxes, 3), generator=generator)
    expected, used = batch.clone(), 0
    for image, (top, left, tall, wide) in zip(expected, boxes.tolist(), strict=True):
        size = 3 * tall * wide
        image[:, top : top + tall, left : left + wide] = values[used : used + size].view(
            3, tall, wide
        )
        used += size
    at_once = transforms.erase_at_once(batch.clone(), boxes, values)
    assert torch.equal(at_once, expected)
    assert transforms.erase(batch, boxes, values) is batch
    assert torch.equal(batch, expected)
