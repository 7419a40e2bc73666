"""Which queries are shown, and what their lists are, against a naive ranking."""

import numpy as np
import pytest
import torch

from promptreid.errors import ConfigError, EvaluationError
from promptreid.evaluation.embeddings.embeddings import Embeddings
from promptreid.evaluation.ranking.scoring import evaluate
from promptreid.evaluation.reranking.expansion import Expansion
from promptreid.evaluation.reranking.rerank import Rerank
from promptreid.evaluation.retrieval_settings import RetrievalSettings
from promptreid.figures.rank_lists import choose_queries, rank_lists


def sets(seed=0, queries=30, gallery=60, identities=6):
    rng = np.random.default_rng(seed)
    parts = []
    for count in (queries, gallery):
        vectors = torch.tensor(rng.normal(size=(count, 8)), dtype=torch.float32)
        names = [str(n) for n in rng.integers(0, identities, count)]
        cameras = rng.integers(0, 3, count).tolist()
        parts.append(Embeddings.from_vectors(vectors, names, cameras=cameras))
    return parts


def naive(query, gallery, number, *, exclude):
    """Sort one query's gallery in plain Python: (row, match) in order."""
    scores = (gallery.vectors @ query.vectors[number]).tolist()
    order = sorted(range(len(gallery)), key=lambda row: (-scores[row], row))
    ranked = []
    for row in order:
        same = gallery.identities[row] == query.identities[number]
        if exclude and same and gallery.cameras[row] == query.cameras[number]:
            continue
        ranked.append((row, same))
    return ranked


@pytest.mark.parametrize("exclude", [True, False])
def test_lists_are_those_of_a_naive_ranking(exclude):
    query, gallery = sets()
    chosen = (17, 3, 3, 29)
    found = rank_lists(
        query, gallery, chosen, exclude_camera=exclude, settings=RetrievalSettings(), top=7
    )
    for number, own in zip(chosen, found, strict=True):
        wanted = naive(query, gallery, number, exclude=exclude)
        assert [(hit.row, hit.match) for hit in own.hits] == wanted[:7]
        assert [hit.rank for hit in own.hits] == list(range(1, 8))
        first = next(rank for rank, (_, same) in enumerate(wanted, 1) if same)
        assert (own.first.rank, own.first.row) == (first, wanted[first - 1][0])


@pytest.mark.parametrize(
    "settings",
    [
        RetrievalSettings(),
        RetrievalSettings(expansion=Expansion(3, 1.0)),
        RetrievalSettings(rerank=Rerank(k1=6, k2=3)),
    ],
)
def test_first_ranks_are_those_that_are_scored(settings):
    query, gallery = sets(1)
    scores = evaluate(
        query,
        gallery,
        RetrievalSettings(
            same_camera="exclude", expansion=settings.expansion, rerank=settings.rerank
        ),
    )
    result = scores.results[0]
    chosen = tuple(range(len(query)))
    found = rank_lists(query, gallery, chosen, exclude_camera=True, settings=settings)
    assert [own.first.rank for own in found] == result.first_rank.tolist()


def test_lists_end_where_the_gallery_does():
    query, gallery = sets(2)
    (found,) = rank_lists(
        query, gallery, (5,), exclude_camera=True, settings=RetrievalSettings(), top=500
    )
    assert len(found.hits) == len(naive(query, gallery, 5, exclude=True)) < len(gallery)


def test_queries_are_chosen_by_average_precision():
    query, gallery = sets(3)
    result = evaluate(query, gallery, RetrievalSettings(same_camera="keep")).results[0]
    values = result.values["mAP"]
    people = len(set(query.identities))
    for which, sign in (("worst", 1), ("best", -1)):
        chosen = list(choose_queries([result], which, people))
        # Of each identity its own worst or best query, and these in order.
        assert sorted(query.identities[one] for one in chosen) == sorted(set(query.identities))
        told = [sign * float(values[one]) for one in chosen]
        assert told == sorted(told)
        for one in chosen:
            own = [
                sign * float(values[other])
                for other, name in enumerate(query.identities)
                if name == query.identities[one]
            ]
            assert sign * float(values[one]) == min(own)
    (middle,) = choose_queries([result], "median", 1)
    assert values[middle] in values.sort().values[14:16]
    around = choose_queries([result], "median", 4)
    assert len({query.identities[one] for one in around}) == 4
    assert values[list(around)].tolist() == sorted(values[list(around)].tolist())
    drawn = [choose_queries([result], "random", 4, seed=seed) for seed in (0, 0, 1)]
    assert drawn[0] == drawn[1] != drawn[2]
    assert sorted(choose_queries([result], "random", 99)) == list(range(30))


def test_several_runs_are_averaged_and_queries_without_a_match_are_left_out():
    query, gallery = sets(4, identities=25)
    results = [
        evaluate(query, part, RetrievalSettings(same_camera="exclude")).results[0]
        for part in (gallery,)
    ]
    other = sets(5, identities=25)[0]
    moved = Embeddings.from_vectors(other.vectors, query.identities, cameras=query.cameras)
    results.append(evaluate(moved, gallery, RetrievalSettings(same_camera="exclude")).results[0])
    mean = (results[0].values["mAP"] + results[1].values["mAP"]) / 2
    assert bool(mean.isnan().any())
    (worst,) = choose_queries(results, "worst", 1)
    assert mean[worst] == mean[~mean.isnan()].min()
    everything = choose_queries(results, "best", 99)
    assert len(everything) == int((~mean.isnan()).sum())


def test_the_median_is_that_of_the_first_run():
    query, gallery = sets(3)
    first = evaluate(query, gallery, RetrievalSettings(same_camera="keep")).results[0]
    second = evaluate(sets(8)[0], gallery, RetrievalSettings(same_camera="keep")).results[0]
    alone = choose_queries([first], "median", 3)
    assert choose_queries([first, second], "median", 3) == alone
    assert choose_queries([second, first], "median", 3) != alone


def test_hits_tell_their_cosine():
    query, gallery = sets(6)
    plain, rerank = RetrievalSettings(), RetrievalSettings(rerank=Rerank())
    for settings in (plain, rerank):
        (found,) = rank_lists(query, gallery, [2], exclude_camera=False, settings=settings, top=5)
        for hit in (*found.hits, found.first):
            wanted = float(query.vectors[2] @ gallery.vectors[hit.row])
            assert hit.similarity == pytest.approx(wanted, abs=1e-6)


def test_the_seed_decides_among_equals():
    vectors = torch.eye(20)
    same = Embeddings.from_vectors(vectors, range(20))
    result = evaluate(same, Embeddings.from_vectors(vectors, range(20))).results[0]
    first = [choose_queries([result], "best", 3, seed=seed) for seed in range(4)]
    assert len(set(first)) > 1


def test_mistakes():
    query, gallery = sets()
    result = evaluate(query, gallery).results[0]
    with pytest.raises(ConfigError, match="Did you mean 'worst'"):
        choose_queries([result], "wrost", 3)
    result.values["mAP"].fill_(torch.nan)
    with pytest.raises(EvaluationError, match="No query has a match"):
        choose_queries([result], "worst", 3)
