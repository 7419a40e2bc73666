from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from promptreid.data.manifest.manifest import Manifest, Sample
from promptreid.data.protocol import Protocol, Repeat
from promptreid.errors import EvaluationError
from promptreid.evaluation import (
    Assessment,
    Bootstrap,
    Embeddings,
    RetrievalSettings,
    TestSet,
    evaluate,
)
from promptreid.evaluation.uncertainty.query_groups import column_values, measured_rate

FARS = (0.1, 0.01)


def setting(count=300, identities=30, repeats=2, seed=0):
    """Images of which those of gender "b" are much harder, and one rare aspect."""
    generator = np.random.default_rng(seed)
    names = generator.integers(0, identities, count)
    centers = generator.standard_normal((identities, 12))
    gender = np.where(names % 2 == 0, "a", "b")
    noise = np.where(gender == "a", 0.4, 1.5)[:, None] * generator.standard_normal((count, 12))
    cameras = generator.integers(0, 3, count)
    manifest = Manifest.of(
        "set",
        Path("/data"),
        [
            Sample(
                path=f"{row}.png",
                identity=str(names[row]),
                split="test",
                camera=str(cameras[row]),
                attributes={
                    "gender": str(gender[row]),
                    "aspect": "rare" if names[row] < 2 else ("" if row % 5 == 0 else "common"),
                    "age": str(18 + names[row]),
                },
            )
            for row in range(count)
        ],
    )
    data = Embeddings.from_vectors(centers[names] + noise, names, cameras=cameras.tolist())
    draws = [np.random.default_rng(draw).permutation(count) for draw in range(repeats)]
    parts = tuple(Repeat(rows[: count // 3], rows[count // 3 :]) for rows in draws)
    return manifest, data, Protocol("drawn", parts, "exclude", "step")


@pytest.fixture(scope="module")
def scored():
    manifest, data, protocol = setting()
    return Assessment(TestSet("set", manifest, protocol), data, fars=FARS)


def drawn(assessment, resamples):
    return replace(assessment, bootstrap=Bootstrap(resamples))


def naive_group(value, values, data, protocol, verification, far):
    """mAP, rank-1, TAR and FAR of the queries of a value, query by query."""
    repeats = []
    for repeat, checked in zip(protocol.repeats, verification.per_repeat, strict=True):
        # The threshold is the score of a pair, which another way of adding may round lower.
        threshold = checked.point(far).threshold - 1e-6
        rows = [row for row in repeat.query if values[row] == value]
        scores = evaluate(
            data.select(rows), data.select(repeat.gallery), RetrievalSettings(same_camera="exclude")
        )
        counts = np.zeros((2, 2))
        for q in rows:
            for g in repeat.gallery:
                same = data.identities[q] == data.identities[g]
                if same and data.cameras[q] == data.cameras[g]:
                    continue
                cosine = float(data.vectors[q] @ data.vectors[g])
                counts[int(same)] += (cosine >= threshold, 1)
        (false, impostors), (true, genuine) = counts
        repeats.append((scores.mAP, scores.cmc[1], true / genuine, false / impostors))
    return np.mean(repeats, axis=0)


def test_groups_equal_scoring_their_queries_alone(scored):
    manifest, protocol = scored.test_set.manifest, scored.test_set.protocol
    data, verification = scored.embeddings, scored.verification
    found = drawn(scored, 50).breakdown("gender", far=0.01)
    assert [group.name for group in found.groups] == ["a", "b"]
    for group in found.groups:
        wanted = naive_group(
            group.name, manifest.attributes["gender"], data, protocol, verification, 0.01
        )
        values = [group.scores[name].value for name in ("mAP", "rank-1", "TAR", "FAR")]
        assert values == pytest.approx(wanted.tolist(), abs=1e-9)
        rows = [
            row
            for repeat in protocol.repeats
            for row in repeat.query
            if manifest.attributes["gender"][row] == group.name
        ]
        assert group.queries == len(set(rows)) < len(rows)  # both repeats draw some of them
        assert group.identities == len({data.identities[row] for row in rows}) == 15
        for interval in group.scores.values():
            assert interval.low <= interval.value <= interval.high
    assert found.missing == 0
    values = found.to_dict()
    assert json.loads(json.dumps(values, allow_nan=False)) == values


def test_the_largest_gap_is_pointed_out(scored):
    found = drawn(scored, 200).breakdown("gender", far=0.01)
    gaps = {gap.score: gap for gap in found.gaps}
    assert list(gaps) == ["mAP", "rank-1", "TAR", "FAR"]
    groups = {group.name: group for group in found.groups}
    assert (gaps["mAP"].best, gaps["mAP"].worst) == ("a", "b")
    assert gaps["mAP"].value == pytest.approx(
        groups["a"].scores["mAP"].value - groups["b"].scores["mAP"].value
    )
    # The gap is real, and the interval says so.
    assert 0 < gaps["mAP"].low < gaps["mAP"].value < gaps["mAP"].high
    far = gaps["FAR"]
    assert groups[far.best].scores["FAR"].value < groups[far.worst].scores["FAR"].value
    assert far.value > 0


def test_small_groups_are_marked_and_make_no_gap(scored):
    manifest, protocol = scored.test_set.manifest, scored.test_set.protocol
    found = drawn(scored, 20).breakdown("aspect")
    groups = {group.name: group for group in found.groups}
    assert set(groups) == {"common", "rare"}
    assert groups["rare"].few
    assert groups["rare"].identities == 2
    assert not groups["common"].few
    assert found.gaps == ()
    missing = {
        row
        for repeat in protocol.repeats
        for row in repeat.query
        if not manifest.attributes["aspect"][row]
    }
    assert found.missing == len(missing) > 0
    assert found.far == 0.01


def test_camera_pairs_search_one_camera_in_another(scored):
    manifest, protocol = scored.test_set.manifest, scored.test_set.protocol
    data, verification = scored.embeddings, scored.verification
    found = drawn(scored, 20).breakdown("camera-pair", far=0.01)
    # A camera has no matches in itself.
    pairs = [f"{one} > {other}" for one in range(3) for other in range(3) if one != other]
    assert [group.name for group in found.groups] == pairs
    cameras = np.array(manifest.cameras)
    group = found.groups[1]
    wanted = []
    for repeat, checked in zip(protocol.repeats, verification.per_repeat, strict=True):
        query = data.select(repeat.query[cameras[repeat.query] == "0"])
        gallery = data.select(repeat.gallery[cameras[repeat.gallery] == "2"])
        cosines = (query.vectors @ gallery.vectors.T).numpy()
        same = np.array(query.identities)[:, None] == np.array(gallery.identities)
        accepted = cosines >= checked.point(0.01).threshold - 1e-6
        scores = evaluate(query, gallery, RetrievalSettings(same_camera="exclude"))
        wanted.append((scores.mAP, scores.cmc[1], accepted[same].mean(), accepted[~same].mean()))
    values = [group.scores[name].value for name in ("mAP", "rank-1", "TAR", "FAR")]
    assert values == pytest.approx(np.mean(wanted, axis=0).tolist(), abs=1e-9)


def test_cameras_are_ordered_as_numbers():
    manifest, data, protocol = setting(count=600, repeats=1)
    cameras = tuple(str(row % 12) for row in range(600))
    manifest = Manifest.of(
        "set",
        Path("/data"),
        [
            Sample(f"{row}.png", data.identities[row], "test", camera=cameras[row])
            for row in range(600)
        ],
    )
    data = Embeddings(data.vectors, data.identities, cameras)
    test_set = TestSet("set", manifest, protocol)
    found = Assessment(test_set, data, fars=FARS, bootstrap=Bootstrap(5)).breakdown("camera")
    assert [group.name for group in found.groups] == [str(camera) for camera in range(12)]


def test_many_numbers_become_bands():
    manifest, _, _ = setting()
    bands = column_values(manifest, "age")
    assert len(set(bands)) == 4
    for age, band in zip(manifest.attributes["age"], bands, strict=True):
        first, last = (int(word) for word in band.split(" to "))
        assert first <= int(age) <= last
    counts = [bands.count(band) for band in set(bands)]
    assert max(counts) < 1.4 * min(counts)
    assert column_values(manifest, "gender") == manifest.attributes["gender"]


def test_mistakes_are_told(scored):
    manifest, verification = scored.test_set.manifest, scored.verification
    with pytest.raises(EvaluationError, match="Did you mean 'gender'"):
        scored.breakdown("gendr")
    with pytest.raises(EvaluationError, match="Known: age, aspect, camera, domain, gender, view"):
        column_values(manifest, "skin")
    with pytest.raises(EvaluationError, match="No image of set has a value of 'view'"):
        scored.breakdown("view")
    joined = replace(scored, settings=RetrievalSettings(multi_query="identity"))
    with pytest.raises(EvaluationError, match="Joined queries are no single images"):
        joined.breakdown("gender")
    assert measured_rate(verification, 1e-3) == 0.01
    assert measured_rate(verification, 0.05) == 0.1
    assert measured_rate(verification, 0.5) == 0.1
    with pytest.raises(EvaluationError, match="too few pairs of different identities"):
        replace(scored, fars=(1e-7,)).breakdown("gender")
