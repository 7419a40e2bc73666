"""A loss that the package does not know is trained with, kept and reported like any other."""

from types import MappingProxyType
from typing import ClassVar

import pytest
import torch
from small_prompts import identity_prompt
from torch import Tensor, nn

from promptreid.config.losses import LossOptions, LossTerms
from promptreid.config.stage import StageConfig
from promptreid.data.batches.samplers import Uniform
from promptreid.inference.run_context import RunContext
from promptreid.losses import terms
from promptreid.losses.loss_inputs import Outputs
from promptreid.losses.loss_state import LossState, StateSetting
from promptreid.losses.terms import LossTerm, build_states
from promptreid.models.reid import ReIDModel
from promptreid.models.towers.backbone import build_backbone
from promptreid.training.batches.stage_batches import CachedFeatures
from promptreid.training.stage.learning_parts import set_learning
from promptreid.training.stage.stage import StageRunner
from promptreid.training.stage.training_state import TrainingState

CPU = torch.device("cpu")


class AngleOptions(LossOptions):
    """Options of a loss that is registered by these tests alone."""

    needs: ClassVar[tuple[str, ...]] = ("prompt",)
    needs_identities: ClassVar[bool] = True
    spans_identities: ClassVar[bool] = True
    compares_views: ClassVar[bool] = False
    counts_pairs: ClassVar[bool] = True
    power: float = 2.0


class MoreTerms(LossTerms):
    angle: AngleOptions | None = None


class Seen(LossState):
    """Counts the images that the loss has seen."""

    images: Tensor

    def __init__(self, options: AngleOptions, setting: StateSetting):
        super().__init__(options, setting)
        self.register_buffer("images", torch.tensor(100 * setting.classes))


def angle_term(outputs: Outputs, options: AngleOptions) -> Tensor:
    state = outputs.states["angle"]
    assert isinstance(state, Seen)
    state.images += len(outputs.labels)
    cosines = nn.functional.cosine_similarity(outputs.projected, outputs.text)
    return (1 - cosines).pow(options.power).mean()


@pytest.fixture
def added(monkeypatch):
    """Register the loss: its function, its state, what it classifies by, and its options."""
    term = LossTerm(
        angle_term,
        state=Seen,
        class_scores=lambda outputs, options: outputs.projected @ outputs.identity_texts.T,
    )
    table = MappingProxyType({**terms.TERMS, "angle": term})
    monkeypatch.setattr(terms, "TERMS", table)


def stage(**changes) -> StageConfig:
    values = {
        "name": "prompts",
        "learns": ["prompt"],
        "images": "cached",
        "losses": MoreTerms.model_validate({"angle": {"weight": 2, "power": 1}}),
        "batch": {"size": 8},
        "optimizer": {"name": "sgd", "lr": 0.1, "weight_decay": 0, "momentum": 0},
        "epochs": 1,
    }
    return StageConfig.model_validate(values | changes)


def test_one_step_of_a_stage_learns_from_it(added):
    backbone = build_backbone("tiny", pretrained="none", image_size=(32, 32))
    prompt = identity_prompt(backbone, 4, generator=torch.Generator().manual_seed(1))
    model = ReIDModel(backbone, prompt=prompt)
    config = stage()
    features = torch.randn(8, 128, generator=torch.Generator().manual_seed(2))
    labels = torch.arange(8) % 4
    setting = StateSetting(model.widths, 4, model, torch.Generator())
    rows = []
    runner = StageRunner(
        config=config,
        model=model,
        parameters=set_learning(model, config.learns),
        source=CachedFeatures(features, labels, sampler=Uniform(8, 8, 3)),
        states=build_states(config.losses, setting),
        average=None,
        domains=None,
        state=TrainingState(),
        context=RunContext(CPU, seed=3),
        after_step=lambda: None,
        after_epoch=rows.append,
        over=lambda: False,
    )
    with torch.no_grad():
        before = prompt.tokens.clone()
        texts = prompt(labels)
        everyone = prompt(torch.arange(4))
    runner.run()
    loss = (1 - nn.functional.cosine_similarity(features, texts)).mean().item()
    (row,) = rows
    assert row["loss_angle"] == pytest.approx(loss, rel=1e-5)
    assert row["loss"] == pytest.approx(2 * loss, rel=1e-5)
    right = ((features @ everyone.T).argmax(1) == labels).float().mean().item()
    assert row["accuracy"] == pytest.approx(right)
    assert row["positives"] == pytest.approx(2.0)
    assert (prompt.tokens - before).flatten(1).norm(dim=1).min() > 0
    assert runner.states.state_dict()["angle.images"] == 408


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"labels": "instance"}, "labels: instance.*angle.*labels: identity"),
        ({"domains": "mean"}, "angle.*domains: joint"),
    ],
)
def test_its_facts_decide_what_it_may_stand_beside(added, changes, words):
    with pytest.raises(ValueError, match=words):
        stage(**changes)


def test_two_views_are_asked_for_by_name(added, monkeypatch):
    monkeypatch.setattr(AngleOptions, "compares_views", True)
    with pytest.raises(ValueError, match=r"angle loss.*views: 2"):
        stage()


def test_a_model_without_what_it_needs_is_refused(added):
    from promptreid.config.recipes import load_recipe
    from promptreid.config.schema import Recipe

    values = load_recipe("finetune-ce").model_dump()
    values["stages"] = [stage(images="augmented", learns=["image"])]
    with pytest.raises(ValueError, match=r"needs a prompt.*prompt\.kind"):
        Recipe.model_validate(values)
