"""One stage's steps against the same arithmetic done by hand."""

import pytest
import torch

from promptreid.config.schema import StageConfig
from promptreid.losses.terms import total_loss
from promptreid.models.backbone import build_backbone
from promptreid.models.heads import BNNeckHead
from promptreid.models.prompts import IdentityPrompt
from promptreid.models.reid import ReIDModel
from promptreid.progress import Silent
from promptreid.training.batches import CachedFeatures
from promptreid.training.outputs import StepOutputs
from promptreid.training.parts import set_learning
from promptreid.training.stage import StageRunner
from promptreid.training.state import TrainingState

CPU = torch.device("cpu")


@pytest.fixture
def model():
    backbone = build_backbone("tiny", pretrained="none", image_size=(32, 32))
    prompt = IdentityPrompt(
        backbone.text,
        backbone.tokenizer,
        4,
        templates="A photo of a {context} person.",
        context_tokens=2,
        generator=torch.Generator().manual_seed(1),
    )
    head = BNNeckHead({"final": 192, "projected": 128}, 4)
    return ReIDModel(backbone, prompt=prompt, head=head)


@pytest.fixture
def cached():
    generator = torch.Generator().manual_seed(2)
    return torch.randn(8, 128, generator=generator), torch.arange(8) % 4


def stage(**changes):
    values = {
        "name": "prompts",
        "learns": ["prompt"],
        "images": "cached",
        "losses": {"supcon_i2t": 1, "supcon_t2i": 0.5},
        "batch": {"size": 4},
        "optimizer": {"name": "sgd", "lr": 0.1, "weight_decay": 0, "momentum": 0},
        "epochs": 1,
    }
    return StageConfig.model_validate(values | changes)


def runner(model, cached, config, events=None):
    features, labels = cached
    events = [] if events is None else events
    return StageRunner(
        config=config,
        model=model,
        parameters=set_learning(model, config.learns),
        source=CachedFeatures(features, labels, size=4, seed=3),
        bank=None,
        state=TrainingState(),
        precision="fp32",
        device=CPU,
        seed=3,
        progress=Silent(),
        after_step=lambda: events.append("step"),
        after_epoch=events.append,
    )


def gradients(model, cached, config):
    """Gradient of each batch's loss at the present prompts."""
    found = []
    for step in CachedFeatures(*cached, size=4, seed=3).epoch(1, start=0):
        model.prompt.tokens.grad = None
        outputs = StepOutputs(model, step.labels, step.projected, None, None)
        total_loss(outputs, config.losses)[0].backward()
        found.append(model.prompt.tokens.grad.clone())
    model.prompt.tokens.grad = None
    return found


def test_accumulated_batches_move_by_the_mean_gradient(model, cached):
    config = stage(accumulate=2)
    set_learning(model, config.learns)
    before = model.prompt.tokens.detach().clone()
    first, second = gradients(model, cached, config)
    runner(model, cached, config).run()
    torch.testing.assert_close(model.prompt.tokens, before - 0.1 * (first + second) / 2)


def test_clipping_comes_before_the_step(model, cached):
    config = stage(accumulate=2, clip_norm=1e-3)
    before = model.prompt.tokens.detach().clone()
    runner(model, cached, config).run()
    moved = (model.prompt.tokens - before).norm().item()
    assert moved == pytest.approx(0.1 * 1e-3, rel=1e-3)


def test_row_holds_means_over_images(model, cached):
    events = []
    config = stage(optimizer={"name": "sgd", "lr": 1e-12, "weight_decay": 0})
    expected = []
    for step in CachedFeatures(*cached, size=4, seed=3).epoch(1, start=0):
        outputs = StepOutputs(model, step.labels, step.projected, None, None)
        expected.append(total_loss(outputs, config.losses))
    runner(model, cached, config, events).run()
    (row,) = [event for event in events if event != "step"]
    assert row["loss"] == pytest.approx(sum(loss.item() for loss, _ in expected) / 2, rel=1e-5)
    for name in ("supcon_i2t", "supcon_t2i"):
        mean = sum(terms[name].item() for _, terms in expected) / 2
        assert row[f"loss_{name}"] == pytest.approx(mean, rel=1e-5)
    assert (row["stage"], row["epoch"], row["steps"], row["images"]) == ("prompts", 1, 2, 8)
    assert row["accuracy"] == ""


def test_only_the_named_part_learns_and_everything_else_is_frozen(model):
    learning = dict(set_learning(model, ["prompt"]))
    assert list(learning) == ["prompt.tokens"]
    assert not model.backbone.image.training
    learning = dict(set_learning(model, ["image", "head"]))
    wanted = {
        name
        for name, _ in model.named_parameters()
        if name.startswith(("backbone.image.", "head.")) and not name.endswith("necks.final.bias")
    }
    assert set(learning) == wanted - {"head.necks.projected.bias"}
    assert model.backbone.image.training
    assert model.head.training
    assert not model.backbone.text.training
    assert {n for n, p in model.named_parameters() if p.requires_grad} == set(learning)


def test_prompt_features_of_two_identities_differ_and_the_tokens_get_gradients(model):
    (bank,) = model.prompt.bank()
    assert (bank[0] - bank[1]).norm() > 1e-3
    set_learning(model, ["prompt"])
    model.prompt(torch.tensor([0, 2])).square().sum().backward()
    touched = model.prompt.tokens.grad.flatten(1).norm(dim=1) > 0
    assert touched.tolist() == [True, False, True, False]
