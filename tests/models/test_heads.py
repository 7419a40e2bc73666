import pytest
import torch

from promptreid.errors import ConfigError
from promptreid.models.heads import BNNeckHead
from promptreid.models.tower import ImageFeatures


@pytest.fixture
def features():
    generator = torch.Generator().manual_seed(0)
    return ImageFeatures(*(torch.randn(5, w, generator=generator) * 3 + 1 for w in (6, 8, 4)))


def test_logits_are_normalised_features_times_class_directions(features):
    head = BNNeckHead((8, 4), 3).train()
    logits = head(features)
    for name, found in zip(("final", "projected"), logits, strict=True):
        value = features[name]
        normed = (value - value.mean(0)) / (value.var(0, unbiased=False) + 1e-5).sqrt()
        assert torch.allclose(found, normed @ head.classifiers[name].weight.T, atol=1e-5)


def test_at_test_time_the_running_statistics_are_used(features):
    head = BNNeckHead({"penultimate": 6}, 3)
    head.train()
    head(features)
    head.eval()
    value = features.penultimate
    mean = 0.1 * value.mean(0)
    variance = 0.9 + 0.1 * value.var(0)
    expected = (value - mean) / (variance + 1e-5).sqrt()
    assert torch.allclose(head.neck(features)["penultimate"], expected, atol=1e-5)
    assert [tuple(logits.shape) for logits in head(features)] == [(5, 3)]


def test_only_the_shift_is_frozen():
    head = BNNeckHead((8, 4), 3)
    learning = {name for name, parameter in head.named_parameters() if parameter.requires_grad}
    assert learning == {
        "necks.final.weight",
        "necks.projected.weight",
        "classifiers.final.weight",
        "classifiers.projected.weight",
    }


def test_classifiers_start_small_and_from_the_generator():
    def weights(seed):
        generator = torch.Generator().manual_seed(seed)
        return BNNeckHead((512, 256), 100, generator=generator).classifiers["final"].weight.detach()

    assert torch.equal(weights(1), weights(1))
    assert not torch.equal(weights(1), weights(2))
    assert weights(1).std() == pytest.approx(0.001, rel=0.05)


def test_restore():
    head = BNNeckHead((8, 4), 3)
    other = BNNeckHead.restore(head.describe())
    assert other.describe() == head.describe()
    assert set(other.state_dict()) == set(head.state_dict())


@pytest.mark.parametrize(("widths", "identities"), [((8, 4), 0), ({}, 3)])
def test_heads_of_nothing_are_refused(widths, identities):
    with pytest.raises(ConfigError, match="at least one identity"):
        BNNeckHead(widths, identities)
