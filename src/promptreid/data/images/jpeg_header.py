"""What a JPEG says before its pixels (ITU-T T.81, annex B), as far as the decoders need it."""

from __future__ import annotations

import struct

_START = b"\xff\xd8\xff"
_FRAMES = frozenset((0xC0, 0xC1, 0xC2))  # baseline, extended and progressive, Huffman coded
_TABLES = frozenset((0xC4, 0xDB, 0xDD, 0xFE))  # DHT, DQT, DRI, comment
_SCAN, _JFIF, _ADOBE = 0xDA, 0xE0, 0xEE


def count_plain_pixels(data: bytes) -> int | None:
    """Count the pixels of a JPEG that holds nothing but pictures: no tags, so it is stored upright.

    Allowed are one frame of 8 bits in grey or three channels, tables, comments, and the marks of
    JFIF and Adobe in their usual length. Whatever is read differently by different programs, such
    as EXIF, XMP, colour profiles, fill bytes, or what is damaged, is not.

    Args:
        data: The bytes of a file.

    Returns:
        Height times width of its frame, or None for every other JPEG and for all other files.
    """
    if not data.startswith(_START):
        return None
    at, pixels = 2, None
    while at + 4 <= len(data) and data[at] == 0xFF:
        marker, length = data[at + 1], (data[at + 2] << 8) + data[at + 3]
        if marker == _SCAN:
            return pixels
        if marker in _FRAMES:
            if pixels is not None or at + 10 > len(data):
                return None
            bits, height, width, channels = struct.unpack_from(">BHHB", data, at + 4)
            if bits != 8 or channels not in (1, 3) or length != 8 + 3 * channels:
                return None
            pixels = height * width
        elif marker == _JFIF:
            if length != 16 or data[at + 4 : at + 9] != b"JFIF\0":
                return None
        elif marker == _ADOBE:
            if length != 14 or data[at + 4 : at + 9] != b"Adobe":
                return None
        elif marker not in _TABLES or length < 2:
            return None
        at += 2 + length
    return None
