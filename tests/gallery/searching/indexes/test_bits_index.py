"""Codes differ as the theory says, and files of vectors are wiped, mended and never trusted."""

import math

import numpy as np
import pytest
from gallery_model import PixelModel, draw_people, make_gallery
from hypothesis import given, settings
from hypothesis import strategies as st

from promptreid.errors import GalleryError
from promptreid.gallery.gallery import Gallery
from promptreid.gallery.records.erased_bytes import choose_pieces, find_in_files
from promptreid.gallery.records.sqlite.sqlite_records import SqliteRecords
from promptreid.gallery.searching.conditions import Conditions
from promptreid.gallery.searching.entry_table import EntryTable, TableChange
from promptreid.gallery.searching.filters import Filters
from promptreid.gallery.searching.indexes import (
    bit_codes,
    bits_index,
    code_search,
    index_choice,
    row_segments,
    row_store,
)
from promptreid.gallery.searching.indexes.bit_codes import (
    MISSED,
    BitCoder,
    CodeBlocks,
    draw_rotation,
)
from promptreid.gallery.searching.indexes.bits_index import BitsIndex
from promptreid.gallery.searching.indexes.exact_index import ExactIndex
from promptreid.gallery.searching.indexes.index_choice import delete_files
from promptreid.progress import Silent


@pytest.mark.parametrize("width", [64, 128, 192, 320])
def test_the_rotation_keeps_lengths_and_angles(width):
    rotation = draw_rotation(width)
    np.testing.assert_allclose(rotation @ rotation.T, np.eye(width), atol=1e-5)
    assert abs(rotation).max() < 0.75  # no direction stays alone


def draw_pairs(count, width, cosine, spread):
    """Return a centre, and vectors (count, width) in pairs whose cosine is seen from there."""
    rng = np.random.default_rng(5)
    scale = np.ones(width) if spread == "even" else np.exp(-np.arange(width) / 20)
    first, other = (rng.normal(size=(count, width)) * scale for _ in range(2))
    first /= np.linalg.norm(first, axis=1, keepdims=True)
    other -= (other * first).sum(1, keepdims=True) * first
    other /= np.linalg.norm(other, axis=1, keepdims=True)
    second = 3 * (cosine * first + math.sqrt(1 - cosine**2) * other)
    centre = rng.normal(size=width).astype(np.float32)
    return centre, *((one + centre).astype(np.float32) for one in (first, second))


@pytest.mark.parametrize("cosine", [-0.2, 0.1, 0.5, 0.8, 0.95])
@pytest.mark.parametrize("spread", ["even", "few directions"])
def test_codes_differ_in_no_more_bits_than_is_said(cosine, spread):
    centre, *pairs = draw_pairs(20000, 256, cosine, spread)
    coder = BitCoder(centre)
    codes = [coder.encode(one) for one in pairs]
    bits = np.bitwise_count(codes[0] ^ codes[1])
    differing, first = bits.sum(1), bits[:, :2].sum(1)
    assert (differing > coder.bits_needed(cosine, 4)).mean() <= MISSED / 2
    assert (first > coder.bits_needed(cosine, 2)).mean() <= 2 * MISSED
    assert differing.mean() == pytest.approx(256 * math.acos(cosine) / math.pi, rel=0.05)


@pytest.mark.parametrize("cosine", [-0.2, 0.1, 0.5, 0.8, 0.95])
@pytest.mark.parametrize("spread", ["even", "few directions"])
def test_cosines_are_estimated_as_no_less_than_is_said(cosine, spread):
    centre, queries, vectors = draw_pairs(4000, 200, cosine, spread)
    coder = BitCoder(centre)
    codes = coder.encode(vectors)
    estimates = [
        coder.ask(query).estimate(code[None])[0] for query, code in zip(queries, codes, strict=True)
    ]
    assert (np.array(estimates) < coder.least_estimate(cosine)).mean() <= MISSED / 2
    assert np.mean(estimates) == pytest.approx(cosine, abs=0.01)
    variance = (math.pi / 2 - 1 - cosine**2 / 2) / 256
    assert np.std(estimates) == pytest.approx(math.sqrt(variance), rel=0.1)


