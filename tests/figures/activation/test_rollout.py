import pytest
import torch
from small_models import small_backbone
from torch.nn import functional as F

from promptreid.config.model import LoraConfig
from promptreid.errors import ModelError
from promptreid.figures.activation.rollout import attends_like_clip, recorded_attention, rollout
from promptreid.models.tuning.tuning import attach_tuning


def weights(count, tokens, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return [torch.rand(2, tokens, tokens, generator=generator).softmax(-1) for _ in range(count)]


def test_rollout_follows_every_path_through_the_blocks():
    """The share of token j in token i is the sum over all paths of the products of half weights."""
    first, second = weights(2, 3)
    found = rollout([first, second])
    for i in range(3):
        for j in range(3):
            total = 0.0
            for middle in range(3):
                late = (float(second[1, i, middle]) + (i == middle)) / 2
                early = (float(first[1, middle, j]) + (middle == j)) / 2
                total += late * early
            assert found[1, i, j] == pytest.approx(total, abs=1e-6)
    assert torch.allclose(found.sum(-1), torch.ones(2, 3))


def test_tokens_given_anew_forget_what_blocks_made_of_them():
    """A patch that only a prompt token looks at reaches nobody when the next block drops it."""
    first = torch.eye(3).repeat(1, 1, 1)
    first[0, 1] = torch.tensor([0.0, 0.0, 1.0])  # the prompt token reads the patch
    second = torch.eye(3).repeat(1, 1, 1)
    second[0, 0] = torch.tensor([0.0, 1.0, 0.0])  # the class token reads the prompt token
    kept, dropped = rollout([first, second]), rollout([first, second], fresh=slice(1, 2))
    assert kept[0, 0].tolist() == [0.5, 0.25, 0.25]
    assert dropped[0, 0].tolist() == [0.5, 0.5, 0.0]


@pytest.mark.parametrize("lora", [False, True])
def test_recorded_attention_is_that_of_pytorch_and_changes_nothing(lora):
    tower = small_backbone().image
    if lora:
        generator = torch.Generator().manual_seed(0)
        attach_tuning(tower, lora=LoraConfig(rank=2), visual_prompt=None, generator=generator)
        for name, parameter in tower.named_parameters():
            if name.endswith(".up"):
                torch.nn.init.normal_(parameter, generator=generator)
    images = torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(1))
    blocks = list(tower.transformer.resblocks)
    with torch.no_grad():
        wanted = tower(images).projected
        with recorded_attention(blocks) as found:
            assert torch.equal(tower(images).projected, wanted)
        entering = tower.embed(images)
        for block, attention in zip(blocks, found, strict=True):
            normed = block.ln_1(entering)
            _, expected = block.attn(normed, normed, normed, need_weights=True)
            assert torch.allclose(attention, expected, atol=1e-5)
            entering = block(entering)
        assert len(found) == 3
        tower(images)
        assert len(found) == 3  # nothing is recorded any more


def test_other_blocks_are_refused():
    blocks = [torch.nn.Linear(2, 2)]
    assert not attends_like_clip(blocks)
    with pytest.raises(ModelError, match="not Linear"), recorded_attention(blocks):
        pass


def test_rows_of_attention_sum_to_one():
    tower = small_backbone().image
    blocks = tower.transformer.resblocks
    with torch.no_grad(), recorded_attention(blocks) as found:
        tower(torch.zeros(1, 3, 64, 64))
    assert len(found) == len(blocks)
    for attention in found:
        assert torch.allclose(attention.sum(-1), torch.ones(1, 17), atol=1e-5)
        assert F.relu(attention).equal(attention)
