"""A picture of which several boxes are read in a row is decoded once."""

import os
from pathlib import Path

import pytest
from marked_frames import colour_of, draw_frame
from PIL import Image

from promptreid.data.images import shared_pictures
from promptreid.data.images.boxes import Box, ImageSource
from promptreid.data.images.image_files import UnreadableImage
from promptreid.data.images.image_store import ImageStore, readable_indices
from promptreid.data.images.shared_pictures import SharedPictures
from promptreid.data.pixel_cache.pixel_cache import stamp_file

BOXES = {"a": (4, 2, 14, 42), "b": (60, 10, 75, 60)}


@pytest.fixture
def images(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[list[ImageSource], list[Path]]:
    """Boxes on three frames, and the files that were decoded so far."""
    read, decoded = shared_pictures.read_image, []
    monkeypatch.setattr(
        shared_pictures, "read_image", lambda image: decoded.append(image.path) or read(image)
    )
    sources = []
    for frame in range(3):
        draw_frame(tmp_path / f"{frame}.png", BOXES)
        sources += [
            ImageSource(tmp_path / f"{frame}.png", Box.of_edges(*edges)) for edges in BOXES.values()
        ]
    return sources, decoded


def test_a_store_decodes_each_frame_once(images: tuple[list[ImageSource], list[Path]]) -> None:
    sources, decoded = images
    store = ImageStore(sources, (8, 4), "bilinear", disk=None, threads=1)
    pixels = store.batch(range(6))
    assert [tuple(image.flatten(1).unique(dim=1).flatten().tolist()) for image in pixels] == [
        colour_of("a"),
        colour_of("b"),
    ] * 3
    assert [path.stem for path in decoded] == ["0", "1", "2"]


def test_a_check_decodes_each_frame_once(images: tuple[list[ImageSource], list[Path]]) -> None:
    sources, decoded = images
    beyond = ImageSource(sources[0].path, Box(90, 10, 10, 10))
    outside = ImageSource(sources[0].path, Box(100, 10, 10, 10))
    seen = readable_indices([beyond, outside, *sources], threads=1)
    assert (seen.good, seen.clipped) == ([0, 2, 3, 4, 5, 6, 7], [0])
    assert "outside" in seen.bad[0].reason
    assert [path.stem for path in decoded] == ["0", "1", "2"]


def test_a_damaged_frame_is_named_for_each_of_its_boxes(tmp_path: Path) -> None:
    (tmp_path / "0.png").write_bytes(b"no image")
    pictures = shared_pictures.SharedPictures()
    for box in (Box(0, 0, 2, 2), Box(1, 1, 2, 2)):
        with pytest.raises(UnreadableImage, match=r"0\.png"):
            pictures.read(ImageSource(tmp_path / "0.png", box))


@pytest.mark.parametrize("box", [None, Box(0, 0, 9, 9)])
def test_bytes_that_were_read_already_are_decoded_whatever_the_file_is(
    tmp_path: Path, box: Box | None
) -> None:
    path, contents = tmp_path / "a.png", []
    for brightness in (0, 255):
        Image.new("RGB", (24, 20), (brightness,) * 3).save(path)
        contents.append(path.read_bytes())
    pictures = SharedPictures()
    for content, brightness in ((contents[0], 0), (None, 255), (contents[0], 0)):
        source = ImageSource(path, box, content)
        assert pictures.read(source).unique().tolist() == [brightness]
    os.utime(path, (1, 1))
    assert stamp_file(ImageSource(path, box)) is not None
    assert stamp_file(ImageSource(path, box, contents[0])) is None
