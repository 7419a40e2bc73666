from __future__ import annotations

import pickle
import struct
import zlib

import numpy as np
import pytest
import torch
from PIL import Image, ImageOps
from torchvision.io import decode_image

from promptreid.data.images import decode as images
from promptreid.data.images.decode import read_image, to_uint8
from promptreid.data.images.image_files import UnreadableImage
from promptreid.errors import DataError, PromptReIDError

ORIENTATION = 274


def picture(height=37, width=23, seed=0):
    """A smooth random RGB picture with sizes that are no multiple of a JPEG block."""
    small = np.random.default_rng(seed).integers(0, 256, (6, 5, 3), dtype=np.uint8)
    return Image.fromarray(small).resize((width, height), Image.Resampling.BICUBIC)


def through_pillow(path):
    with Image.open(path) as image:
        return as_tensor(ImageOps.exif_transpose(image).convert("RGB"))


def as_tensor(image):
    return torch.from_numpy(np.array(image)).permute(2, 0, 1)


@pytest.mark.parametrize("quality", [30, 75, 95])
@pytest.mark.parametrize("subsampling", [0, 1, 2])
@pytest.mark.parametrize("progressive", [False, True])
def test_jpeg_equals_pillow(tmp_path, quality, subsampling, progressive):
    path = tmp_path / "a.jpg"
    picture().save(path, quality=quality, subsampling=subsampling, progressive=progressive)
    pixels = read_image(path)
    assert pixels.shape == (3, 37, 23)
    assert pixels.dtype == torch.uint8
    assert (pixels.int() - through_pillow(path).int()).abs().max() <= 1


@pytest.mark.parametrize(
    ("name", "mode"),
    [
        ("grey.jpg", "L"),
        ("cmyk.jpg", "CMYK"),
        ("grey.png", "L"),
        ("one_bit.png", "1"),
        ("palette.png", "P"),
        ("rgb.png", "RGB"),
        ("palette.gif", "P"),
        ("rgb.webp", "RGB"),
        ("rgb.bmp", "RGB"),
        ("rgb.tiff", "RGB"),
        ("cmyk.tiff", "CMYK"),
        ("rgb.ppm", "RGB"),
    ],
)
def test_other_formats_equal_pillow(tmp_path, name, mode):
    picture().convert(mode).save(tmp_path / name)
    pixels = read_image(tmp_path / name)
    assert pixels.shape == (3, 37, 23)
    assert torch.equal(pixels, through_pillow(tmp_path / name))


def test_no_trust_in_the_suffix(tmp_path):
    picture().save(tmp_path / "a.jpg", format="PNG")
    assert torch.equal(read_image(tmp_path / "a.jpg"), as_tensor(picture()))


@pytest.mark.parametrize(
    ("mode", "suffix"),
    [("RGBA", "png"), ("RGBA", "webp"), ("RGBA", "tiff"), ("LA", "png"), ("LA", "tiff")],
)
def test_alpha_is_dropped_not_composited(tmp_path, mode, suffix):
    opaque = picture().convert(mode[:-1])
    clear = opaque.copy()
    clear.putalpha(Image.fromarray(np.arange(37 * 23, dtype=np.uint8).reshape(37, 23)))
    options = {"lossless": True, "exact": True} if suffix == "webp" else {}
    clear.save(tmp_path / f"a.{suffix}", **options)
    assert torch.equal(read_image(tmp_path / f"a.{suffix}"), as_tensor(opaque.convert("RGB")))


@pytest.mark.parametrize(("mode", "clear"), [("P", 0), ("L", 9), ("RGB", (1, 2, 3))])
def test_png_with_one_clear_colour(tmp_path, mode, clear):
    picture().convert(mode).save(tmp_path / "a.png", transparency=clear)
    assert torch.equal(read_image(tmp_path / "a.png"), through_pillow(tmp_path / "a.png"))


@pytest.mark.parametrize("bits", [1, 2, 4])
def test_png_with_a_small_palette(tmp_path, bits):
    picture().quantize(2**bits).save(tmp_path / "a.png", bits=bits)
    assert torch.equal(read_image(tmp_path / "a.png"), through_pillow(tmp_path / "a.png"))


@pytest.mark.parametrize("suffix", ["png", "tiff", "pgm"])
def test_sixteen_bit_grey_is_scaled(tmp_path, suffix):
    values = np.random.default_rng(1).integers(0, 65536, (9, 7), dtype=np.uint16)
    values[0, :3] = 0, 65535, 257 * 100
    Image.fromarray(values).save(tmp_path / f"a.{suffix}")
    expected = np.round(values / 257).astype(np.uint8)
    pixels = read_image(tmp_path / f"a.{suffix}")
    assert pixels.shape == (3, 9, 7)
    assert all(np.array_equal(channel.numpy(), expected) for channel in pixels)


