import pytest
import torch

from promptreid.errors import ConfigError
from promptreid.models.prompts.inversion import InversionNetwork


def draw(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def test_sizes_are_the_published_ones():
    network = InversionNetwork(512, 512)
    norm = sum(p.numel() for p in network.norm.parameters())
    assert norm == 1024
    assert sum(p.numel() for p in network.parameters()) - norm == 787_456
    assert InversionNetwork(1024, 512)(draw(4, 1024)).shape == (4, 512)


def test_a_word_is_computed_layer_by_layer():
    network = InversionNetwork(6, 4, hidden=5).eval()
    with torch.no_grad():
        network.norm.running_mean.copy_(draw(4, seed=1))
        network.norm.running_var.copy_(draw(4, seed=2).abs() + 0.5)
        network.norm.weight.copy_(draw(4, seed=3))
        network.norm.bias.copy_(draw(4, seed=4))
    x = draw(3, 6)
    found = network(x)
    for row, word in zip(x, found, strict=True):
        for layer, last in ((network.first, False), (network.second, False), (network.third, True)):
            row = torch.stack([weights @ row for weights in layer.weight])
            row = row if layer.bias is None else row + layer.bias
            row = row if last else row.clamp_min(0)
        norm = network.norm
        row = (row - norm.running_mean) / (norm.running_var + norm.eps).sqrt()
        assert torch.allclose(word, row * norm.weight + norm.bias, atol=1e-6)


def test_the_norm_is_the_last_thing():
    words = InversionNetwork(16, 8)(draw(64, 16))
    assert torch.allclose(words.mean(dim=0), torch.zeros(8), atol=1e-5)
    assert torch.allclose(words.std(dim=0, unbiased=False), torch.ones(8), atol=1e-2)


def test_weights_come_from_the_generator_alone():
    torch.manual_seed(5)
    before = torch.random.get_rng_state()
    first, again, other = (
        InversionNetwork(6, 4, generator=torch.Generator().manual_seed(seed)) for seed in (1, 1, 2)
    )
    assert torch.equal(torch.random.get_rng_state(), before)
    for name, value in first.state_dict().items():
        assert torch.equal(value, again.state_dict()[name])
    assert not torch.equal(first.first.weight, other.first.weight)


@pytest.mark.parametrize("sizes", [(0, 4, 5), (6, 0, 5), (6, 4, 0)])
def test_empty_sizes_are_refused(sizes):
    with pytest.raises(ConfigError, match=r"prompt\.hidden"):
        InversionNetwork(sizes[0], sizes[1], hidden=sizes[2])