def test_blocks_count_what_differs(monkeypatch):
    monkeypatch.setattr(bit_codes, "_COUNTED_AT_A_TIME", 32)
    rng = np.random.default_rng(0)
    codes = rng.integers(0, 2**63, (1000, 3), dtype=np.uint64)
    blocks = CodeBlocks(3, 64)
    for part in np.split(codes, [1, 63, 64, 300]):
        blocks.extend(part)
    asked, words = codes[[7, 8]], slice(1, 3)
    expected = [np.bitwise_count(codes ^ one)[:, words].sum(1) for one in asked]
    counted = [np.zeros(1000, np.uint16), np.full(1000, 5, np.uint16)]

    def in_turn(do, numbers):
        return [*map(do, numbers)]

    near = blocks.add_differing(asked, words, counted, in_turn, [60, 0])
    unlisted = [np.zeros(1000, np.uint16)]
    assert blocks.add_differing(asked[:1], words, unlisted, in_turn) == []
    assert unlisted[0].tolist() == counted[0].tolist()
    assert counted[0].tolist() == expected[0].tolist()
    assert counted[1].tolist() == (expected[1] + 5).tolist()
    assert near[0].tolist() == np.flatnonzero(expected[0] <= 60).tolist()
    assert len(near[1]) == 0
    slots = np.array([0, 63, 64, 70, 999])
    assert blocks.read(slots).tolist() == codes[slots].tolist()
    assert blocks.read(slots, words).tolist() == codes[slots, words].tolist()
    border = blocks.find_border(codes[7], words, 10)
    assert 30 <= (expected[0] <= border).sum() <= 300


def draw_gallery(people, images, width, noise, rng):
    """Return vectors (people * images, width) of length 1 and the identity of each."""
    centres = rng.normal(size=(people, width))
    vectors = np.repeat(centres, images, axis=0) + noise * rng.normal(size=(people * images, width))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors.astype(np.float32), np.repeat(np.arange(people), images)


class ListedVectors:
    """Records as far as an index reads them."""

    def __init__(self, vectors):
        self._vectors = vectors

    def vectors(self, entries):
        return self._vectors[np.array(entries, int) - 1]


def fill_table(identities):
    """Return a table of entries 1 ... N."""
    table, count = EntryTable(), len(identities)
    table.fingerprint = "f" * 64
    table._entries.extend(np.arange(1, count + 1))
    table._codes.extend(identities)
    table.identity_numbers = list(range(identities.max() + 1))
    table._visible.extend(np.ones(count, bool))
    table._draws.extend(np.arange(count))
    table._cameras.extend([f"c{row % 3}" for row in range(count)])
    for name in ("_usable", "_times"):
        getattr(table, name).extend(np.ones(count))
    for name in ("_domains", "_attributes"):
        getattr(table, name).extend(["{}"] * count)
    return table


@settings(max_examples=6, deadline=None, derandomize=True)
@given(
    seed=st.integers(0, 10**6),
    noise=st.floats(0.3, 0.8),
    length=st.integers(1, 6),
    filters=st.sampled_from([Filters(), Filters(cameras=["c1"]), Filters(other_cameras=True)]),
)
def test_short_lists_give_what_all_products_give(tmp_path_factory, seed, noise, length, filters):
    """Lists are a fifth of all rows at most, and how many bits differ says how long they are."""
    rng = np.random.default_rng(seed)
    vectors, identities = draw_gallery(200, 20, 192, noise, rng)
    table, records = fill_table(identities), ListedVectors(vectors)
    exact, bits = ExactIndex(), BitsIndex(tmp_path_factory.mktemp("bits"))
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(row_store, "SEGMENT", 1024)
        patched.setattr(code_search, "_FIRST_WORDS", 2)
        patched.setattr(code_search, "_FIRST_ESTIMATED", 50)
        patched.setattr(code_search, "_MOST_ESTIMATED", 800)
        patched.setattr(bits_index, "_AT_A_TIME", 3)
        patched.setattr(code_search, "_MOST_SCORED", 200)
        for index in (exact, bits):
            index.follow(table, TableChange(anew=True), records)
            index.settle()
        queries = vectors[::400] + noise / 30 * rng.normal(size=(10, 192)).astype(np.float32)
        queries /= np.linalg.norm(queries, axis=1, keepdims=True)
        conditions = Conditions(table, filters, None, ["c0"] * len(queries))
        # Six images of an identity may answer at least, and these stand out from all others.
        right, listed = (index.search(queries, conditions, length) for index in (exact, bits))
    bits.close()
    same = np.isclose(right.scores, listed.scores, atol=1e-5)
    assert same.sum() >= same.size - 1  # of 60 at most, each missed with a chance of 0.2 %


