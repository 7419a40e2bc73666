from __future__ import annotations

import numpy as np
import pytest

from promptreid.data.protocol import Protocol, Repeat
from promptreid.evaluation import Embeddings, Threshold, verify_protocol
from promptreid.evaluation.thresholds.threshold_rates import threshold_rates


@pytest.fixture
def tested():
    generator = np.random.default_rng(1)
    names = np.arange(120) % 15
    vectors = generator.standard_normal((15, 6))[names] + generator.standard_normal((120, 6))
    cameras = [int(number) for number in generator.integers(0, 3, 120)]
    data = Embeddings.from_vectors(vectors, names, cameras=cameras)
    draws = [np.random.default_rng(draw).permutation(120) for draw in range(2)]
    repeats = tuple(Repeat(rows[:40], rows[40:]) for rows in draws)
    return data, Protocol("drawn", repeats, "exclude", "step")


@pytest.mark.parametrize("same_camera", ["exclude", "keep"])
def test_rates_by_loops_over_pairs(tested, same_camera):
    data, protocol = tested
    threshold = Threshold(0.4, 1e-3, 1000)
    found = threshold_rates(data, protocol, threshold, same_camera=same_camera)
    rates = []
    for repeat in protocol.repeats:
        accepted, counted = [0, 0], [0, 0]
        for query in repeat.query:
            for other in repeat.gallery:
                same = data.identities[query] == data.identities[other]
                own_camera = data.cameras[query] == data.cameras[other]
                if same and own_camera and same_camera == "exclude":
                    continue
                counted[same] += 1
                accepted[same] += float(data.vectors[query] @ data.vectors[other]) >= 0.4
        rates.append([accepted[0] / counted[0], accepted[1] / counted[1]])
    assert (found.far, found.tar) == pytest.approx(np.mean(rates, 0), abs=1e-12)
    assert found.chosen is threshold


def test_a_threshold_of_verification_gives_its_rates(tested):
    """To the last pair: a score that equals the threshold is accepted."""
    data, protocol = tested
    for number, repeat in enumerate(protocol.repeats):
        one = Protocol("one", (repeat,), "exclude", "step")
        point = verify_protocol(data, protocol).per_repeat[number].point(1e-2)
        found = threshold_rates(data, one, Threshold(point.threshold, 1e-2, point.impostors))
        assert found.tar == point.tar
        assert found.far == point.false_accepts / point.impostors


def test_joined_queries_and_words(tested):
    data, protocol = tested
    single = threshold_rates(data, protocol, Threshold(0.4, 1e-3, 10))
    joined = threshold_rates(
        data, protocol, Threshold(0.4, 1e-3, 10), multi_query="identity", note="Joined."
    )
    assert joined.tar > single.tar
    assert joined.to_dict() == {
        "chosen": Threshold(0.4, 1e-3, 10).to_dict(),
        "far": joined.far,
        "tar": joined.tar,
        "note": "Joined.",
    }
