"""What was erased is found in raw content wherever it stands, and only what is there."""

import pytest

from promptreid.gallery.records.erased_bytes import LENGTH, find_in_chunks


@pytest.mark.parametrize("byte", [b"\x00", b"\x7f", b"\xff"])
def test_one_piece_is_found_whatever_number_its_first_bytes_make(byte):
    piece = byte * 8 + b"x" * (LENGTH - 8)
    assert find_in_chunks([b"ab" + piece + b"cd"], [piece]) == [piece]
    assert find_in_chunks([b"ab" * 40], [piece]) == []
