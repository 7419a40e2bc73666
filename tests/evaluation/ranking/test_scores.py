from __future__ import annotations

import json

import numpy as np
import pytest

from promptreid.data.protocol import Protocol, Repeat
from promptreid.evaluation import (
    Embeddings,
    Rerank,
    evaluate,
    evaluate_protocol,
    render_comparison,
    render_scores,
)
from promptreid.evaluation.retrieval_settings import RetrievalSettings

FIRST_KEYS = [
    "protocol",
    "ap",
    "repeats",
    "mAP",
    "mINP",
    "cmc",
    "std",
    "queries",
    "queries_without_match",
    "gallery",
]


def points(count, seed):
    return np.random.default_rng(seed).standard_normal((count, 12))


@pytest.fixture
def one_repeat():
    query = Embeddings.from_vectors(
        points(8, 0), [0, 1, 2, 3, 4, 5, 98, 99], cameras=[0, 1, 0, 1, 0, 1, 0, 1]
    )
    gallery = Embeddings.from_vectors(points(30, 1), np.arange(30) % 6, cameras=[2] * 29 + [1])
    gallery = gallery.select([row for row in range(30) if row % 6 != 5 or row == 29])
    return evaluate(query, gallery, protocol="toy")


@pytest.fixture
def four_repeats():
    data = Embeddings.from_vectors(points(60, 2), np.arange(60) % 5)
    rows = [np.random.default_rng(seed).permutation(60) for seed in range(4)]
    repeats = tuple(Repeat(query=row[:20], gallery=row[20:]) for row in rows)
    return evaluate_protocol(data, Protocol("drawn", repeats, "keep", "trapezoid", "A note."))


def test_dictionary_has_the_documented_keys(one_repeat):
    found = one_repeat.to_dict()
    assert list(found)[: len(FIRST_KEYS)] == FIRST_KEYS
    assert json.loads(json.dumps(found)) == found
    assert found["protocol"] == "toy"
    assert (found["repeats"], found["ap"], found["same_camera"]) == (1, "step", "exclude")
    assert list(found["cmc"]) == ["1", "5", "10", "20"]
    assert found["std"] == {
        "mAP": 0.0,
        "mAP_step": 0.0,
        "mAP_trapezoid": 0.0,
        "mINP": 0.0,
        "cmc": {"1": 0.0, "5": 0.0, "10": 0.0, "20": 0.0},
    }
    assert (found["queries"], found["queries_without_match"], found["gallery"]) == (8, 3, 26)
    assert found["without_match_reasons"] == {
        "identity not in the gallery": 2,
        "only in the query's own camera": 1,
    }
    assert len(found["cmc_curve"]) == 50
    assert 0 < found["mAP_trapezoid"] < found["mAP_step"] == found["mAP"] <= 1
    assert found["cmc"]["20"] == found["cmc_curve"][19]


def test_dictionary_of_several_repeats(four_repeats):
    found = four_repeats.to_dict()
    assert found["repeats"] == len(found["per_repeat"]) == 4
    assert found["mAP"] == found["mAP_trapezoid"]
    assert found["mAP"] == pytest.approx(np.mean([one["mAP"] for one in found["per_repeat"]]))
    assert found["std_kind"] == "sample"
    assert found["std"]["mAP"] > 0
    assert found["note"].startswith("A note.")


def test_outcome_of_each_query_is_kept(one_repeat):
    (result,) = one_repeat.results
    assert len(result) == 8
    assert result.reason.tolist() == [-1, -1, -1, -1, -1, 1, 0, 0]
    assert result.matches.tolist() == [5, 5, 5, 5, 5, 0, 0, 0]
    assert one_repeat.mAP == pytest.approx(float(result.values["mAP_step"][:5].mean()))
    assert result.first_rank[5:].tolist() == [0, 0, 0]


def test_text_says_the_rules(one_repeat):
    text = render_scores(one_repeat, "toy model")
    assert text == render_scores(json.loads(json.dumps(one_repeat.to_dict())), "toy model")
    lines = text.splitlines()
    assert lines[0] == "toy model"
    columns = ["mAP(step)", "mAP(trapezoid)", "mINP", "R1", "R5", "R10", "R20"]
    assert lines[1].split() == columns
    values = [one_repeat.mAP, one_repeat.values["mAP_trapezoid"], one_repeat.mINP]
    values += one_repeat.cmc.values()
    assert lines[2].split() == [f"{100 * value:.2f}" for value in values]
    assert "Protocol toy: 8 queries against 26 gallery images." in text
    assert "identity and camera are ignored" in text
    assert "The protocol's mAP is of the step definition." in text
    assert (
        "3 queries without a match, left out of all means: 2 identity not in the gallery; "
        "1 only in the query's own camera." in text
    )


def test_text_of_repeats_shows_their_spread(four_repeats):
    text = render_scores(four_repeats, "drawn")
    means, spreads = text.splitlines()[2:4]
    assert means.split()[0] == f"{100 * four_repeats.mAP:.2f}"
    assert spreads.split()[0] == f"±{100 * four_repeats.std['mAP']:.2f}"
    assert len(means.split()) == len(spreads.split())
    assert len(means) == len(spreads) <= 80
    assert text.index("mAP(trapezoid)") < text.index("mAP(step)")
    assert "mean ± standard deviation of 4" in text
    assert "Every query has a match." in text
    assert "A note." in text


def test_comparison_says_shared_rules_once(four_repeats):
    data = Embeddings.from_vectors(points(60, 2), np.arange(60) % 5)
    ranked = evaluate(data, data, RetrievalSettings(rerank=Rerank(k1=5, k2=2)))
    text = render_comparison({"zero-shot": four_repeats, "trained": four_repeats}, "both")
    assert text.count("Every query has a match.") == 1
    rows = [line for line in text.splitlines() if line.startswith(("zero-shot", "trained"))]
    assert len(rows) == 2
    mixed = render_comparison({"plain": four_repeats, "ranked": ranked}, "both")
    assert "ranked: Re-ranked by k-reciprocal neighbours (k1 5, k2 2, lambda 0.3)." in mixed
    assert "plain: The protocol's mAP is of the trapezoid definition." in mixed
