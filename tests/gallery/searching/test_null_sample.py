"""The null sample, kept up to date change by change, is the one that is computed from scratch."""

import numpy as np
import pytest
from gallery_model import draw_people, make_gallery, open_gallery

from promptreid.gallery.searching import null_sample
from promptreid.gallery.searching.conditions import Conditions
from promptreid.gallery.searching.filters import Filters
from promptreid.gallery.searching.indexes import exact_index
from promptreid.gallery.searching.indexes.exact_index import multiply
from promptreid.gallery.searching.null_sample import null_from_scratch
from promptreid.gallery.searching.search_state import SearchState


def naive_null(records, aggregate):
    """Compute the null sample by loops over the entries of some records."""
    entries = [
        (row, vector.astype(np.float64)) for row, vector in records.entries() if not row.hidden
    ]
    by_identity = {}
    for row, vector in entries:
        by_identity.setdefault(row.identity, []).append((row, vector))
    null = {}
    for identity, own in by_identity.items():
        entry, query = min(own, key=lambda pair: pair[0].content_hash)
        scores = []
        for other, images in by_identity.items():
            if other == identity:
                continue
            if aggregate.kind == "mean-vector":
                mean = np.mean([vector for _, vector in images], axis=0)
                scores.append(query @ mean / np.linalg.norm(mean))
            else:
                best = sorted((query @ vector for _, vector in images), reverse=True)
                scores.append(np.mean(best[: aggregate.images]))
        if scores:
            null[identity] = (entry.entry, max(scores))
    return null


def check(gallery):
    records, aggregate = gallery.records, gallery.settings.aggregate
    stored = {row.identity: (row.entry, row.score) for row in records.null_rows()}
    expected = naive_null(records, aggregate)
    assert stored.keys() == expected.keys()
    for identity, (entry, score) in expected.items():
        assert stored[identity][0] == entry
        assert stored[identity][1] == pytest.approx(score, abs=2e-6)


@pytest.mark.parametrize("aggregate", ["best", "mean-of-2", "mean-vector"])
def test_every_change_leaves_the_null_sample_that_scratch_gives(tmp_path, aggregate):
    gallery = make_gallery(tmp_path / "gallery", aggregate=aggregate)
    other = open_gallery(tmp_path / "gallery")  # which changes things in between
    pictures, names = draw_people(14, 4, families=3, noise=60)
    rng = np.random.default_rng(5)
    order = rng.permutation(len(pictures)).tolist()
    for step in range(60):
        actor = gallery if rng.random() < 0.7 else other
        people = [row.name for row in actor.identities()]
        action = "add" if step < 3 or len(people) < 3 else rng.choice(
            ["add", "add", "add", "hide", "unhide", "hide entry", "erase", "merge", "split"]
        )  # fmt: skip
        if action == "add":
            chosen = [order.pop() for _ in range(min(len(order), int(rng.integers(1, 5))))]
            actor.add([pictures[n] for n in chosen], [names[n] for n in chosen])
            check(gallery)
            continue
        person = people[int(rng.integers(len(people)))]
        entries = [row.entry for row in actor.entries(person)]
        if action == "hide":
            actor.hide(person)
        elif action == "unhide":
            actor.unhide(person)
        elif action == "hide entry":
            actor.hide(entries=entries[:1])
        elif action == "erase":
            actor.erase(entries=entries[-1:])
        elif action == "merge":
            actor.merge(person, next(name for name in people if name != person))
        elif len(entries) > 1:
            actor.split(person, entries[:1], f"split {step}")
        check(gallery)
    assert gallery.check() == []
    assert other.check() == []


def test_one_identity_alone_has_no_null_and_two_have_each_other(tmp_path):
    gallery = make_gallery(tmp_path / "gallery")
    pictures, _ = draw_people(3, 1)
    gallery.add(pictures[:1], ["anna"])
    assert gallery.records.null_rows() == []
    gallery.add(pictures[1:2], ["ben"])
    check(gallery)
    assert len(gallery.records.null_rows()) == 2
    gallery.hide("anna")
    assert gallery.records.null_rows() == []
    gallery.unhide("anna")
    check(gallery)
    gallery.erase("ben")
    assert gallery.records.null_rows() == []


def test_a_new_image_is_one_search(tmp_path, monkeypatch):
    """Neither what others are compared with nor what is searched grows with somebody's images."""
    gallery = make_gallery(tmp_path / "gallery")
    pictures, names = draw_people(40, 6)
    gallery.add(pictures[:-1], names[:-1])
    multiplied = {null_sample: 0, exact_index: 0}
    for module in multiplied:

        def counted(queries, vectors, module=module):
            multiplied[module] += len(queries) * len(vectors)
            return multiply(queries, vectors)

        monkeypatch.setattr(module, "multiply", counted)
    gallery.add(pictures[-1:], names[-1:])
    assert 39 <= multiplied[null_sample] <= 40  # with itself where the image before stands for it
    assert multiplied[exact_index] in (0, 240)  # searched where the new one stands for it


@pytest.mark.parametrize("index", ["exact", "bits"])
def test_new_images_of_many_are_compared_alone_and_nobody_is_forgotten(tmp_path, index):
    gallery = make_gallery(tmp_path / "gallery")
    gallery._state = SearchState(gallery.settings.aggregate, index)
    pictures, names = draw_people(30, 4, families=5, noise=60)
    order = np.random.default_rng(1).permutation(len(pictures)).tolist()
    for chosen in (order[:40], order[40:41], order[41:90], order[90:]):
        gallery.add([pictures[n] for n in chosen], [names[n] for n in chosen])
        check(gallery)


def test_conditions_narrow_what_stand_ins_are_compared_with(tmp_path):
    gallery = make_gallery(tmp_path / "gallery")
    gallery.add(*draw_people(6, 3))
    ranking = gallery._state.ranking
    people = [row.identity for row in gallery.identities()[:2]]
    conditions = Conditions(ranking.table, Filters(identities=["two"]), people)
    rows = null_from_scratch(ranking, conditions)
    assert len(rows) == 6
    assert set(rows.rivals.tolist()) <= set(people)