@pytest.mark.parametrize("alpha", [False, True])
def test_sixteen_bit_colour_png_is_scaled(tmp_path, alpha):
    channels = 4 if alpha else 3
    values = np.random.default_rng(2).integers(0, 65536, (5, 4, channels), dtype=np.uint16)
    (tmp_path / "a.png").write_bytes(_png16(values))
    pixels = read_image(tmp_path / "a.png").permute(1, 2, 0).numpy()
    assert np.array_equal(pixels, (values[:, :, :3] >> 8).astype(np.uint8))


def _png16(values):
    """Write a 16-bit RGB or RGBA PNG by hand: Pillow cannot."""

    def chunk(kind, body):
        return (
            struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        )

    height, width, channels = values.shape
    header = struct.pack(">IIBBBBB", width, height, 16, {3: 2, 4: 6}[channels], 0, 0, 0)
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in values)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(rows))
        + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("suffix", ["jpg", "png", "webp", "tiff"])
def test_exif_orientation_is_applied(tmp_path, orientation, suffix):
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    path = tmp_path / f"a.{suffix}"
    picture().save(path, exif=exif)
    pixels = read_image(path)
    assert pixels.shape[1:] == ((23, 37) if orientation >= 5 else (37, 23))
    assert (pixels.int() - through_pillow(path).int()).abs().max() <= 1


@pytest.mark.parametrize("suffix", ["jpg", "png", "bmp", "webp", "tiff"])
@pytest.mark.parametrize("part", [0.3, 0.6, 0.95])
def test_truncated_file_is_named(tmp_path, suffix, part):
    path = tmp_path / f"cut.{suffix}"
    picture(120, 80).save(path)
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * part)])
    with pytest.raises(UnreadableImage) as caught:
        read_image(path)
    assert caught.value.path == path
    assert str(path) in str(caught.value)
    assert caught.value.reason


def test_truncated_jpeg_says_so(tmp_path):
    path = tmp_path / "cut.jpg"
    picture(120, 80).save(path)
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(UnreadableImage, match="truncated"):
        read_image(path)


def test_files_that_are_no_images(tmp_path):
    (tmp_path / "empty.jpg").touch()
    (tmp_path / "text.jpg").write_text("not a photograph")
    (tmp_path / "folder.jpg").mkdir()
    reasons = {
        "empty.jpg": "the file is empty",
        "text.jpg": "its contents are in no known image format",
        "folder.jpg": "it is a directory",
        "missing.jpg": "there is no such file",
    }
    for name, reason in reasons.items():
        with pytest.raises(UnreadableImage) as caught:
            read_image(tmp_path / name)
        assert caught.value.reason == reason
        said = str(caught.value)
        assert said.startswith(f"The image {tmp_path / name} cannot be read: {reason}.")
        assert "--unreadable skip" in said


@pytest.mark.parametrize("dtype", [np.float32, np.int32])
def test_pixels_without_a_brightness_range_are_refused(tmp_path, dtype):
    Image.fromarray(np.ones((4, 4), dtype=dtype)).save(tmp_path / "a.tiff")
    with pytest.raises(UnreadableImage, match="32 bits"):
        read_image(tmp_path / "a.tiff")


def test_absurd_sizes_are_refused_before_decoding(tmp_path):
    small = _png16(np.zeros((1, 1, 3), dtype=np.uint16))
    header = b"IHDR" + struct.pack(">IIBBBBB", 30_000, 30_000, 8, 2, 0, 0, 0)
    bomb = small[:12] + header + struct.pack(">I", zlib.crc32(header)) + small[33:]
    (tmp_path / "bomb.png").write_bytes(bomb)
    with pytest.raises(UnreadableImage, match="too many pixels"):
        read_image(tmp_path / "bomb.png")


def test_absurd_jpeg_sizes_are_refused_before_decoding(tmp_path):
    picture().save(tmp_path / "a.jpg")
    data = bytearray((tmp_path / "a.jpg").read_bytes())
    frame = data.index(b"\xff\xc0")
    data[frame + 5 : frame + 9] = struct.pack(">HH", 60_000, 60_000)
    (tmp_path / "a.jpg").write_bytes(data)
    with pytest.raises(UnreadableImage, match="too many pixels"):
        read_image(tmp_path / "a.jpg")


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("suffix", ["jpg", "png", "bmp", "webp", "tiff", "gif"])
def test_damaged_files_never_end_the_process(tmp_path, suffix):
    path = tmp_path / f"a.{suffix}"
    picture(60, 40).save(path)
    whole = path.read_bytes()
    refused = 0
    for seed in range(60):
        rng = np.random.default_rng(seed)
        data = bytearray(whole)
        for place in rng.integers(2, len(data), 4):
            data[place] = rng.integers(256)
        path.write_bytes(data[: rng.integers(2, len(data) + 1)] if seed % 2 else data)
        try:
            pixels = read_image(path)
        except UnreadableImage:
            refused += 1
        else:
            assert pixels.shape[0] == 3
            assert pixels.dtype == torch.uint8
    assert refused > 15


