"""How sure a false accept rate is, against a loop over resamples and pairs."""

import numpy as np
import pytest

from promptreid.evaluation.embeddings.embeddings import Embeddings
from promptreid.evaluation.thresholds.false_accept_interval import far_interval
from promptreid.evaluation.uncertainty.resampling import Bootstrap


def images(count, identities, seed):
    generator = np.random.default_rng(seed)
    names = np.arange(count) % identities
    return Embeddings.from_vectors(generator.standard_normal((count, 4)), names)


def rates_by_loop(sets, threshold, resamples, seed):
    names = sorted({name for part in sets for name in part.identities})
    rates = []
    for weights in Bootstrap(resamples, seed).weights(len(names)).tolist():
        drawn = dict(zip(names, weights, strict=True))
        accepted = pairs = 0.0
        for part in sets:
            cosines = (part.vectors @ part.vectors.T).tolist()
            for i, one in enumerate(part.identities):
                for j, other in enumerate(part.identities[:i]):
                    if one != other:
                        pairs += drawn[one] * drawn[other]
                        accepted += drawn[one] * drawn[other] * (cosines[i][j] >= threshold)
        if pairs:
            rates.append(accepted / pairs)
    return rates


@pytest.mark.parametrize("sets", [1, 2])
def test_is_that_of_a_loop(sets):
    data = [images(18, 6, seed) for seed in range(sets)]
    found = far_interval(data, 0.5, Bootstrap(40, 3))
    rates = rates_by_loop(data, 0.5, 40, 3)
    assert found == pytest.approx(np.quantile(rates, [0.025, 0.975]), abs=1e-9)
    assert 0 < found[0] < np.mean(rates) < found[1]


def test_two_look_alikes_make_it_wide():
    """Ten accepted pairs of ten couples are surer than a hundred of one couple."""
    generator = np.random.default_rng(0)
    base = generator.standard_normal((40, 64))
    spread, clustered = base.copy(), np.repeat(base[:20], 2, axis=0)
    spread[1:20:2] = spread[:20:2]  # ten couples of identities with one image each
    couples = Embeddings.from_vectors(spread, range(40))
    names = [f"p{row // 2}" for row in range(40)]
    clustered[2:4] = clustered[:2]  # one couple of identities, two images each
    couple = Embeddings.from_vectors(clustered, names)
    widths = []
    for data in (couples, couple):
        low, high = far_interval([data], 0.99)
        widths.append((high - low) / max(high, 1e-9))
    assert widths[0] < widths[1]


@pytest.mark.parametrize(("identities", "high"), [(2, 0.95), (12, 1 - 0.05 ** (1 / 6))])
def test_no_accepted_pair_is_not_certainty(identities, high):
    data = images(24, identities, 0)
    assert far_interval([data], 1.5) == pytest.approx((0.0, high))
