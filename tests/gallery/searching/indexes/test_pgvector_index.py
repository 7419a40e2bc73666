"""What pgvector finds is what a plain product finds, however close vectors lie."""

import numpy as np
import pytest
from drawn_records import SETTINGS, draw_vectors, fill_records
from postgres_server import find_reason_not_run, share_server

from promptreid.errors import GalleryError
from promptreid.gallery.records.open_records import create_records
from promptreid.gallery.searching.conditions import Conditions
from promptreid.gallery.searching.entry_table import EntryTable
from promptreid.gallery.searching.filters import Filters
from promptreid.gallery.searching.indexes import pgvector_index
from promptreid.gallery.searching.indexes.pgvector_index import PgvectorIndex

COUNT = 1500


@pytest.fixture(scope="module")
def records():
    reason = find_reason_not_run()
    if reason is not None:
        pytest.skip(reason)
    made = create_records(share_server().new_place(), SETTINGS)
    # A hundred rows nearly the same, which vectors of 16 bits do not tell apart.
    close = draw_vectors(1, seed=3) + 1e-5 * np.random.default_rng(4).normal(size=(100, 48))
    close /= np.linalg.norm(close, axis=1, keepdims=True)
    vectors = np.concatenate([draw_vectors(COUNT - 100), close.astype(np.float32)])
    made.drawn = vectors
    fill_records(made, vectors)
    return made


def follow(index, records):
    table = EntryTable()
    with records.reading():
        index.follow(table, table.refresh(records), records)
    index.settle()
    return table


def naive(vectors, query, allowed, length):
    scores = vectors.astype(np.float64) @ query.astype(np.float64)
    scores[~allowed] = -np.inf
    return np.sort(scores)[::-1][:length]


@pytest.mark.parametrize("length", [1, 20, 150])
@pytest.mark.parametrize("filters", [Filters(), Filters(cameras=["gate"])], ids=["all", "gate"])
def test_the_best_are_found_exactly(records, length, filters):
    index = PgvectorIndex()
    table = follow(index, records)
    queries = np.concatenate([draw_vectors(6, seed=1), records.drawn[-2:]])
    found = index.search(queries, Conditions(table, filters), length)
    allowed = np.array([n % 3 == 0 or not filters.cameras for n in range(COUNT)])
    for place, query in enumerate(queries):
        expected = naive(records.drawn, query, allowed, length)
        np.testing.assert_allclose(found.scores[place], expected, atol=2e-6)
        assert len(set(found.rows[place].tolist())) == length
        assert allowed[found.rows[place]].all()


def test_more_are_asked_for_where_16_bits_do_not_settle_it(records, monkeypatch):
    index = PgvectorIndex()
    table = follow(index, records)
    limits = []
    nearest = type(records).nearest
    monkeypatch.setattr(
        type(records),
        "nearest",
        lambda self, query, where, limit, **rest: (
            limits.append(limit) or nearest(self, query, where, limit, **rest)
        ),
    )
    index.search(records.drawn[-1:], Conditions(table), 5)
    assert len(limits) > 1
    limits.clear()
    index.search(draw_vectors(1, seed=2), Conditions(table), 5)
    assert len(limits) == 1


def test_rounding_is_less_than_is_reckoned_with(records):
    for seed in range(5):
        query = draw_vectors(1, seed=seed)[0]
        entries, rounded = records.nearest(query, [], COUNT)
        exact = records.vectors(entries.tolist()) @ query
        assert np.abs(exact - rounded).max() < pgvector_index.ROUNDING / 2


def test_a_graph_finds_nearly_all_and_is_used(records):
    index = PgvectorIndex(graph=True)
    table = follow(index, records)
    queries = draw_vectors(20, seed=5)
    plain = PgvectorIndex()
    follow(plain, records)
    found = index.search(queries, Conditions(table), 10).rows
    expected = plain.search(queries, Conditions(table), 10).rows
    hits = [len(set(a) & set(b)) for a, b in zip(found.tolist(), expected.tolist(), strict=True)]
    assert sum(hits) >= 190
    records.execute("SET enable_seqscan = off")
    try:
        plan = records.execute(
            "EXPLAIN SELECT entry FROM vectors WHERE model = 1 ORDER BY "
            f"searched::halfvec(48) <#> '{queries[0].tolist()}'::halfvec(48) LIMIT 5"
        )
    finally:
        records.execute("RESET enable_seqscan")
    assert any("vectors_graph_1" in row[0] for row in plan)


def test_records_in_a_folder_are_refused(tmp_path):
    made = create_records(str(tmp_path / "people"), SETTINGS)
    fill_records(made, draw_vectors(2))
    with pytest.raises(GalleryError, match="PostgreSQL"):
        follow(PgvectorIndex(), made)


def test_the_bytes_that_an_erasure_looks_for_are_those_in_the_table(records):
    index = PgvectorIndex()
    follow(index, records)
    [content] = index.stored_bytes(np.array([7]))
    assert content == records.drawn[7].astype("<f2").tobytes()
    records.execute("CHECKPOINT")
    [(path,)] = records.execute("SELECT pg_relation_filepath('vectors')")
    assert content in (share_server().data / path).read_bytes()
