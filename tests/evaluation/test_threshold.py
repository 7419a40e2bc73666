from __future__ import annotations

import numpy as np
import pytest

from promptreid.errors import EvaluationError
from promptreid.evaluation.embeddings import Embeddings
from promptreid.evaluation.threshold import Comparison, Threshold, choose_threshold


def images(count=60, identities=12, seed=0):
    generator = np.random.default_rng(seed)
    names = np.arange(count) % identities
    centers = generator.standard_normal((identities, 8))
    return Embeddings.from_vectors(
        centers[names] + 0.8 * generator.standard_normal((count, 8)), names
    )


@pytest.mark.parametrize("far", [0.2, 0.01, 1e-3])
def test_is_the_lowest_that_keeps_the_rate(far):
    data = images()
    chosen = choose_threshold(data, far)
    cosines = (data.vectors @ data.vectors.T).numpy()
    names = np.array(data.identities)
    upper = np.triu(np.ones_like(cosines, bool), 1)
    same = names[:, None] == names[None]
    impostors, genuine = cosines[upper & ~same], cosines[upper & same]
    assert chosen.pairs == len(impostors) == 60 * 55 / 2
    assert chosen.far == far
    margin = 1e-6
    assert (impostors >= chosen.threshold + margin).sum() <= far * len(impostors)
    lower = max(
        score for score in np.concatenate([impostors, genuine]) if score < chosen.threshold - margin
    )
    assert (impostors >= lower - margin).sum() > far * len(impostors)


def test_survives_json():
    chosen = choose_threshold(images(), 0.01)
    assert set(chosen.to_dict()) == {"threshold", "far", "pairs"}
    assert Threshold.from_dict(chosen.to_dict()) == chosen


def test_too_few_pairs_are_told():
    with pytest.raises(EvaluationError, match=r"0\.0001 cannot be measured on 1,650 pairs") as told:
        choose_threshold(images(), 1e-4)
    assert "smallest that can is 0.00061" in str(told.value)
    assert choose_threshold(images(), 6.1e-4).pairs == 1650


def test_an_answer_is_true_where_it_is_the_same():
    assert Comparison(0.5, 0.5, 1e-3)
    assert Comparison(0.5, 0.5, 1e-3).same
    assert not Comparison(0.49, 0.5, 1e-3)