def test_fast_decoder_is_used_for_ordinary_jpegs_only(tmp_path, monkeypatch):
    decoded = []
    monkeypatch.setattr(
        images,
        "decode_image",
        lambda data, *args, **options: (decoded.append(1), decode_image(data, *args, **options))[1],
    )
    for mode, suffix, calls in (
        ("RGB", "jpg", 1),
        ("L", "jpg", 1),
        ("CMYK", "jpg", 0),
        ("RGB", "png", 0),
    ):
        decoded.clear()
        picture().convert(mode).save(tmp_path / f"a.{suffix}", comment=b"a note before the frame")
        read_image(tmp_path / f"a.{suffix}")
        assert len(decoded) == calls


def test_error_is_one_of_ours_and_survives_pickling(tmp_path):
    error = UnreadableImage(tmp_path / "a.jpg", "it is late")
    assert isinstance(error, DataError)
    assert isinstance(error, PromptReIDError)
    again = pickle.loads(pickle.dumps(error))
    assert (again.path, again.reason, str(again)) == (error.path, error.reason, str(error))


class TestToUint8:
    @pytest.mark.parametrize("mode", ["RGB", "L", "RGBA", "CMYK", "P", "1", "YCbCr"])
    def test_pillow_image(self, mode):
        image = picture().convert(mode)
        assert torch.equal(to_uint8(image), as_tensor(image.convert("RGB")))

    def test_sixteen_bit_pillow_image(self):
        image = Image.fromarray(np.array([[0, 32896, 65535]], dtype=np.uint16))
        assert to_uint8(image)[0].tolist() == [[0, 128, 255]]

    def test_open_file_equals_read_image(self, tmp_path):
        exif = Image.Exif()
        exif[ORIENTATION] = 6
        picture().save(tmp_path / "a.png", exif=exif)
        with Image.open(tmp_path / "a.png") as image:
            assert torch.equal(to_uint8(image), read_image(tmp_path / "a.png"))

    def test_truncated_pillow_image(self, tmp_path):
        picture(120, 80).save(tmp_path / "a.png")
        data = (tmp_path / "a.png").read_bytes()
        (tmp_path / "a.png").write_bytes(data[: len(data) // 2])
        with Image.open(tmp_path / "a.png") as image, pytest.raises(DataError, match="truncated"):
            to_uint8(image)

    @pytest.mark.parametrize("channels", [1, 3, 4])
    def test_array(self, channels):
        array = np.random.default_rng(0).integers(0, 256, (5, 4, channels), dtype=np.uint8)
        pixels = to_uint8(array)
        for channel in range(3):
            expected = array[:, :, channel if channels > 1 else 0]
            assert np.array_equal(pixels[channel].numpy(), expected)

    def test_flat_and_wide_arrays(self):
        flat = np.array([[1, 2], [3, 4]], dtype=np.uint8)
        assert to_uint8(flat).tolist() == [[[1, 2], [3, 4]]] * 3
        wide = flat.astype(np.uint16) * 257
        assert to_uint8(wide).tolist() == [[[1, 2], [3, 4]]] * 3

    def test_reversed_channels_and_read_only_arrays_are_copied(self):
        array = np.arange(24, dtype=np.uint8).reshape(2, 4, 3)
        array.setflags(write=False)
        pixels = to_uint8(array[:, :, ::-1])
        assert np.array_equal(pixels.permute(1, 2, 0).numpy(), array[:, :, ::-1])
        pixels.zero_()
        assert array.max() == 23

    @pytest.mark.parametrize(
        "array",
        [
            np.zeros((4, 4, 3), dtype=np.float32),
            np.zeros((3, 4, 4), dtype=np.int64),
            np.zeros((4, 4, 2), dtype=np.uint8),
            np.zeros((2, 4, 4, 3), dtype=np.uint8),
            np.zeros((0, 4, 3), dtype=np.uint8),
            np.zeros(4, dtype=np.uint8),
        ],
    )
    def test_other_arrays_are_refused_in_words(self, array):
        with pytest.raises(DataError, match="must be") as caught:
            to_uint8(array)
        assert str(array.shape) in str(caught.value)
        assert str(array.dtype) in str(caught.value)
