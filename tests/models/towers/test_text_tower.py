import pytest
import torch
from small_models import VIT, small_architecture, small_backbone, take_over

from promptreid.errors import ModelError, WeightsError
from promptreid.models.towers.text_tower import FULL, NO_VOCABULARY, AbsentText

VARIANTS = {
    "clip": {},
    "custom blocks": {"qk_norm": True},
    "bidirectional": {"no_causal_mask": True, "context_length": 16},
    "siglip": {
        "no_causal_mask": True,
        "pool_type": "last",
        "proj_bias": True,
        "context_length": 16,
    },
    "eos": {"pool_type": "eos", "eos_id": 9},
    "first": {"pool_type": "first", "no_causal_mask": True},
    "no projection": {"proj_type": "none"},
}


def sentences(context_length, vocabulary=49408):
    """Three sentences of different lengths, the highest id where CLIP has its end token."""
    generator = torch.Generator().manual_seed(0)
    tokens = torch.randint(10, 300, (3, context_length), generator=generator)
    for row, end in enumerate((4, context_length - 1, 7)):
        tokens[row, end] = 9 if row == 1 else vocabulary - 1
        tokens[row, end + 1 :] = 0
    tokens[0, 4], tokens[2, 7] = vocabulary - 1, vocabulary - 1
    tokens[1, -1] = vocabulary - 1
    tokens[0, 2] = tokens[1, 5] = tokens[2, 6] = 9
    return tokens


@pytest.mark.parametrize("text", VARIANTS.values(), ids=VARIANTS)
@pytest.mark.parametrize("custom", [False, True], ids=["built in", "own module"])
def test_features_equal_open_clip(text, custom):
    architecture = small_architecture(VIT, text=text, custom_text=custom)
    if "proj_type" in text:
        architecture.config["embed_dim"] = 128
    model = architecture.build(seed=1)
    tokens = sentences(text.get("context_length", 77))
    with torch.no_grad():
        expected = model.encode_text(tokens)
        tower = take_over(architecture, model).text
        got = tower.encode_tokens(tokens)
    assert tower.embed_dim == expected.shape[1]
    assert torch.allclose(got, expected, atol=1e-5)


@pytest.mark.parametrize("text", [{}, {"qk_norm": True}, {"no_causal_mask": True}], ids=str)
def test_a_shared_beginning_changes_nothing(text):
    tower = small_backbone(text=text).text
    tokens = sentences(77)
    tokens[:, :3] = tokens[0, :3]
    eot = tower.read_position(tokens)
    with torch.no_grad():
        words = tower.embed_tokens(tokens)
        whole = tower.encode_embeddings(words, eot)
        split = tower.encode_embeddings(words[:, 3:], eot, shared=words[0, :3])
    assert torch.allclose(split, whole, atol=1e-5)


def test_words_after_the_end_cannot_matter_and_are_not_run():
    tower = small_backbone().text
    words = torch.randn(2, 77, 128, generator=torch.Generator().manual_seed(0))
    seen = []
    tower.transformer.resblocks[0].ln_2.register_forward_hook(
        lambda module, inputs, output: seen.append(output.shape[1])
    )
    with torch.no_grad():
        short = tower.encode_embeddings(words[:, :12], 11)
        words[:, 12:] += 100
        full = tower.encode_embeddings(words, 11)
    assert torch.equal(short, full)
    assert seen == [12, 12]


def test_gradients_reach_embeddings_through_frozen_weights():
    tower = small_backbone().text.requires_grad_(False)
    words = torch.randn(2, 12, 128, generator=torch.Generator().manual_seed(0)).requires_grad_()
    tower.encode_embeddings(words, 8).sum().backward()
    per_position = words.grad.abs().sum(dim=(0, 2))
    assert (per_position[:9] > 0).all()
    assert (per_position[9:] == 0).all()


def test_without_vocabulary_words_cannot_be_embedded():
    tower = small_backbone().text
    assert tower.kind == FULL
    tower.drop_vocabulary()
    assert tower.kind == NO_VOCABULARY
    assert not any("token_embedding" in name for name in tower.state_dict())
    with pytest.raises(WeightsError, match="no word embeddings"):
        tower.encode_tokens(sentences(77))
    with torch.no_grad():
        assert tower.encode_embeddings(torch.zeros(1, 12, 128), 11).shape == (1, 64)


def test_an_absent_tower_refuses():
    tower = AbsentText()
    assert tower.state_dict() == {}
    with pytest.raises(WeightsError, match="image tower only"):
        tower.encode_embeddings(torch.zeros(1, 2, 3), 1)
    with pytest.raises(WeightsError, match="no word embeddings"):
        tower.encode_tokens(sentences(77))


@pytest.mark.parametrize("text", [{"embed_cls": True}, {"pool_type": "none"}], ids=str)
def test_towers_without_one_row_to_read_are_refused(text):
    architecture = small_architecture(text=text, custom_text=True)
    with pytest.raises(ModelError):
        take_over(architecture, architecture.build())
