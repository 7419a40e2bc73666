from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from promptreid.data.images.decode import read_image
from promptreid.data.images.image_files import UnreadableImage
from promptreid.data.images.image_formats import FORMATS, HEIC, RAW, SUFFIXES, why_not_by_content

NOT_PHOTOGRAPHS = {
    "PostScript, which another program is run for": ("EPS",),
    "drawings of Windows, drawn on Windows only": ("WMF",),
    "icons and cursors": ("ICNS", "ICO", "CUR"),
    "textures of games": ("BLP", "DDS", "FTEX"),
    "brushes, bitmaps of C sources, old Windows": ("GBR", "XBM", "XPM", "MSP"),
    "layered drawings": ("PSD",),
    "old or plotted animations, many-page faxes": ("FLI", "DCX"),
    "names that are used for other things": ("IM", "IPTC", "PIXAR"),
    "scientific grids, which Pillow only names": ("BUFR", "FITS", "GRIB", "HDF5"),
    "film, which Pillow only names": ("MPEG",),
}
FLOATING_POINT = (".pfm",)


def test_every_ending_that_pillow_opens_is_decided() -> None:
    Image.init()
    known = {
        suffix: format_ for suffix, format_ in Image.registered_extensions().items()
        if format_ in Image.OPEN
    }  # fmt: skip
    for suffix, format_ in SUFFIXES.items():
        assert known[suffix] in (format_, "DIB"), suffix
    refused = {name for names in NOT_PHOTOGRAPHS.values() for name in names}
    undecided = {
        suffix: format_
        for suffix, format_ in known.items()
        if suffix not in SUFFIXES and suffix not in FLOATING_POINT and format_ not in refused
    }
    assert not undecided
    assert not refused & set(FORMATS)
    assert set(FORMATS) <= set(Image.OPEN)
    assert not (HEIC | RAW) & set(SUFFIXES)


@pytest.mark.parametrize(
    ("suffix", "format_"), [(s, f) for s, f in SUFFIXES.items() if f not in ("SUN", "PCD")]
)
def test_every_ending_is_read(tmp_path, suffix: str, format_: str) -> None:
    image = Image.fromarray(np.full((24, 16, 3), (10, 120, 200), np.uint8))
    path = tmp_path / f"a{suffix}"
    image.save(path, format=format_)
    pixels = read_image(path)
    assert pixels.shape == (3, 24, 16)
    assert (pixels.float().mean((1, 2)).numpy().round() - (10, 120, 200)).max() < 12


def test_programs_are_never_run_for_a_picture(tmp_path) -> None:
    buffer = io.BytesIO()
    Image.new("RGB", (4, 4)).save(buffer, "EPS")
    (tmp_path / "a.jpg").write_bytes(buffer.getvalue())
    with pytest.raises(UnreadableImage, match="it is a PostScript drawing"):
        read_image(tmp_path / "a.jpg")


@pytest.mark.parametrize("brand", ["heic", "mif1", "heix"])
@pytest.mark.parametrize("name", ["a.heic", "a.jpg"])
def test_heic_is_named(tmp_path, name: str, brand: str) -> None:
    (tmp_path / name).write_bytes(b"\0\0\0\x18ftyp" + brand.encode() + b"\0" * 40)
    with pytest.raises(UnreadableImage, match=r"it is a HEIC picture, .* convert it to JPEG"):
        read_image(tmp_path / name)


def test_raw_camera_files_are_not_read_by_their_preview(tmp_path) -> None:
    Image.new("RGB", (4, 4)).save(tmp_path / "a.NEF", format="TIFF")
    with pytest.raises(UnreadableImage, match="raw camera file"):
        read_image(tmp_path / "a.NEF")


def test_other_content_is_named_where_it_is_known() -> None:
    assert "PDF" in why_not_by_content(b"%PDF-1.7 and so on")
    assert "ZIP" in why_not_by_content(b"PK\x03\x04 and so on")
    assert why_not_by_content(b"") == "its contents are in no known image format"