@pytest.fixture
def in_files(monkeypatch):
    """Let small galleries be searched by codes, with vectors in files."""
    monkeypatch.setattr(index_choice, "BITS_FROM", 30)
    for module in (row_store, row_segments):
        monkeypatch.setattr(module, "SEGMENT", 16)
    monkeypatch.setattr(row_store, "_MAPPED", 64 * 32 * 4)  # of the first segments alone


def open_again(folder, index="auto"):
    return Gallery(SqliteRecords.open(folder), PixelModel(), index)


def assert_same(answers, expected):
    """Compare answers; scores may be rounded in other ways."""
    assert len(answers) == len(expected)
    for answer, right in zip(answers, expected, strict=True):
        assert (answer.verdict, answer.identity) == (right.verdict, right.identity)
        for one, other in zip(answer.candidates, right.candidates, strict=True):
            assert (one.identity, one.entry) == (other.identity, other.entry)
            assert one.score == pytest.approx(other.score, abs=1e-5)


def test_a_gallery_goes_over_to_codes_as_it_grows_and_answers_the_same(tmp_path, in_files):
    gallery = make_gallery(tmp_path / "people")
    pictures, names = draw_people(20, 4)
    gallery.add(pictures[:20], names[:20])
    assert gallery._state.index.kind == "exact"
    gallery.add(pictures[20:], names[20:])
    assert gallery._state.index.kind == "bits"
    assert len(list((tmp_path / "people" / "derived").glob("*.rows"))) == 80 // 16
    answers = gallery.search(pictures[:10])
    assert gallery.check() == []
    gallery.close()
    for index in ("auto", "bits", "exact"):
        opened = open_again(tmp_path / "people", index)
        assert_same(opened.search(pictures[:10]), answers)
        assert opened._state.index.kind == ("exact" if index == "exact" else "bits")
        opened.close()
    assert not (tmp_path / "people" / "derived").exists()
    with pytest.raises(GalleryError, match="exact"):
        open_again(tmp_path / "people", "exakt")


class Counted(Silent):
    """Counts what it is told."""

    def __init__(self):
        self.started, self.count = [], 0

    def start(self, title, total, unit):
        """Note a task."""
        self.started.append((total, unit))

    def advance(self, count):
        """Count on."""
        self.count += count


def test_making_an_index_is_told(tmp_path, in_files):
    make_gallery(tmp_path / "people").add(*draw_people(20, 4))
    delete_files(tmp_path / "people" / "derived")
    for expected in ([(80, "entries")], []):
        told = Counted()
        opened = Gallery(SqliteRecords.open(tmp_path / "people"), PixelModel(), progress=told)
        opened.search(draw_people(20, 4)[0][:1])
        assert told.started == expected
        assert told.count == sum(total for total, _ in expected)
        opened.close()


def test_rows_of_a_file_that_was_cut_off_are_refused(tmp_path, in_files):
    gallery = make_gallery(tmp_path / "people")
    gallery.add(*draw_people(20, 4))
    with sorted((tmp_path / "people" / "derived").glob("*.rows"))[0].open("rb+") as file:
        file.truncate(5000)
    with pytest.raises(GalleryError, match="shorter"):
        gallery._state.index.vectors(np.arange(80))


