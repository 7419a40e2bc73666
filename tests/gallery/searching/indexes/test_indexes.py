"""The contract of indexes; every kind is put through all of it, and compared with loops."""

import numpy as np
import pytest
from gallery_model import draw_people, make_gallery

from promptreid.gallery.searching.aggregate import Aggregate, identity_scores
from promptreid.gallery.searching.conditions import Conditions
from promptreid.gallery.searching.entry_table import EntryTable
from promptreid.gallery.searching.filters import Filters
from promptreid.gallery.searching.identity_ranking import IdentityRanking
from promptreid.gallery.searching.indexes import row_store
from promptreid.gallery.searching.indexes.bit_codes import BitCoder
from promptreid.gallery.searching.indexes.bits_index import BitsIndex
from promptreid.gallery.searching.indexes.exact_index import ExactIndex
from promptreid.gallery.vector_model import GalleryImage

KINDS = ("exact", "bits", "bits by codes")
"""Kinds of index; the last one never scores all rows without a look at the codes."""


def make_index(kind, folder, patch):
    if kind == "exact":
        return ExactIndex()
    patch.setattr(row_store, "SEGMENT", 64)
    if kind == "bits by codes":  # with lists as long as can be, so that answers are exact
        patch.setattr(BitsIndex, "_list_few", lambda *_: None)
        patch.setattr(BitCoder, "bits_needed", lambda *_: 64)
        patch.setattr(BitCoder, "least_estimate", lambda *_: -9)
    return BitsIndex(folder / "derived")


@pytest.fixture(scope="module")
def gallery(tmp_path_factory):
    made = make_gallery(tmp_path_factory.mktemp("indexed") / "people")
    pictures, names = draw_people(60, 5, seed=3, families=4, noise=60)
    images = [
        GalleryImage(
            picture,
            camera=None if row % 7 == 0 else f"c{row % 3}",
            time=None if row % 5 == 0 else float(row),
            attributes={"coat": ("red", "blue")[row % 2]},
        )
        for row, picture in enumerate(pictures)
    ]
    made.add(images, names)
    made.hide("person 11")
    made.hide(entries=[row.entry for row in made.entries("person 12")[:2]])
    yield made
    made.close()


@pytest.fixture(params=KINDS)
def opened(request, gallery, tmp_path, monkeypatch):
    """A table, an index of a kind that has followed it, and the records."""
    table, index = EntryTable(), make_index(request.param, tmp_path, monkeypatch)
    with gallery.records.reading():
        index.follow(table, table.refresh(gallery.records), gallery.records)
    index.settle()
    yield table, index, gallery.records
    index.close()


CONDITIONS = {
    "all": Filters(),
    "camera": Filters(cameras=["c1"]),
    "time": Filters(since=100, until=210),
    "attribute": Filters(attributes={"coat": ["red"]}),
    "people": Filters(identities=["person 3", "person 20"]),
    "other cameras": Filters(other_cameras=True),
    "few of other cameras": Filters(since=40, until=60, other_cameras=True),
    "none": Filters(cameras=["nowhere"]),
}


def ask(table, records, filters, cameras):
    numbers = None
    if filters.identities is not None:
        numbers = [records.identity(name).identity for name in filters.identities]
    return Conditions(table, filters, numbers, cameras)


def draw_queries(table, index, count=9):
    rng = np.random.default_rng(8)
    rows = rng.choice(len(table), count, replace=False)
    queries = index.vectors(rows) + rng.normal(0, 0.1, (count, 32)).astype(np.float32)
    queries /= np.linalg.norm(queries, axis=1, keepdims=True)
    return queries, [None if one % 4 == 0 else f"c{one % 4}" for one in range(count)]


def naive_mask(records, table, filters, cameras):
    """Say by the definition which rows may answer each query."""
    rows = {row.entry: row for row, _ in records.entries()}
    names = records.names()
    mask = np.zeros((len(cameras), len(table)), bool)
    for place, number in enumerate(table.entries.tolist()):
        row = rows[number]
        fits = not row.hidden
        fits &= filters.cameras is None or row.camera in filters.cameras
        fits &= filters.identities is None or names[row.identity] in filters.identities
        fits &= filters.since is None or (row.time is not None and row.time >= filters.since)
        fits &= filters.until is None or (row.time is not None and row.time <= filters.until)
        fits &= all(row.attributes.get(key) in value for key, value in filters.attributes.items())
        for query, camera in enumerate(cameras):
            other = not filters.other_cameras or camera is None or row.camera != camera
            mask[query, place] = fits and other
    return mask


