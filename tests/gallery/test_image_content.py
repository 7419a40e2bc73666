"""Content of images: what is kept gives the same pixels, and what was changed is found."""

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from promptreid.data.images.boxes import Box, ImageSource
from promptreid.gallery.image_content import digest_image, find_fault, read_content
from promptreid.gallery.records.record_rows import Picture
from promptreid.gallery.vector_model import GalleryImage


@pytest.fixture
def file(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (40, 30, 3), np.uint8)
    Image.fromarray(pixels).save(tmp_path / "picture.png")
    return tmp_path / "picture.png"


def as_picture(content, *, crop=True):
    kept = content.crop if crop else None
    return Picture(content.digest, kept, content.path, content.box)


def test_a_whole_file_is_kept_byte_by_byte(file):
    content = read_content(GalleryImage(file))
    assert content.crop == file.read_bytes()
    assert (content.path, content.box) == (str(file), "")


def test_pixels_with_the_file_they_come_from_are_the_same_content_as_the_file(file):
    with Image.open(file) as image:
        sent = GalleryImage(np.asarray(image), file=file.read_bytes())
    content = read_content(sent)
    assert content.path is None
    assert (content.digest, content.crop) == (
        read_content(GalleryImage(file)).digest,
        file.read_bytes(),
    )
    assert find_fault(as_picture(content)) is None


@pytest.mark.parametrize("crop", [True, False])
@pytest.mark.parametrize("box", [None, Box(3, 4, 10, 12)])
def test_what_is_kept_is_found_whole_and_what_was_changed_is_not(file, box, crop):
    content = read_content(GalleryImage(ImageSource(file, box)))
    assert find_fault(as_picture(content, crop=crop)) is None
    other = np.random.default_rng(1).integers(0, 256, (40, 30, 3), np.uint8)
    Image.fromarray(other).save(file)
    fault = find_fault(as_picture(content, crop=crop))
    assert (fault is None) == crop
    file.unlink()
    assert (find_fault(as_picture(content, crop=crop)) is None) == crop
    if crop:
        damaged = replace(as_picture(content), crop=content.crop[: len(content.crop) // 2])
        assert find_fault(damaged) is not None
        assert find_fault(replace(as_picture(content), crop=b"")) is not None


def test_a_digest_alone_is_that_of_the_content(file):
    with Image.open(file) as opened:
        pixels = np.asarray(opened)
    for image in (
        GalleryImage(file),
        GalleryImage(ImageSource(file, Box(3, 4, 10, 12))),
        GalleryImage(pixels),
        GalleryImage(Image.fromarray(pixels)),
        GalleryImage(pixels, file=file.read_bytes()),
    ):
        assert digest_image(image) == read_content(image).digest


def test_a_part_and_an_array_of_the_same_pixels_are_the_same_content(file):
    part = read_content(GalleryImage(ImageSource(file, Box(3, 4, 10, 12))))
    with Image.open(file) as image:
        pixels = np.asarray(image)[4:16, 3:13]
    assert read_content(GalleryImage(pixels)).digest == part.digest
    assert read_content(GalleryImage(Image.fromarray(pixels))).digest == part.digest
    assert read_content(GalleryImage(pixels)).path is None
    assert find_fault(as_picture(read_content(GalleryImage(pixels)))) is None
