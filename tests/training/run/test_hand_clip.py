"""The loss of HandCLIP's image stage, against loops over a real forward pass."""

import math
from pathlib import Path

import pytest
import torch

from promptreid.config.recipes import load_recipe
from promptreid.data.load_data import load_data
from promptreid.losses.loss_inputs import BatchFeatures
from promptreid.losses.loss_state import StateSetting
from promptreid.losses.terms import build_states, total_loss
from promptreid.models.prompts.identity_prompt import IdentityPrompt
from promptreid.training.run.build_model import build_model
from promptreid.training.run.training_data import training_data
from promptreid.training.stage.step_outputs import StepOutputs

pytestmark = pytest.mark.slow

LABELS = [0, 0, 1, 1, 2, 2, 3]  # the last identity has one image, whose only positive is its text
TERMS = {"id", "triplet", "supcon_i2t", "supcon_t2i", "center"}


def unit(vector: list[float]) -> list[float]:
    length = math.sqrt(sum(value * value for value in vector))
    return [value / length for value in vector]


def contrast(
    anchors: list[list[float]], others: list[list[float]], labels: list[int], temperature: float
) -> float:
    """Mean over anchors of the mean over their positives of minus the log-probability."""
    anchors, others = [unit(row) for row in anchors], [unit(row) for row in others]
    losses = []
    for place, anchor in enumerate(anchors):
        scores = [
            sum(a * b for a, b in zip(anchor, other, strict=True)) / temperature for other in others
        ]
        everyone = math.log(sum(math.exp(score) for score in scores))
        positives = [n for n, label in enumerate(labels) if label == labels[place]]
        losses.append(sum(everyone - scores[n] for n in positives) / len(positives))
    return sum(losses) / len(losses)


@pytest.mark.parametrize("name", ["hand-clip", "hand-clip/joint"])
def test_image_stage_has_the_sum_of_hand_clip(name: str) -> None:
    stage = load_recipe(name).stages[1]
    active = stage.losses.active()
    weights = {term: active[term].weight for term in TERMS}
    assert weights == {"id": 1, "triplet": 1, "supcon_i2t": 1, "supcon_t2i": 1, "center": 3e-4}
    assert set(active) - TERMS == ({"prompt_l2"} if name.endswith("joint") else set())
    for term in (stage.losses.supcon_i2t, stage.losses.supcon_t2i):
        assert term is not None
        assert (term.temperature, term.normalize) == (0.07, True)


@pytest.mark.parametrize("frozen", [True, False], ids=["frozen texts", "texts of the step"])
def test_contrast_of_images_and_texts_is_that_of_the_loops(crops: Path, frozen: bool) -> None:
    name = "hand-clip" if frozen else "hand-clip/joint"
    changes = ["backbone.name=tiny", "backbone.image_size=32", "head.kind=linear"]
    changes += ["prompt.template=A photo of a {context} hand."]
    recipe = load_recipe(name, changes)
    data = training_data(
        [load_data(f"folder:{crops}")],
        validation="none",
        fraction=0.1,
        seed=0,
        fields=(),
        per_image=False,
        side_attribute=None,
    )
    model, _ = build_model(recipe, data, seed=0)
    assert isinstance(model.prompt, IdentityPrompt)
    with torch.no_grad():  # fresh prompts read nearly alike
        noise = torch.Generator().manual_seed(1)
        model.prompt.tokens += torch.randn(model.prompt.tokens.shape, generator=noise)
    model.eval()
    stage = recipe.stages[1]
    labels = torch.tensor(LABELS)
    images = torch.randn(len(LABELS), 3, 32, 32, generator=torch.Generator().manual_seed(2))
    features = dict(model.derived(model.features(images)))
    generator = torch.Generator().manual_seed(3)
    setting = StateSetting(model.widths, len(data.classes), model, generator)
    states = build_states(stage.losses, setting)
    batch = BatchFeatures(
        projected=features["projected"],
        labels=labels,
        host_labels=labels,
        host_variants=torch.zeros_like(labels),
        features=features,
        images=images,
    )
    outputs = StepOutputs(
        batch=batch,
        prompt=model.prompt,
        head=model.head,
        bank=model.prompt.bank() if frozen else None,
        text_learns=not frozen,
        states=dict(states.items()),
    )
    total, terms = total_loss(outputs, stage.losses)
    pictures = features["projected"].detach().double().tolist()
    with torch.no_grad():
        texts = model.prompt(labels).double().tolist()
    assert unit(texts[0]) != pytest.approx(unit(texts[2]), abs=1e-2), "texts tell identities apart"
    i2t = contrast(pictures, texts, LABELS, 0.07)
    t2i = contrast(texts, pictures, LABELS, 0.07)
    assert float(terms["supcon_i2t"]) == pytest.approx(i2t, rel=1e-4)
    assert float(terms["supcon_t2i"]) == pytest.approx(t2i, rel=1e-4)
    rest = sum(
        stage.losses.active()[term].weight * float(value)
        for term, value in terms.items()
        if term not in ("supcon_i2t", "supcon_t2i")
    )
    assert float(total.detach()) == pytest.approx(i2t + t2i + rest, rel=1e-4)
    total.backward()
    gradient = model.backbone.image.conv1.weight.grad
    assert gradient is not None
    assert gradient.abs().max() > 0
    assert (model.prompt.tokens.grad is None) == frozen
