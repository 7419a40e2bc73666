"""All that is said about embeddings on a test set, by one object that computes it once."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from promptreid.data.dataset import DataSet
from promptreid.data.manifest.manifest import Manifest, Sample
from promptreid.data.protocol import Protocol, Repeat
from promptreid.errors import EvaluationError
from promptreid.evaluation import (
    Assessment,
    Bootstrap,
    Embeddings,
    Expansion,
    RetrievalSettings,
    TestSet,
    Threshold,
    evaluate_protocol,
    verify_protocol,
)
from promptreid.evaluation import assessment as module
from promptreid.evaluation.tables.verification_tables import render_further
from promptreid.evaluation.thresholds.threshold_rates import threshold_rates
from promptreid.evaluation.verification.identification import identify, join_identifications

ALL = {"verification": True, "intervals": True, "by": ("gender", "rare")}


@pytest.fixture(scope="module")
def assessment():
    generator = np.random.default_rng(0)
    names = np.arange(240) % 24
    centers = generator.standard_normal((24, 8))
    noise = np.where(names % 2 == 0, 0.3, 1.6)[:, None] * generator.standard_normal((240, 8))
    rare = ["yes" if name < 2 else "no" for name in names]
    samples = [
        Sample(
            f"{row}.png",
            str(names[row]),
            "test",
            attributes={"gender": "ab"[names[row] % 2], "rare": rare[row]},
        )
        for row in range(240)
    ]
    # A row that no repeat uses comes first, so that rows must be renumbered.
    samples.insert(0, Sample("unused.png", "nobody", "distractor"))
    draws = [1 + np.random.default_rng(draw).permutation(240) for draw in range(2)]
    repeats = tuple(Repeat(rows[:80], rows[80:]) for rows in draws)
    protocol = Protocol("drawn", repeats, "keep", "step")
    dataset = DataSet("set:/data", Manifest.of("set", Path("/data"), samples), protocol)
    data = Embeddings.from_vectors(centers[names] + noise, names)
    return Assessment(TestSet.of(dataset), data, bootstrap=Bootstrap(100))


def test_only_what_is_asked_for_is_computed(assessment):
    plain = replace(assessment)
    values = plain.to_dict()
    assert values == {**plain.scores.to_dict(), "data": "set:/data"}
    assert render_further(values) == ""
    assert "_verification" not in vars(plain)
    more = plain.to_dict(verification=True)
    assert set(more) - set(values) == {"verification", "identification"}
    assert set(plain.to_dict(by=("gender",))) - set(values) == {"breakdowns"}
    assert "intervals" not in vars(plain)


def test_values_are_those_of_the_functions(assessment):
    found = assessment.to_dict(**ALL)
    assert json.loads(json.dumps(found, allow_nan=False)) == found
    data, protocol = assessment.embeddings, assessment.test_set.protocol
    assert assessment.scores == evaluate_protocol(data, protocol)
    assert found["verification"] == verify_protocol(data, protocol).to_dict()
    identified = [
        identify(data.select(repeat.query), data.select(repeat.gallery), same_camera="keep")
        for repeat in protocol.repeats
    ]
    assert found["identification"] == join_identifications(identified)
    rates = [repeat.tpir(0.1) for repeat in identified]
    assert found["identification"]["tpir"][0] == {"fpir": 0.1, "tpir": np.mean(rates)}
    assert found["identification"]["tpir"][2] == {"fpir": 1e-3, "tpir": None}
    assert found["intervals"]["resamples"] == 100
    assert found["intervals"]["scores"]["EER"]["value"] == found["verification"]["eer"]
    assert [part["attribute"] for part in found["breakdowns"]] == ["gender", "rare"]


def test_settings_reach_the_scores_that_record_them(assessment):
    settings = RetrievalSettings(
        flip=True, expansion=Expansion(2, 1.0), same_camera="keep", multi_query="identity"
    )
    joined = replace(assessment, settings=settings, note="The cameras are new.")
    scores = evaluate_protocol(joined.embeddings, joined.test_set.protocol, settings)
    assert joined.scores == replace(scores, note="The cameras are new.")
    assert joined.scores.settings == settings
    assert joined.to_dict()["query_expansion"] == {"neighbours": 2, "power": 1.0}
    assert joined.verification.multi_query == "identity"
    assert joined.verification.per_repeat[0].genuine < assessment.verification.per_repeat[0].genuine


def test_everything_is_computed_once(assessment, monkeypatch):
    calls = []
    for name in ("evaluate_protocol", "verify_protocol", "identify", "accepted_protocol"):
        real = getattr(module, name)
        monkeypatch.setattr(
            module, name, lambda *a, real=real, **k: calls.append(real.__name__) or real(*a, **k)
        )
    fresh = replace(assessment)
    assert fresh.to_dict(**ALL) == fresh.to_dict(**ALL)
    assert Counter(calls) == {
        "evaluate_protocol": 1,
        "verify_protocol": 1,
        "identify": 2,  # once for each repeat
        "accepted_protocol": 2,  # by identity for intervals, by query for all breakdowns
    }


def test_images_of_one_identity_are_ranked_and_not_verified(assessment):
    names = assessment.embeddings.identities
    kept = [row for row, name in enumerate(names) if name == names[0]]
    manifest = assessment.test_set.manifest.select(kept)
    protocol = Protocol("one", (Repeat([0, 1], range(2, len(kept))),), "keep", "step")
    alone = Assessment(TestSet("one", manifest, protocol), assessment.embeddings.select(kept))
    assert alone.scores.mAP == 1
    assert "All pairs of query and gallery show one identity" in alone.why_unverified
    with pytest.raises(EvaluationError, match="at least two identities"):
        _ = alone.verification
    assert "EER" not in alone.intervals.scores
    assert assessment.why_unverified == ""


def test_embeddings_of_other_images_are_refused(assessment):
    with pytest.raises(EvaluationError, match="test set has 240 rows, the embeddings 5"):
        replace(assessment, embeddings=assessment.embeddings.select(range(5)))


def test_text_says_what_a_reader_must_know(assessment):
    found = assessment.to_dict(**ALL)
    text = render_further(found)
    eer = 100 * found["verification"]["eer"]
    assert f"mean of 2 repeats: EER {eer:.2f}" in text
    first = found["verification"]["tar"][0]
    assert f"{first['threshold']:.4f}" in text
    impostors = [part["impostors"] for part in found["verification"]["per_repeat"]]
    assert (
        f"FAR 1e-05, 1e-06 cannot be measured: that is less than one of {min(impostors):,}" in text
    )
    assert "FAR 0.001, 0.0001 rests on fewer than 30 accepted pairs" in text
    assert "FPIR 0.01, 0.001 cannot be measured" in text
    assert "95 % intervals: 100 draws of 24 identities" in text
    gender = found["breakdowns"][0]
    gap = gender["gaps"][0]
    assert (gap["best"], gap["worst"]) == ("a", "b")
    assert f"Largest gap in mAP: {100 * gap['value']:.2f} [" in text
    assert "between a (best) and b (worst)" in text
    assert "too few to say anything" in text
    assert "Fewer than two groups are large enough to compare." in text
    mean_ap = gender["groups"][0]["scores"]["mAP"]
    low, high = 100 * mean_ap["low"], 100 * mean_ap["high"]
    assert f"{100 * mean_ap['value']:.2f} [{low:.2f}, {high:.2f}]" in text


def test_the_threshold_of_the_weights_is_tried_on_the_test_pairs(assessment):
    chosen = Threshold(0.3, 1e-3, 1234, 50, 20, "held-out images")
    found = replace(assessment, threshold=chosen).to_dict(verification=True)
    stored = found["verification"]["stored_threshold"]
    expected = threshold_rates(assessment.embeddings, assessment.test_set.protocol, chosen)
    assert stored == expected.to_dict()
    assert json.loads(json.dumps(stored)) == stored
    text = render_further(found)
    assert "own threshold 0.3000 was chosen at FAR 0.1 % on 1,234 pairs of 50 held-out" in text
    assert f"On these test pairs: FAR {100 * stored['far']:.3g} %, TAR " in text
    assert "These are" not in text
    assert "stored_threshold" not in assessment.to_dict(verification=True)["verification"]


def test_embeddings_that_a_threshold_was_not_chosen_on_are_told(assessment):
    other = replace(
        assessment,
        settings=RetrievalSettings(flip=True, prompt="simplified"),
        threshold=Threshold(0.3, 1e-3, 1234),
    )
    text = render_further(other.to_dict(verification=True))
    assert "1,234 pairs of other images" in text
    assert "averaged with those of mirrored images and made with the simplified sentence." in text
