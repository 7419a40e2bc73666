from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from promptreid.data.dataset import DataSet
from promptreid.data.manifest.manifest import Manifest, Sample
from promptreid.data.protocol import Protocol, Repeat
from promptreid.errors import EvaluationError
from promptreid.evaluation import Embeddings, evaluate_protocol
from promptreid.evaluation.further import FurtherScores, further_scores, identification_values
from promptreid.evaluation.tables.verification_tables import render_further
from promptreid.evaluation.thresholds.threshold import Threshold
from promptreid.evaluation.thresholds.threshold_rates import threshold_rates
from promptreid.evaluation.verification.identification import identify_protocol
from promptreid.evaluation.verification.verification import verify_protocol


@pytest.fixture(scope="module")
def scored():
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
    return evaluate_protocol(data, protocol.compact()[1]), data, dataset


def test_only_what_is_asked_for_is_computed(scored):
    assert further_scores(*scored, FurtherScores()) == {}
    assert render_further({}) == ""
    found = further_scores(*scored, FurtherScores(verification=True))
    assert set(found) == {"verification", "identification"}
    assert set(further_scores(*scored, FurtherScores(by=("gender",)))) == {"breakdowns"}


def test_values_are_those_of_the_functions(scored):
    _, data, dataset = scored
    asked = FurtherScores(True, True, ("gender", "rare"), resamples=100)
    found = further_scores(*scored, asked)
    assert json.loads(json.dumps(found, allow_nan=False)) == found
    protocol = dataset.protocol.compact()[1]
    assert found["verification"] == verify_protocol(data, protocol).to_dict()
    identified = identify_protocol(data, protocol)
    assert found["identification"] == identification_values(identified)
    rates = [repeat.tpir(0.1) for repeat in identified]
    assert found["identification"]["tpir"][0] == {"fpir": 0.1, "tpir": np.mean(rates)}
    assert found["identification"]["tpir"][2] == {"fpir": 1e-3, "tpir": None}
    assert found["intervals"]["resamples"] == 100
    assert found["intervals"]["scores"]["EER"]["value"] == found["verification"]["eer"]
    assert [part["attribute"] for part in found["breakdowns"]] == ["gender", "rare"]


def test_text_says_what_a_reader_must_know(scored):
    found = further_scores(*scored, FurtherScores(True, True, ("gender", "rare"), resamples=100))
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


def test_data_without_a_protocol_are_told(scored):
    scores, data, dataset = scored
    bare = DataSet("set:/data", dataset.manifest, None)
    with pytest.raises(EvaluationError, match="set:/data has nothing to test on"):
        further_scores(scores, data, bare, FurtherScores(True))


def test_the_threshold_of_the_weights_is_tried_on_the_test_pairs(scored):
    scores, data, dataset = scored
    chosen = Threshold(0.3, 1e-3, 1234, 50, 20, "held-out images")
    asked = FurtherScores(verification=True)
    found = further_scores(scores, data, dataset, asked, threshold=chosen)
    stored = found["verification"]["stored_threshold"]
    expected = threshold_rates(data, dataset.protocol.compact()[1], chosen)
    assert stored == expected.to_dict()
    assert json.loads(json.dumps(stored)) == stored
    text = render_further(found)
    assert "own threshold 0.3000 was chosen at FAR 0.1 % on 1,234 pairs of 50 held-out" in text
    assert f"On these test pairs: FAR {100 * stored['far']:.3g} %, TAR " in text
    assert "These are" not in text
    assert "stored_threshold" not in further_scores(scores, data, dataset, asked)["verification"]


def test_embeddings_that_a_threshold_was_not_chosen_on_are_told(scored):
    scores, data, dataset = scored
    found = further_scores(
        replace(scores, flip=True),
        data,
        dataset,
        FurtherScores(verification=True),
        threshold=Threshold(0.3, 1e-3, 1234),
        prompt="simplified",
    )
    text = render_further(found)
    assert "1,234 pairs of other images" in text
    assert "averaged with those of mirrored images and made with the simplified sentence." in text
