"""A prompt kind, a tuning addition and a head part are added with a class and a registry line."""

from types import MappingProxyType

import pytest
import torch
from small_models import INFO, small_backbone
from torch import nn
from torch.nn import functional as F

from promptreid.config.base import Strict
from promptreid.config.model import EmbeddingConfig, HeadConfig, HeadPartConfig, PromptConfig
from promptreid.config.optimize import OptimizerConfig
from promptreid.models.checkpoint import load_model, save_model
from promptreid.models.heads import head as heads
from promptreid.models.heads.head import Head, HeadShape
from promptreid.models.heads.head_part import HeadPart
from promptreid.models.model_part import PartShape
from promptreid.models.prompts import prompt_kinds
from promptreid.models.prompts.prompt import PromptData, PromptOfIdentities
from promptreid.models.reid import ReIDModel, tower_widths
from promptreid.models.tuning import tuning
from promptreid.models.tuning.addition import TuningAddition
from promptreid.models.tuning.tuning import attach_tuning
from promptreid.training.stage.learning_parts import set_learning
from promptreid.training.stage.optimizer import build_optimizer


class TableOptions(PromptConfig):
    kind: str = "table"
    scale: float = 2.0


class TableShape(PartShape):
    identities: int


class TablePrompt(PromptOfIdentities):
    """A text feature of each identity's own, without sentences."""

    Options, Shape = TableOptions, TableShape
    per_identity = ("tokens",)

    def __init__(self, backbone, options, shape):
        super().__init__(backbone, options, shape)
        self.identities = shape.identities
        self.tokens = nn.Parameter(torch.zeros(shape.identities, backbone.text.embed_dim))

    @classmethod
    def build(cls, backbone, options, data, *, generator=None):
        prompt = cls(backbone, options, TableShape(identities=data.identities))
        nn.init.normal_(prompt.tokens, generator=generator)
        return prompt

    def forward(self, labels, variants=None):
        return self.options.scale * self.tokens[labels]

    def bank(self, *, chunk=64):
        return self.options.scale * self.tokens.detach()[None]


class ScaleOptions(Strict):
    start: float = 1.5


class ChannelScale(TuningAddition):
    """A factor for each channel of the tokens that leave the last block."""

    Options = ScaleOptions
    adapts = True

    def __init__(self, options, width):
        super().__init__(options)
        self.factors = nn.Parameter(torch.full((width,), options.start))

    @classmethod
    def build(cls, tower, options, generator):
        return cls(options, tower.widths[1])

    def adapt(self, tokens, *, leading):
        return tokens * self.factors


class SquareOptions(HeadPartConfig):
    of: str = "final"

    @property
    def names(self):
        return ("squared",)


class Square(HeadPart):
    """Squares of a feature times a learned factor."""

    def __init__(self, options, widths, tower, generator):
        super().__init__(options)
        self.reads, self.widths = (options.of,), {"squared": widths[options.of]}
        self.factor = nn.Parameter(torch.ones(1))

    def forward(self, features, derived):
        return {"squared": self.factor * derived[self.options.of].square()}


class WiderHead(HeadConfig):
    square: SquareOptions | None = None


@pytest.fixture
def added(monkeypatch):
    """One entry more in each registry, and the section of a recipe that names the head part."""
    for module, name, entry in (
        (prompt_kinds, "PROMPTS", {"table": TablePrompt}),
        (tuning, "ADDITIONS", {"scale": ChannelScale}),
        (heads, "HEAD_PARTS", {"square": Square}),
    ):
        monkeypatch.setattr(module, name, MappingProxyType({**getattr(module, name), **entry}))
    monkeypatch.setattr(Head, "Options", WiderHead)


def build():
    backbone = small_backbone()
    prompt = prompt_kinds.PROMPTS["table"].build(
        backbone, TableOptions(), PromptData(3), generator=torch.Generator().manual_seed(0)
    )
    attach_tuning(backbone.image, scale=ScaleOptions())
    options = WiderHead(features=("final", "squared"), square=SquareOptions())
    head = Head(options, HeadShape(identities=3), tower_widths(backbone, prompt, None))
    config = EmbeddingConfig(features=("squared",))
    return ReIDModel(backbone, prompt=prompt, head=head, embedding=config).eval()


def draw_images():
    return torch.randn(6, 3, 64, 64, generator=torch.Generator().manual_seed(1))


def test_they_make_a_recipe_s_features(added):
    assert WiderHead(square=SquareOptions()).names[-1] == "squared"
    model = build()
    assert model.widths["squared"] == model.embedding_width == 128
    assert model.identity_prompt is model.prompt
    assert model.image_prompt is None
    with torch.no_grad():
        derived = model.derived(model.features(draw_images()))
        assert torch.allclose(derived["squared"], derived["final"].square())


def test_they_learn_a_step_as_parts_of_their_own(added):
    model, labels = build(), torch.arange(6) % 3
    named = set_learning(model, ["prompt", "scale", "head"])
    names = {name for name, _ in named}
    assert {"prompt.tokens", "backbone.image.scale.factors", "head.square.factor"} <= names
    assert not any(name.startswith("backbone.image.transformer") for name in names)
    assert model.backbone.image.tuning["scale"].training
    before = {name: parameter.detach().clone() for name, parameter in named}
    config = OptimizerConfig(name="sgd", lr=0.1, weight_decay=0)
    optimizer = build_optimizer(named, config, tower=model.backbone.image)
    derived = model.derived(model.features(draw_images()), training=True)
    scores = model.head.scores(derived, "linear")
    texts = F.cosine_similarity(derived["projected"], model.prompt(labels))
    (sum(F.cross_entropy(each, labels) for each in scores) - texts.sum()).backward()
    optimizer.step()
    still = {name for name, parameter in named if torch.equal(parameter, before[name])}
    assert still == set()


def test_a_checkpoint_describes_them_and_brings_them_back(added, tmp_path):
    model = build()
    description = model.describe()
    assert description["tuning"] == {"scale": {"start": 1.5}}
    assert description["prompt"]["options"]["scale"] == 2.0
    assert description["prompt"]["shape"] == {"identities": 3}
    assert description["head"]["options"]["square"] == {"of": "final"}
    save_model(tmp_path / "model.safetensors", model, INFO)
    loaded, _ = load_model(tmp_path / "model.safetensors")
    assert loaded.describe() == description
    images = draw_images()
    assert torch.equal(loaded.embed(images), model.embed(images))
    assert torch.equal(loaded.prompt.bank(), model.prompt.bank())
