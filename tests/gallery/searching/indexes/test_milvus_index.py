"""A collection that lost rows, or holds others, is made good from the records."""

import time

import numpy as np
import pytest
from drawn_records import SETTINGS, WIDTH, draw_vectors, fill_records
from milvus_server import find_reason_not_run, share_server

from promptreid.errors import GalleryError
from promptreid.gallery.gallery_errors import StoreFailedError
from promptreid.gallery.records.open_records import create_records
from promptreid.gallery.searching.conditions import Conditions
from promptreid.gallery.searching.entry_table import EntryTable
from promptreid.gallery.searching.filters import Filters
from promptreid.gallery.searching.indexes import milvus_collection, milvus_index
from promptreid.gallery.searching.indexes.milvus_collection import MilvusCollection
from promptreid.gallery.searching.indexes.milvus_index import MilvusIndex

COUNT = 300


@pytest.fixture(scope="module")
def server():
    reason = find_reason_not_run()
    if reason is not None:
        pytest.skip(reason)
    return share_server()


@pytest.fixture
def place(server):
    return server.new_place()


@pytest.fixture
def records(tmp_path, monkeypatch):
    monkeypatch.setattr(milvus_index, "_FEW", 0)
    made = create_records(str(tmp_path / "people"), SETTINGS)
    fill_records(made, draw_vectors(COUNT))
    return made


class Opened:
    """An index that follows records."""

    def __init__(self, place, records):
        self.index, self.table, self.records = MilvusIndex(place), EntryTable(), records
        self.follow()

    def follow(self):
        with self.records.reading():
            self.index.follow(self.table, self.table.refresh(self.records), self.records)
        self.index.settle()

    def search(self, query, filters=Filters(), length=10):
        return self.index.search(query[None], Conditions(self.table, filters), length)

    def check(self):
        """Compare what is found with a plain product over the records."""
        vectors = self.records.vectors(self.table.entries.tolist())
        for query in draw_vectors(3, seed=9):
            expected = np.sort(vectors @ query)[::-1][:10]
            np.testing.assert_allclose(self.search(query).scores[0], expected, atol=1e-6)


def test_the_best_are_found_and_conditions_kept(place, records):
    opened = Opened(place, records)
    opened.check()
    vectors, query = draw_vectors(COUNT), draw_vectors(1, seed=8)[0]
    found = opened.search(query, Filters(cameras=["door"]), length=95)
    expected = np.sort((vectors @ query)[2::3])[::-1][:95]
    np.testing.assert_allclose(found.scores[0], expected, atol=1e-6)
    assert (found.rows[0] % 3 == 2).all()


@pytest.mark.parametrize("patched_longest", [None, 40])
def test_more_are_asked_for_where_few_may_answer(place, records, patched_longest, monkeypatch):
    if patched_longest is not None:  # where Milvus would give no more, all that may answer are read
        monkeypatch.setattr(milvus_index, "LONGEST", patched_longest)
    opened = Opened(place, records)
    vectors, query = draw_vectors(COUNT), draw_vectors(1, seed=8)[0]
    found = opened.search(query, Filters(identities=None, cameras=["gate"]), length=100)
    assert (found.rows[0] >= 0).sum() == 100
    expected = np.sort((vectors @ query)[0::3])[::-1][:100]
    np.testing.assert_allclose(found.scores[0], expected, atol=1e-6)


def damage_by_loss(collection, table):
    collection.delete(table.entries[:40])


def damage_by_extra(collection, table):
    collection.put(
        np.arange(90_000, 90_005), np.arange(5, dtype=np.uint64), draw_vectors(5, seed=12)
    )


def damage_by_others(collection, table):
    """Rows of the same numbers, as another gallery would have left them."""
    collection.put(table.entries[:20], np.arange(20, dtype=np.uint64), draw_vectors(20, seed=12))


def damage_by_width(collection, table):
    collection.drop()
    collection.prepare(WIDTH + 1)


def damage_by_drop(collection, table):
    collection.drop()


