"""A check finds a null sample that is out of date, and none where an index missed somebody."""

from contextlib import nullcontext
from dataclasses import replace

import numpy as np
import pytest
from gallery_model import draw_people, make_gallery, open_gallery

from promptreid.gallery.searching import null_sample
from promptreid.gallery.searching.indexes import index_choice, row_store
from promptreid.gallery.upkeep import gallery_check
from promptreid.progress import Silent


@pytest.fixture(params=["exact", "bits"])
def gallery(request, tmp_path, monkeypatch):
    monkeypatch.setattr(row_store, "SEGMENT", 16)
    if request.param == "bits":
        monkeypatch.setattr(index_choice, "BITS_FROM", 30)
    made = make_gallery(tmp_path / "people")
    made.add(*draw_people(20, 4))
    assert made._state.index.kind == request.param
    yield made
    made.close()


def change_rows(gallery, *changes):
    """Write other values into the first rows of the null sample."""
    rows = [replace(row, **change) for row, change in zip(gallery.records.null_rows(), changes)]
    with gallery.records.writing():
        gallery.records.put_null_rows(rows, [])


@pytest.mark.parametrize("aggregate", ["best", "mean-of-2", "mean-vector"])
def test_rivals_score_what_is_kept(tmp_path, aggregate):
    made = make_gallery(tmp_path / aggregate, aggregate=aggregate)
    made.add(*draw_people(20, 4))
    assert made.check() == []
    change_rows(made, {"score": 0.97})
    [finding] = made.check()
    assert "1 of 20" in finding.problem
    made.mend()
    assert made.check() == []
    made.close()


def test_a_score_or_a_rival_that_is_another_is_found(gallery):
    kept = gallery.records.null_rows()
    worst = min(kept, key=lambda row: row.score).rival
    change_rows(
        gallery, {"score": kept[0].score + 0.01}, {"rival": 999}, {"score": -1.0, "rival": worst}
    )
    [finding] = gallery.check()
    assert "3 of 20" in finding.problem


def miss_the_best(index, monkeypatch):
    """Let searches miss the best entry of another identity."""
    search = type(index).search

    def search_and_miss(self, queries, conditions, length):
        near = search(self, queries, conditions, length)
        codes = conditions.table.codes[near.rows]
        for rows, scores, shown in zip(near.rows, near.scores, codes):
            rival = shown[np.flatnonzero(shown != shown[0])[0]]
            scores[:] = np.append(scores[shown != rival], np.full((shown == rival).sum(), -np.inf))
            rows[:] = np.append(rows[shown != rival], np.full((shown == rival).sum(), -1))
        return near

    monkeypatch.setattr(type(index), "search", search_and_miss)


def test_whom_a_search_from_scratch_misses_is_no_problem_where_it_may_miss(gallery, monkeypatch):
    miss_the_best(gallery._state.index, monkeypatch)
    assert gallery.check() == []


def test_a_better_rival_is_a_problem_where_all_are_found(gallery):
    """One row in ten may have missed a rival when the gallery was another, but not of `exact`."""
    state = gallery._state
    row = gallery.records.null_rows()[0]
    code = state.table.identity_codes[
        next(one for one in state.table.identity_numbers if one not in (row.identity, row.rival))
    ]
    rows = state.table.find_rows(np.array([row.entry]))
    score = state.ranking.score_one_each(state.index.vectors(rows), np.array([code]))[0]
    change_rows(gallery, {"score": float(score), "rival": state.table.identity_numbers[code]})
    assert len(gallery.check()) == (state.index.kind == "exact")


class Counting(Silent):
    def __init__(self):
        self.counted = {}

    def start(self, title, total, unit):
        self.counted[title] = [total, 0]
        self._title = title

    def advance(self, count):
        self.counted[self._title][1] += count


def test_reading_the_file_is_told_before_images_are_counted(gallery):
    told = Counting()
    told.doing = lambda text: nullcontext(told.counted.setdefault(text))
    assert gallery.check(told) == []
    reading, counted = list(told.counted)
    assert gallery.records.place in reading
    assert told.counted[reading] is None
    assert told.counted[counted] == [80, 80]


def test_comparing_many_is_counted(gallery, monkeypatch):
    monkeypatch.setattr(null_sample, "_SEARCHED_AT_A_TIME", 8)
    told = Counting()
    gallery.mend(told)
    assert told.counted == {"comparing identities": [20, 20]}


def test_others_write_while_a_null_sample_is_computed_anew(tmp_path, monkeypatch):
    made = make_gallery(tmp_path / "gallery")
    pictures, names = draw_people(20, 4)
    made.add(pictures[:60], names[:60])
    other = open_gallery(tmp_path / "gallery")
    other.records._connection.execute("PRAGMA busy_timeout = 100")

    def compute_slowly(*given, **options):
        computed = null_sample.null_from_scratch(*given, **options)
        other.add(pictures[60:], names[60:])
        other.erase(names[0])
        return computed

    with monkeypatch.context() as patched:
        patched.setattr(gallery_check, "null_from_scratch", compute_slowly)
        made.mend()
    assert len(made.records.null_rows()) == 19
    assert made.check() == []
    assert other.check() == []


def test_a_store_is_rewritten_only_where_an_erasure_left_that_to_do(gallery, monkeypatch):
    done = []
    monkeypatch.setattr(type(gallery.records), "compact", lambda records: done.append(records))
    gallery.mend()
    assert done == []
    with gallery.records.writing():
        gallery.records.require_compaction()
    gallery.mend()
    assert done == [gallery.records]
