"""A fresh model takes over what fits of an earlier run, and says what."""

import pytest
import torch
from small_heads import small_head
from small_models import INFO
from small_prompts import identity_prompt

from promptreid.config.checkpoints import StartConfig
from promptreid.config.model import AdapterConfig, LoraConfig, VisualPromptConfig
from promptreid.errors import ConfigError, WeightsError
from promptreid.models.checkpoint import save_model
from promptreid.models.reid import ReIDModel
from promptreid.models.towers.backbone import build_backbone
from promptreid.models.tuning.tuning import attach_tuning
from promptreid.progress import Silent
from promptreid.training.run.warm_start import start_from

pytestmark = pytest.mark.slow

WIDTHS = {"penultimate": 192, "final": 192, "projected": 128}


class Heard(Silent):
    """Keeps what is reported."""

    def __init__(self):
        self.lines = []

    def message(self, text):
        self.lines.append(text)


def build(classes, *, size=(32, 32), seed=0, **tuning):
    backbone = build_backbone("tiny", pretrained="none", image_size=size)
    generator = torch.Generator().manual_seed(seed)
    for parameter in backbone.image.parameters():
        parameter.data.normal_(std=0.02, generator=generator)
    attach_tuning(backbone.image, generator=generator, **tuning)
    prompt = identity_prompt(backbone, classes, context_tokens=2, generator=generator)
    return ReIDModel(backbone, prompt=prompt, head=small_head(WIDTHS, classes, generator=generator))


@pytest.fixture
def saved(tmp_path):
    def save(model, classes):
        path = tmp_path / "checkpoints" / "best.safetensors"
        save_model(path, model, INFO.updated(classes=tuple(classes)))
        return StartConfig(checkpoint=str(tmp_path))

    return save


def test_identities_are_taken_by_name_and_others_stay_fresh(saved):
    donor, model, fresh = build(3, seed=1), build(4), build(4)
    heard = Heard()
    start_from(model, saved(donor, ["a", "b", "c"]), ["x", "c", "a", "y"], progress=heard)
    assert torch.equal(model.prompt.tokens[[1, 2]], donor.prompt.tokens[[2, 0]])
    assert torch.equal(model.prompt.tokens[[0, 3]], fresh.prompt.tokens[[0, 3]])
    mine, theirs, before = (
        each.head.classifiers["linear"]["final"].weight for each in (model, donor, fresh)
    )
    assert torch.equal(mine[[1, 2]], theirs[[2, 0]])
    assert torch.equal(mine[[0, 3]], before[[0, 3]])
    for name, value in donor.backbone.image.state_dict().items():
        assert torch.equal(model.backbone.image.state_dict()[name], value), name
    assert any("for 2 of 4 identities" in line for line in heard.lines)
    assert any(line.startswith("image from") for line in heard.lines)


def test_only_the_named_parts_are_taken(saved):
    donor, model, fresh = build(2, seed=1), build(2), build(2)
    start = saved(donor, ["a", "b"]).model_copy(update={"parts": ("prompt",)})
    start_from(model, start, ["a", "b"], progress=Silent())
    assert torch.equal(model.prompt.tokens, donor.prompt.tokens)
    assert torch.equal(model.backbone.image.conv1.weight, fresh.backbone.image.conv1.weight)


def test_positions_are_resized_to_the_new_images(saved):
    donor, model = build(2, seed=1), build(2, size=(64, 32))
    start_from(model, saved(donor, ["a", "b"]), ["a", "b"], progress=Silent())
    assert torch.equal(model.backbone.image.conv1.weight, donor.backbone.image.conv1.weight)
    assert torch.equal(
        model.backbone.image.positional_embedding[0], donor.backbone.image.positional_embedding[0]
    )


def test_low_rank_updates_are_folded_in_where_the_new_model_has_none(saved):
    donor = build(2, seed=1, lora=LoraConfig(rank=2))
    for name, parameter in donor.named_parameters():
        if "parametrizations" in name:
            parameter.data.add_(0.01)
    model = build(2)
    images = torch.randn(2, 3, 32, 32, generator=torch.Generator().manual_seed(2))
    expected = donor.eval().features(images).projected
    start_from(model, saved(donor, ["a", "b"]), ["a", "b"], progress=Silent())
    torch.testing.assert_close(model.eval().features(images).projected, expected)


def test_a_plain_run_starts_a_model_with_fresh_low_rank_updates(saved):
    donor, model = build(2, seed=1), build(2, lora=LoraConfig(rank=2))
    images = torch.randn(2, 3, 32, 32, generator=torch.Generator().manual_seed(2))
    start_from(model, saved(donor, ["a", "b"]), ["a", "b"], progress=Silent())
    expected = donor.eval().features(images).projected
    torch.testing.assert_close(model.eval().features(images).projected, expected)


@pytest.mark.parametrize(
    ("name", "options"),
    [("visual_prompt", VisualPromptConfig(tokens=2)), ("adapter", AdapterConfig(groups=8))],
)
def test_additions_that_the_recipe_lacks_are_refused(saved, name, options):
    donor, model = build(2, seed=1, **{name: options}), build(2)
    with pytest.raises(ConfigError, match=rf"has tuning\.{name}"):
        start_from(model, saved(donor, ["a", "b"]), ["a", "b"], progress=Silent())


def test_what_is_asked_for_and_not_there_is_said(saved, tmp_path):
    donor, model = build(2, seed=1), build(2)
    start = saved(donor, ["a", "b"])
    with pytest.raises(ConfigError, match="this model has none"):
        start_from(model, start.model_copy(update={"parts": ("lora",)}), ["a"], progress=Silent())
    strangers = start.model_copy(update={"parts": ("prompt",)})
    with pytest.raises(ConfigError, match="nothing of it"):
        start_from(model, strangers, ["c", "d"], progress=Silent())
    with pytest.raises(WeightsError, match="no finished run"):
        start_from(
            model, StartConfig(checkpoint=str(tmp_path / "no")), ["a", "b"], progress=Silent()
        )


def test_without_a_checkpoint_nothing_happens():
    model, fresh = build(2), build(2)
    start_from(model, StartConfig(), ["a", "b"], progress=Silent())
    for name, value in fresh.state_dict().items():
        assert torch.equal(model.state_dict()[name], value)
