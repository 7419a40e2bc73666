"""Which index searches which records."""

import sys

import pytest
from drawn_records import SETTINGS
from facts import lacking

from promptreid.errors import GalleryError
from promptreid.gallery.records.open_records import create_records
from promptreid.gallery.searching.indexes.exact_index import ExactIndex
from promptreid.gallery.searching.indexes.index_choice import check_index, choose_index
from promptreid.progress import Silent


@pytest.fixture
def records(tmp_path):
    return create_records(str(tmp_path / "people"), SETTINGS)


def test_an_index_that_is_none_is_refused():
    with pytest.raises(GalleryError) as caught:
        check_index("exacd")
    assert not lacking(str(caught.value), "exacd", "hnsw", "pgvector")


@pytest.mark.parametrize("name", ["pgvector", "hnsw"])
def test_what_searches_a_database_is_refused_for_a_folder(records, name):
    with pytest.raises(GalleryError) as caught:
        choose_index(check_index(name), 0, records, ExactIndex(), Silent())
    assert not lacking(str(caught.value), name, "PostgreSQL", records.place)


def test_a_missing_package_is_told_with_what_installs_it(records, monkeypatch):
    for name in [name for name in sys.modules if ".indexes.milvus_" in name]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "pymilvus", None)
    with pytest.raises(GalleryError) as caught:
        choose_index(check_index("milvus://host/people"), 0, records, ExactIndex(), Silent())
    assert not lacking(str(caught.value), "promptreid[milvus]")
