"""Damaged pictures of every format: pixels or a sentence, and the process lives on."""

import io

import numpy as np
import pytest
import torch
from damage import damaged, fuzz, survives
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, features

from promptreid.data.images.decode import UnreadableImage, read_image

PIXELS = np.random.default_rng(3).integers(0, 255, (24, 16, 3), dtype=np.uint8)


def encoded(kind: str, **options: object) -> bytes:
    memory = io.BytesIO()
    image = Image.fromarray(PIXELS)
    if kind == "JPEG":
        exif = Image.Exif()
        exif[274] = 6
        options = {"exif": exif, **options}
    image.save(memory, kind, **options)
    return memory.getvalue()


SOURCES = {
    "jpeg": encoded("JPEG"),
    "progressive": encoded("JPEG", progressive=True),
    "png": encoded("PNG"),
    "gif": encoded("GIF"),
    "bmp": encoded("BMP"),
    "tiff": encoded("TIFF", compression="tiff_lzw"),
    "ppm": encoded("PPM"),
    **({"webp": encoded("WEBP")} if features.check("webp") else {}),
}


@pytest.mark.slow
@fuzz(700)
@given(kind=st.sampled_from(sorted(SOURCES)), data=st.data())
def test_damaged_pictures(tmp_path_factory, kind, data):
    path = tmp_path_factory.mktemp("fuzz") / f"x.{kind}"
    path.write_bytes(data.draw(damaged(SOURCES[kind])))
    found = survives(lambda: read_image(path))
    if isinstance(found, Exception):
        assert isinstance(found, UnreadableImage)
        assert found.path == path
    else:
        assert found.dtype == torch.uint8
        assert found.shape[0] == 3
        assert found.numel() > 0


@fuzz(150)
@given(st.binary(max_size=64))
def test_bytes_that_are_no_picture(tmp_path_factory, content):
    path = tmp_path_factory.mktemp("fuzz") / "x.jpg"
    path.write_bytes(content)
    survives(lambda: read_image(path))


@pytest.mark.parametrize("kind", sorted(SOURCES))
def test_the_undamaged_pictures_are_read(kind, tmp_path):
    path = tmp_path / "x"
    path.write_bytes(SOURCES[kind])
    assert read_image(path).shape[0] == 3
