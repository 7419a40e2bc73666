"""Boxes are cut out of frames by supervision's rules, in whatever order the colours come."""

import numpy as np
import pytest
import torch
from facts import lacking
from PIL import Image

from promptreid.errors import DataError
from promptreid.inference.trackers.frame_crops import crop_boxes

FRAME = np.random.default_rng(0).integers(0, 256, (20, 30, 3), dtype=np.uint8)


def naive_crop(frame, box):
    """Round each corner to the nearest whole number, halves to even; then clip."""
    height, width = frame.shape[:2]
    left, top, right, bottom = (round(float(value)) for value in box)
    left, right = max(0, min(left, width)), max(0, min(right, width))
    top, bottom = max(0, min(top, height)), max(0, min(bottom, height))
    return frame[top:bottom, left:right]


def test_boxes_are_rounded_and_clipped():
    rng = np.random.default_rng(1)
    boxes = np.concatenate([rng.uniform(-10, 35, (200, 4)), rng.integers(-5, 35, (50, 4)) + 0.5])
    crops = crop_boxes(FRAME, boxes, bgr=False)
    wanted = [naive_crop(FRAME, box) for box in boxes]
    kept = [row for row, crop in enumerate(wanted) if crop.size]
    assert 20 < len(kept) < 240
    assert (crops.rows.tolist(), crops.count) == (kept, 250)
    for crop, row in zip(crops.images, kept, strict=True):
        assert np.array_equal(crop, wanted[row])


def test_colours_of_arrays_are_turned_and_no_others(tmp_path):
    box = [[2, 3, 12, 17]]
    rgb = FRAME[3:17, 2:12]
    Image.fromarray(FRAME).save(tmp_path / "frame.png")
    turned = np.ascontiguousarray(FRAME[..., ::-1])
    for frame in (
        turned,
        Image.fromarray(FRAME),
        tmp_path / "frame.png",
        str(tmp_path / "frame.png"),
    ):
        (crop,) = crop_boxes(frame, box, bgr=True).images
        assert np.array_equal(crop, rgb)
        assert crop.flags.c_contiguous
    (crop,) = crop_boxes(FRAME, torch.tensor(box), bgr=False).images
    assert np.array_equal(crop, rgb)


def test_boxes_without_a_pixel_are_left_out():
    boxes = [
        [5, 5, 5, 9],
        [9, 9, 5, 5],
        [40, 2, 50, 9],
        [np.nan, 0, 3, 3],
        [0, 0, np.inf, 3],
        [0, 0, 2, 2],
    ]
    crops = crop_boxes(FRAME, boxes, bgr=True)
    assert (crops.rows.tolist(), crops.count) == ([5], 6)
    for empty in ([], np.zeros((0, 4)), torch.zeros(0, 4)):
        crops = crop_boxes(FRAME, empty, bgr=True)
        assert (crops.images, crops.count) == ([], 0)


@pytest.mark.parametrize(
    ("frame", "boxes", "facts"),
    [
        (FRAME, [1, 2, 3, 4], ["(N, 4)", "(4,)"]),
        (FRAME, [[1, 2, 3]], ["(N, 4)", "(1, 3)"]),
        (FRAME, [["a", 2, 3, 4]], ["no numbers"]),
        (FRAME[..., 0], [[1, 2, 3, 4]], ["(H, W, 3)", "(20, 30)"]),
        (FRAME / 255, [[1, 2, 3, 4]], ["uint8", "float64"]),
    ],
)
def test_what_is_no_frame_or_no_boxes_is_said(frame, boxes, facts):
    with pytest.raises(DataError) as caught:
        crop_boxes(frame, boxes, bgr=True)
    assert not lacking(str(caught.value), *facts)