@pytest.mark.parametrize(
    "damage",
    [damage_by_loss, damage_by_extra, damage_by_others, damage_by_width, damage_by_drop],
)
def test_what_differs_is_made_good_at_opening(place, records, damage):
    opened = Opened(place, records)
    table = opened.table
    # It is not closed, as after a kill, so that no note says what the collection is of.
    damage(MilvusCollection(place), table)
    again = Opened(place, records)
    again.check()
    collection = MilvusCollection(place)
    entries, contents = collection.list_rows()
    assert entries.tolist() == table.entries.tolist()
    assert contents.tolist() == table.draws.tolist()


def test_a_note_spares_the_comparison_and_a_change_takes_it_back(place, records, monkeypatch):
    Opened(place, records).index.close()
    compared = []
    make_good = MilvusIndex._make_good
    monkeypatch.setattr(
        MilvusIndex, "_make_good", lambda self: compared.append(1) or make_good(self)
    )
    opened = Opened(place, records)
    assert not compared
    fill_records(records, draw_vectors(5, seed=20))
    opened.follow()
    assert MilvusCollection(place).note() == ""
    opened.check()
    again = Opened(place, records)
    assert compared
    again.check()
    again.index.close()
    damage_by_loss(MilvusCollection(place), again.table)  # which the number of rows betrays
    compared.clear()
    Opened(place, records).check()
    assert compared


def test_rows_that_are_lost_meanwhile_are_found_by_their_number(place, records, monkeypatch):
    opened = Opened(place, records)
    damage_by_loss(MilvusCollection(place), opened.table)
    monkeypatch.setattr(milvus_index, "COMPARED_SECONDS", -1.0)
    opened.check()
    assert MilvusCollection(place).count() == COUNT


@pytest.mark.slow
def test_a_server_that_is_killed_is_told_and_made_good_when_it_is_back(
    server, place, records, monkeypatch
):
    opened = Opened(place, records)
    fill_records(records, draw_vectors(50, seed=21))
    opened.follow()
    server.kill()
    try:
        with monkeypatch.context() as patched:
            patched.setattr(milvus_collection, "_PATIENCE_SECONDS", 1.0)
            for use in (lambda: opened.search(draw_vectors(1)[0]), lambda: Opened(place, records)):
                with pytest.raises(StoreFailedError) as caught:
                    use()
                assert "cannot be used" in str(caught.value)
                assert place in str(caught.value)
    finally:
        server.start()
    open_when_back(place, records).check()
    assert MilvusCollection(place).count() == COUNT + 50


def open_when_back(place, records):
    """Open an index whose server has just come back, which its driver takes a while to see."""
    end = time.monotonic() + 60
    while True:
        try:
            return Opened(place, records)
        except StoreFailedError:
            assert time.monotonic() < end
            time.sleep(0.2)


@pytest.mark.parametrize(
    "url", ["milvus://127.0.0.1:1", "milvus:///people", "milvus://h:port/people", "milvus://h/a-b"]
)
def test_urls_that_name_no_collection_are_refused(url):
    pytest.importorskip("pymilvus")
    with pytest.raises(GalleryError) as caught:
        MilvusCollection(url)
    assert "milvus://[USER:PASSWORD@]HOST" in str(caught.value)


def test_passwords_are_not_told(monkeypatch):
    pytest.importorskip("pymilvus")
    monkeypatch.setattr(milvus_collection, "_PATIENCE_SECONDS", 0.5)
    with pytest.raises(StoreFailedError) as caught:
        MilvusCollection("milvus://me:s3cret@127.0.0.1:1/people?token=s3cret")
    assert "s3cret" not in str(caught.value)
    assert "milvus://127.0.0.1:1/people" in str(caught.value)


def test_a_server_is_not_asked_without_a_call_whether_it_is_there(place, monkeypatch):
    """Servers that follow the usual rules of gRPC end connections that ask (`Too many pings`)."""
    grpc = pytest.importorskip("grpc")
    channels, make = [], grpc.insecure_channel

    def note(target, options=None, **given):
        channels.append(dict(options))
        return make(target, options=options, **given)

    monkeypatch.setattr(grpc, "insecure_channel", note)
    MilvusCollection(place.replace("127.0.0.1", "localhost")).close()  # not a shared connection
    assert channels
    for options in channels:
        assert not options["grpc.keepalive_permit_without_calls"]
        assert options["grpc.keepalive_time_ms"] >= 60_000
