"""Which files are taken for photographs: by name in folders, by content when they are opened."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

SUFFIXES: Mapping[str, str] = MappingProxyType(
    {
        **dict.fromkeys((".jpg", ".jpeg", ".jpe", ".jfif"), "JPEG"),
        **dict.fromkeys((".png", ".apng"), "PNG"),
        **dict.fromkeys((".bmp", ".dib"), "BMP"),
        **dict.fromkeys((".tif", ".tiff"), "TIFF"),
        ".webp": "WEBP",
        ".gif": "GIF",
        **dict.fromkeys((".avif", ".avifs"), "AVIF"),
        **dict.fromkeys((".jp2", ".j2k", ".j2c", ".jpc", ".jpf", ".jpx"), "JPEG2000"),
        **dict.fromkeys((".ppm", ".pgm", ".pbm", ".pnm"), "PPM"),
        **dict.fromkeys((".tga", ".icb", ".vda", ".vst"), "TGA"),
        ".pcx": "PCX",
        ".ras": "SUN",
        **dict.fromkeys((".sgi", ".rgb", ".rgba", ".bw"), "SGI"),
        ".pcd": "PCD",
        ".qoi": "QOI",
    }
)
"""Ending of a file name, in small letters, to the format that Pillow decodes.

Not among them is what Pillow also opens but what is no photograph or needs another program:
PostScript (runs Ghostscript), metafiles, icons and cursors, textures of games, layered drawings,
animations of plotters, floating-point and scientific grids (HDF5, FITS, GRIB), film.
"""

FORMATS = tuple(dict.fromkeys((*SUFFIXES.values(), "DIB")))
"""Pillow's formats that are tried on a file's content, whatever its name."""

HEIC = frozenset((".heic", ".heif", ".heics", ".heifs", ".hif"))
RAW = frozenset(
    (
        *(".3fr", ".arw", ".cr2", ".cr3", ".crw", ".dng", ".erf", ".iiq", ".kdc", ".mef", ".mos"),
        *(".mrw", ".nef", ".nrw", ".orf", ".pef", ".raf", ".rw2", ".rwl", ".sr2", ".srf", ".srw"),
        ".x3f",
    )
)

_HEIC_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1")
_OTHERS = (
    (b"%PDF", "it is a PDF document, not a photograph"),
    (b"%!PS", "it is a PostScript drawing, not a photograph"),
    (b"\x89HDF", "it is an HDF5 file, not a photograph"),
    (b"PK\x03\x04", "it is a ZIP archive, not a photograph"),
)


def why_not_by_content(data: bytes) -> str:
    """Say what a file is in which no known image format was found, by its first bytes."""
    if data[4:8] == b"ftyp" and data[8:12] in _HEIC_BRANDS:
        return "it is a HEIC picture, which is not decoded here; convert it to JPEG"
    known = (words for start, words in _OTHERS if data.startswith(start))
    return next(known, "its contents are in no known image format")