def test_what_is_erased_is_wiped_from_files(tmp_path, in_files):
    gallery = make_gallery(tmp_path / "people")
    gallery.add(*draw_people(20, 4))
    other = open_again(tmp_path / "people")
    other.info()
    numbers = [row.entry for row in gallery.entries("person 3")]
    state = gallery._state
    rows = state.table.find_rows(np.array(numbers))
    codes = state.index.stored_bytes(rows)
    vectors = state.index.vectors(rows)
    files = list((tmp_path / "people" / "derived").iterdir())
    contents = b"".join(path.read_bytes() for path in files)
    assert all(one in contents for one in codes)
    assert all(row.tobytes() in contents for row in vectors)
    other.erase("person 3")
    contents = b"".join(path.read_bytes() for path in files if path.exists())
    assert not any(one in contents for one in codes)
    assert not any(row.tobytes() in contents for row in vectors)
    assert gallery.nearest(draw_people(20, 4)[0][:1], top=3)[0][0].identity != "person 3"
    assert gallery.check() == []


def test_files_that_another_process_has_deleted_need_no_wiping(tmp_path, in_files):
    gallery = make_gallery(tmp_path / "people")
    pictures, names = draw_people(20, 4)
    gallery.add(pictures, names)
    other = open_again(tmp_path / "people", "exact")
    other.info()  # which deletes what it does not need
    assert gallery.erase("person 3").entries == 4
    assert gallery.search(pictures[:1])[0].candidates[0].identity == names[0]
    assert other.check() == []


def test_an_erasure_that_was_stopped_is_finished_in_files_too(tmp_path, in_files, monkeypatch):
    gallery = make_gallery(tmp_path / "people")
    gallery.add(*draw_people(20, 4))
    rows = gallery._state.table.find_rows(
        np.array([row.entry for row in gallery.entries("person 3")])
    )
    vectors = gallery._state.index.vectors(rows)
    pieces = [piece for row in vectors for piece in choose_pieces(row.tobytes())] or [
        row.tobytes()[:32] for row in vectors
    ]

    def stop(index):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(BitsIndex, "settle", stop)
        with pytest.raises(KeyboardInterrupt):
            gallery.erase("person 3")
    files = list((tmp_path / "people").rglob("*"))
    assert find_in_files(files, pieces)
    opened = open_again(tmp_path / "people")
    assert find_in_files((tmp_path / "people").rglob("*"), pieces) == []
    assert opened.check() == []


@pytest.mark.parametrize("damage", ["cut", "empty", "foreign", "gone", "other records", "left"])
def test_files_that_do_not_fit_are_made_anew(tmp_path, in_files, damage):
    gallery = make_gallery(tmp_path / "people")
    pictures, names = draw_people(20, 4)
    gallery.add(pictures, names)
    answers = gallery.search(pictures[:5])
    gallery.close()
    files = sorted((tmp_path / "people" / "derived").iterdir())
    if damage == "cut":
        files[1].write_bytes(files[1].read_bytes()[:-100])
    elif damage == "empty":
        files[1].write_bytes(b"")
    elif damage == "foreign":
        files[1].write_bytes(b"not a segment" * 1000)
    elif damage == "gone":
        files[1].unlink()
    elif damage == "left":
        (files[1].parent / f".{files[1].name}.7-ab.tmp").write_bytes(files[1].read_bytes()[:5000])
    else:
        stranger = make_gallery(tmp_path / "strangers")
        stranger.add(*draw_people(20, 4, seed=9))
        stranger.close()
        for path in files:
            path.unlink()
        for path in (tmp_path / "strangers" / "derived").iterdir():
            path.rename(files[0].parent / path.name)
    opened = open_again(tmp_path / "people")
    assert_same(opened.search(pictures[:5]), answers)
    assert sorted((tmp_path / "people" / "derived").iterdir()) == files
    opened.close()


def test_a_full_disk_leaves_vectors_in_memory(tmp_path, in_files, monkeypatch):
    def refuse(folder, content):
        raise OSError(28, "No space left on device")

    pictures, names = draw_people(20, 4)
    right = make_gallery(tmp_path / "right")
    right.add(pictures, names)
    monkeypatch.setattr(row_store.RowSegment, "write", refuse)
    gallery = make_gallery(tmp_path / "people")
    gallery.add(pictures, names)
    assert gallery._state.index.kind == "bits"
    assert not (tmp_path / "people" / "derived").exists()
    assert_same(gallery.search(pictures[:5]), right.search(pictures[:5]))
