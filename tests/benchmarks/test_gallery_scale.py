"""Galleries of the benchmark of large ones are galleries, and who is shown is found."""

from benchmarks.gallery_scale import add_entries, ask_gallery, ask_index, fill

ENTRIES, WIDTH = 1300, 64


def test_a_filled_gallery_finds_who_is_shown(tmp_path):
    place = str(tmp_path / "large.gallery")
    assert fill(place, ENTRIES, WIDTH) > 0
    row = ask_gallery(place, WIDTH)
    assert row.open_seconds > 0
    assert row.answer_ms > 0
    for enrolled in (False, True):
        rates = add_entries(place, WIDTH, ENTRIES, 300, at_once=100, enrolled=enrolled)
        assert min(rates) > 0
    assert min(row.query_ms, row.queries_ms) > 0


def test_an_index_of_drawn_vectors_finds_who_is_shown(tmp_path):
    first = ask_index(str(tmp_path), ENTRIES, WIDTH)
    again = ask_index(str(tmp_path), ENTRIES, WIDTH)
    for row in (first, again):
        assert min(row.query_ms, row.queries_ms) > 0
