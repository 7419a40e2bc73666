"""One picture, two decoders: whatever the head of a file says, both give the same pixels."""

from __future__ import annotations

import io
import itertools
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image, ImageOps
from torch import Tensor

from promptreid.data.images.decode import read_image, to_uint8
from promptreid.data.images.image_files import UnreadableImage
from promptreid.data.images.orientation import orientation_of, upright_pixels
from promptreid.errors import DataError

HEIGHT, WIDTH = 24, 16
BYTE, TEXT, SHORT, LONG, RATIONAL, SIGNED, DOUBLE = 1, 2, 3, 4, 5, 8, 12
TAG = 0x112


def grid() -> np.ndarray:
    """Blocks of eight pixels, which JPEG keeps well, no two orientations alike."""
    small = np.random.default_rng(0).integers(0, 255, (HEIGHT // 8, WIDTH // 8, 3))
    return small.repeat(8, 0).repeat(8, 1).astype(np.uint8)


def plain_jpeg(mode: str = "RGB", **options: object) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(grid()).convert(mode).save(buffer, "JPEG", quality=95, **options)
    return buffer.getvalue()


def segment(marker: int, body: bytes) -> bytes:
    return b"\xff" + bytes([marker]) + struct.pack(">H", len(body) + 2) + body


def tiff(value: int, order: str = "<", kind: int = SHORT, count: int = 1) -> bytes:
    """A TIFF head with one directory, which holds the orientation alone."""
    cell = {
        BYTE: lambda: struct.pack("4B", value, 0, 0, 0),
        TEXT: lambda: str(value).encode() + b"\0\0\0",
        SHORT: lambda: struct.pack(order + "HH", value, 0),
        LONG: lambda: struct.pack(order + "I", value),
        RATIONAL: lambda: struct.pack(order + "I", 26),
        SIGNED: lambda: struct.pack(order + "hh", value, 0),
        DOUBLE: lambda: struct.pack(order + "I", 26),
    }[kind]()
    far = {
        RATIONAL: struct.pack(order + "II", value, 1),
        DOUBLE: struct.pack(order + "d", value),
    }.get(kind, b"")
    mark = b"II" if order == "<" else b"MM"
    head = mark + struct.pack(order + "HI", 42, 8)
    entry = struct.pack(order + "HHI", TAG, kind, count) + cell
    return head + struct.pack(order + "H", 1) + entry + struct.pack(order + "I", 0) + far


def exif(body: bytes) -> bytes:
    return segment(0xE1, b"Exif\0\0" + body)


def xmp(text: str) -> bytes:
    packet = (
        '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-'
        f'syntax-ns#"><rdf:Description {text}</rdf:Description></rdf:RDF></x:xmpmeta>'
    )
    return segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0" + packet.encode())


def xmp_attribute(value: int) -> bytes:
    return xmp(f'xmlns:tiff="http://ns.adobe.com/tiff/1.0/" tiff:Orientation="{value}">')


def xmp_element(value: int) -> bytes:
    return xmp(f"><tiff:Orientation>{value}</tiff:Orientation>")


def xmp_empty() -> bytes:
    return xmp(">")


PLACES: dict[str, Callable[[int], bytes]] = {
    "exif": lambda o: exif(tiff(o)),
    "exif, big-endian": lambda o: exif(tiff(o, ">")),
    "exif behind xmp": lambda o: xmp_empty() + exif(tiff(o)),
    "xmp behind exif": lambda o: exif(tiff(o)) + xmp_empty(),
    "exif before another orientation in xmp": lambda o: exif(tiff(o)) + xmp_attribute(o % 8 + 1),
    "another orientation in xmp before exif": lambda o: xmp_attribute(o % 8 + 1) + exif(tiff(o)),
    "xmp alone": xmp_attribute,
    "element of xmp alone": xmp_element,
    "two xmp segments": lambda o: xmp_attribute(o % 8 + 1) + xmp_attribute(o),
    "behind a comment and a profile": lambda o: (
        segment(0xFE, b"a comment") + segment(0xE2, b"of no known kind") + exif(tiff(o))
    ),
    "behind a foreign segment of the same marker": lambda o: (
        segment(0xE1, b"somebody's own\0") + exif(tiff(o))
    ),
    "one directory over two segments": lambda o: exif(tiff(o)[:14]) + exif(tiff(o)[14:]),
    "behind fill bytes": lambda o: b"\xff\xff" + exif(tiff(o)),
}
TYPES = list(
    itertools.product((BYTE, TEXT, SHORT, LONG, RATIONAL, SIGNED, DOUBLE), "<>", (1, 2), range(10))
)
DAMAGED = {
    "cut head": tiff(6)[:5],
    "cut directory": tiff(6)[:15],
    "nothing": b"",
    "no TIFF": b"XX" + tiff(6)[2:],
    "directory behind the end": b"II" + struct.pack("<HI", 42, 4000),
    "directory at itself": b"II" + struct.pack("<HI", 42, 0),
    "endless directory": b"II" + struct.pack("<HIH", 42, 8, 65535),
    "no such type": tiff(6, kind=SHORT).replace(struct.pack("<HH", TAG, SHORT), b"\x12\x01\x63\0"),
    "many values": tiff(6, count=1 << 30),
    "no value": tiff(6, count=0),
    "value out of range": tiff(200),
}


def with_segments(data: bytes, *segments: bytes) -> bytes:
    """Put segments behind the first one."""
    end = 4 + int.from_bytes(data[4:6], "big")
    return data[:end] + b"".join(segments) + data[end:]


def read_both(path: Path, data: bytes) -> tuple[Tensor, Tensor]:
    path.write_bytes(data)
    with Image.open(path) as image:
        return read_image(path), to_uint8(image)


def as_stored(array: np.ndarray, orientation: int) -> np.ndarray:
    """Turn an upright picture the way that a camera stores it."""
    return {
        1: array,
        2: array[:, ::-1],
        3: array[::-1, ::-1],
        4: array[::-1],
        5: array.transpose(1, 0, 2),
        6: np.rot90(array, 1),
        7: array[::-1, ::-1].transpose(1, 0, 2),
        8: np.rot90(array, -1),
    }[orientation]


@pytest.mark.parametrize("mode", ["RGB", "L"])
@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_place_of_a_jpeg(tmp_path: Path, place: str, orientation: int, mode: str) -> None:
    data = with_segments(plain_jpeg(mode), PLACES[place](orientation))
    ours, pillows = read_both(tmp_path / "a.jpg", data)
    assert torch.equal(ours, pillows)
    with Image.open(io.BytesIO(data)) as image:
        expected = np.array(ImageOps.exif_transpose(image).convert("RGB"))
    assert np.array_equal(ours.permute(1, 2, 0).numpy(), expected)
    with Image.open(io.BytesIO(plain_jpeg(mode))) as image:
        stored = np.array(image.convert("RGB"))
    assert np.array_equal(as_stored(ours.permute(1, 2, 0).numpy(), orientation), stored)


def test_every_type_of_tag(tmp_path: Path) -> None:
    turned = 0
    for kind, order, count, value in TYPES:
        data = with_segments(plain_jpeg(), exif(tiff(value, order, kind, count)))
        ours, pillows = read_both(tmp_path / "a.jpg", data)
        assert torch.equal(ours, pillows), (kind, order, count, value)
        turned += ours.shape[1] == WIDTH
    assert turned >= 24  # from 5 on, in both byte orders, at least as short, long and signed


@pytest.mark.parametrize("damage", DAMAGED)
@pytest.mark.parametrize("suffix", ["jpg", "png", "webp"])
def test_damaged_tags_leave_a_picture_as_it_is_stored(
    tmp_path: Path, damage: str, suffix: str
) -> None:
    path = tmp_path / f"a.{suffix}"
    if suffix == "jpg":
        ours, pillows = read_both(path, with_segments(plain_jpeg(), exif(DAMAGED[damage])))
    else:
        buffer = io.BytesIO()
        options = {"lossless": True} if suffix == "webp" else {}
        Image.fromarray(grid()).save(buffer, suffix, exif=b"Exif\0\0" + DAMAGED[damage], **options)
        ours, pillows = read_both(path, buffer.getvalue())
    assert torch.equal(ours, pillows)
    assert ours.shape == (3, HEIGHT, WIDTH)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("suffix", ["png", "webp", "tiff", "avif", "jp2"])
def test_other_formats(tmp_path: Path, suffix: str, orientation: int) -> None:
    tags = Image.Exif()
    tags[TAG] = orientation
    path = tmp_path / f"a.{suffix}"
    options = {"lossless": True} if suffix == "webp" else {}
    Image.fromarray(as_stored(grid(), orientation).copy()).save(path, exif=tags, **options)
    ours, pillows = read_both(path, path.read_bytes())
    assert torch.equal(ours, pillows)
    if suffix != "jp2":  # Pillow writes no tags there
        assert ours.shape == (3, HEIGHT, WIDTH)
    if suffix in ("png", "webp", "tiff"):
        assert np.array_equal(ours.permute(1, 2, 0).numpy(), grid())


def test_colour_marks_of_adobe(tmp_path: Path) -> None:
    for transform in (0, 1, 2, 9):
        mark = segment(0xEE, b"Adobe" + struct.pack(">HHHB", 100, 0, 0, transform))
        whole = with_segments(plain_jpeg(), mark)
        bare = whole[:2] + mark + plain_jpeg()[20:]
        for data in (whole, bare):
            ours, pillows = read_both(tmp_path / "a.jpg", data)
            assert torch.equal(ours, pillows)


def test_unusual_orientations_are_upright() -> None:
    image = Image.new("RGB", (2, 3))
    for value, expected in ((6.0, 6), (9, 1), (0, 1), (b"\x06", 1), ("6", 1), ((6, 6), 1)):
        image.getexif()[TAG] = value
        assert orientation_of(image) == expected


def test_pixels_are_turned_as_images_are() -> None:
    pixels = torch.arange(24, dtype=torch.uint8).reshape(3, 2, 4)
    for orientation in range(1, 9):
        array = as_stored(upright_pixels(pixels, orientation).permute(1, 2, 0).numpy(), orientation)
        assert np.array_equal(array, pixels.permute(1, 2, 0).numpy())
        assert upright_pixels(pixels, orientation).is_contiguous()


BASES = [
    plain_jpeg(),
    plain_jpeg("L", progressive=True),
    with_segments(plain_jpeg(progressive=True), exif(tiff(6)), xmp_attribute(3)),
    with_segments(plain_jpeg(subsampling=2), xmp_element(8), exif(tiff(5, ">", LONG))),
    with_segments(plain_jpeg(), segment(0xE2, b"ICC_PROFILE\0\1\1profile"), exif(tiff(7))),
    with_segments(plain_jpeg(), segment(0xE2, b"MPF\0" + tiff(1)), exif(tiff(2))),
]


@settings(
    max_examples=400, derandomize=True, deadline=None, suppress_health_check=list(HealthCheck)
)
@given(
    base=st.sampled_from(BASES),
    changes=st.lists(
        st.tuples(st.integers(2, 700), st.integers(0, 255), st.booleans()), min_size=1, max_size=4
    ),
    end=st.integers(0, 40),
)
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_mutated_heads_are_read_alike_or_refused(
    tmp_path_factory: pytest.TempPathFactory,
    base: bytes,
    changes: list[tuple[int, int, bool]],
    end: int,
) -> None:
    data = bytearray(base)
    for place, value, insert in changes:
        if insert:
            data.insert(place, value)
        else:
            data[place % len(data)] = value
    data = data[: len(data) - end] if end > 30 else data
    path = tmp_path_factory.getbasetemp() / "mutated.jpg"
    path.write_bytes(data)
    try:
        ours = read_image(path)
    except UnreadableImage:
        ours = None
    try:
        with Image.open(path) as image:
            pillows = to_uint8(image)
    except (DataError, OSError, SyntaxError, ValueError, TypeError, KeyError):
        pillows = None
    assert (ours is None) == (pillows is None)
    if ours is not None and pillows is not None:
        assert torch.equal(ours, pillows)