@pytest.mark.parametrize("name", CONDITIONS)
def test_the_nearest_are_those_of_a_full_sort(opened, name):
    table, index, records = opened
    queries, cameras = draw_queries(table, index)
    conditions = ask(table, records, CONDITIONS[name], cameras)
    scores = queries.astype(np.float64) @ records.vectors(table.entries.tolist()).T
    mask = naive_mask(records, table, CONDITIONS[name], cameras)
    scores[~mask] = -np.inf
    for length in (1, 17, 1000):
        near = index.search(queries, conditions, length)
        for place in range(len(queries)):
            expected = np.sort(scores[place][mask[place]])[::-1][:length]
            listed = near.rows[place] >= 0
            assert listed.sum() == len(expected)
            np.testing.assert_allclose(near.scores[place][listed], expected, atol=2e-6)
            rows = near.rows[place][listed]
            assert len(set(rows.tolist())) == len(rows)
            np.testing.assert_allclose(scores[place, rows], expected, atol=2e-6)
            assert (near.scores[place][~listed] == -np.inf).all()


@pytest.mark.parametrize("name", CONDITIONS)
@pytest.mark.parametrize("text", ["best", "mean-of-2", "mean-of-4", "mean-vector"])
@pytest.mark.parametrize("excluding", [False, True])
def test_identities_are_ranked_as_if_all_were_scored(opened, name, text, excluding):
    table, index, records = opened
    queries, cameras = draw_queries(table, index)
    conditions = ask(table, records, CONDITIONS[name], cameras)
    aggregate = Aggregate.parse(text)
    ranking = IdentityRanking(aggregate, table, index)
    excluded = np.arange(len(queries)) if excluding else None
    ranked = ranking.rank(queries, conditions, 7, excluded)
    mask = naive_mask(records, table, CONDITIONS[name], cameras)
    vectors = records.vectors(table.entries.tolist())
    count = len(table.identity_numbers)
    scores = identity_scores(queries, vectors, table.codes.astype(int), count, mask, aggregate)
    for place, one in enumerate(ranked):
        if excluding:
            scores[place, excluded[place]] = -np.inf
        expected = np.sort(scores[place][scores[place] > -np.inf])[::-1][:7]
        np.testing.assert_allclose(one.scores, expected, atol=2e-6)
        np.testing.assert_allclose(scores[place, one.codes], expected, atol=2e-6)
        rows, best = ranking.find_best_entries(queries[place], place, conditions, one.codes)
        for row, score, code in zip(rows, best, one.codes, strict=True):
            own = np.flatnonzero((table.codes == code) & mask[place])
            assert row in own
            assert score == pytest.approx((vectors[own] @ queries[place]).max(), abs=2e-6)


@pytest.mark.parametrize("kind", KINDS)
def test_an_index_follows_what_is_added_hidden_and_erased(tmp_path, kind, monkeypatch):
    gallery = make_gallery(tmp_path / "people")
    pictures, names = draw_people(12, 4)
    table, index = EntryTable(), make_index(kind, tmp_path, monkeypatch)
    if kind != "exact":
        monkeypatch.setattr(row_store, "SEGMENT", 7)

    def compare():
        with gallery.records.reading():
            index.follow(table, table.refresh(gallery.records), gallery.records)
        index.settle()
        numbers = sorted(gallery.records.entry_numbers().tolist())
        assert table.entries.tolist() == numbers
        rows = np.arange(len(numbers))
        assert np.array_equal(index.vectors(rows), gallery.records.vectors(numbers))
        queries = index.vectors(rows[:5])
        near = index.search(queries, Conditions(table), 3)
        assert near.rows.shape == (5, min(3, len(numbers)))
        visible = {row.entry for row, _ in gallery.records.entries() if not row.hidden}
        assert set(table.entries[near.rows].ravel().tolist()) <= visible

    gallery.add(pictures[:20], names[:20])
    compare()
    gallery.add(pictures[20:40], names[20:40])
    gallery.hide("person 2")
    compare()
    gallery.erase("person 1")
    gallery.add(pictures[40:], names[40:])
    compare()
    gallery.erase(entries=[table.entries.tolist()[-1]])
    gallery.unhide("person 2")
    compare()
    index.clear()
    table.clear()
    compare()
    index.close()
    gallery.close()
