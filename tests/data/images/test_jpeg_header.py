from __future__ import annotations

import io
import struct

import pytest
from PIL import Image

from promptreid.data.images.jpeg_header import count_plain_pixels


def jpeg(mode: str = "RGB", **options: object) -> bytes:
    buffer = io.BytesIO()
    Image.new(mode, (7, 5)).save(buffer, "JPEG", **options)
    return buffer.getvalue()


@pytest.mark.parametrize("mode", ["RGB", "L"])
@pytest.mark.parametrize("progressive", [False, True])
def test_plain_jpegs(mode: str, progressive: bool) -> None:
    data = jpeg(mode, progressive=progressive, comment=b"a note before the frame")
    assert count_plain_pixels(data) == 35


def test_what_is_not_plain() -> None:
    exif = Image.Exif()
    exif[0x112] = 1
    whole = jpeg()
    assert count_plain_pixels(jpeg(exif=exif)) is None
    assert count_plain_pixels(jpeg(icc_profile=b"profile")) is None
    assert count_plain_pixels(jpeg("CMYK")) is None
    assert count_plain_pixels(whole[:20] + b"\xff" + whole[20:]) is None  # a fill byte
    assert count_plain_pixels(whole[:20] + b"\0" + whole[20:]) is None
    frame = whole.index(b"\xff\xc0")
    twelve = bytearray(whole)
    twelve[frame + 4] = 12
    assert count_plain_pixels(bytes(twelve)) is None
    end = frame + 2 + struct.unpack_from(">H", whole, frame + 2)[0]
    assert count_plain_pixels(whole[:end] + whole[frame:end] + whole[end:]) is None  # two frames


def test_every_cut_is_safe() -> None:
    whole = jpeg()
    scan = whole.index(b"\xff\xda")
    for length in range(len(whole)):
        found = count_plain_pixels(whole[:length])
        assert found is None or length >= scan + 4
    assert count_plain_pixels(b"\x89PNG") is None
