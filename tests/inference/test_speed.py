from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image
from small_models import small_backbone
from small_prompts import image_prompt

from promptreid.config.model import EmbeddingConfig
from promptreid.data.images.image_store import ImageStore
from promptreid.data.images.preprocess import Preprocess
from promptreid.errors import ConfigError
from promptreid.inference import speed
from promptreid.inference.embedder import Embedder
from promptreid.inference.speed import measure_speed
from promptreid.models.checkpoint_info import CheckpointInfo
from promptreid.models.reid import ReIDModel

SIZE = (64, 64)
PREPROCESS = Preprocess(image_size=SIZE)
INFO = CheckpointInfo(preprocess=PREPROCESS)
CPU = torch.device("cpu")
TOWER, WORDS = 0.02, 0.03
"""Seconds that a batch takes."""


@pytest.fixture
def model():
    backbone = small_backbone()
    prompt = image_prompt(backbone)
    return ReIDModel(backbone, prompt=prompt, embedding=EmbeddingConfig(features=("text",)))


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    root = tmp_path_factory.mktemp("images")
    for number in range(7):
        pixels = np.random.default_rng(number).integers(0, 256, (*SIZE, 3), np.uint8)
        Image.fromarray(pixels).save(root / f"{number}.png")
    return ImageStore([root / f"{n}.png" for n in range(7)], SIZE, "bilinear")


class Clock:
    """Time that passes only in the image tower and while words are made."""

    now = 0.0

    def slow_down(self, module, seconds):
        """Let a call of a module take so long."""

        def tick(*_):
            self.now += seconds

        module.register_forward_pre_hook(tick)


@pytest.mark.slow
@pytest.mark.parametrize("flip", [False, True])
def test_the_dearer_sentence_is_slower_by_its_cost(model, store, monkeypatch, flip):
    clock = Clock()
    monkeypatch.setattr(speed.time, "perf_counter", lambda: clock.now)
    clock.slow_down(model.backbone.image, TOWER)
    clock.slow_down(model.prompt.inversion, WORDS)
    found = measure_speed(
        Embedder(model, INFO),
        store,
        prompts=["composed", "simplified"],
        batch_size=3,
        flip=flip,
    )
    composed, simplified = found["composed"], found["simplified"]
    assert (composed.batch_size, composed.device) == (3, "cpu")
    assert composed.images_per_second == pytest.approx(3 / ((TOWER + WORDS) * (1 + flip)))
    assert simplified.images_per_second == pytest.approx(3 / (TOWER * (1 + flip)))
    assert composed.tower_images_per_second == simplified.tower_images_per_second
    assert composed.tower_images_per_second == pytest.approx(3 / (TOWER * (1 + flip)))
    assert composed.of_tower == pytest.approx(TOWER / (TOWER + WORDS))
    assert composed.to_dict()["of_tower"] == composed.of_tower


def test_each_kind_is_warmed_up_once_and_then_runs_over_the_same_images(model, store, monkeypatch):
    monkeypatch.setattr(speed, "_SECONDS", 0.0)
    seen = []

    def embed(model, images, *, variants, flip, prompt):
        seen.append((prompt, images.shape[0], float(images.sum())))
        return images

    monkeypatch.setattr(speed, "embed_images", embed)
    kinds = ["simplified", "composed"]
    measure_speed(Embedder(model, INFO), store, prompts=kinds, batch_size=3)
    first, second = (row[1:] for row in (seen[0], seen[4]))
    assert first != second
    warm = [("simplified", *first), ("composed", *first)]
    assert seen == [*warm, *warm, ("simplified", *second), ("composed", *second)]


def test_few_images_make_one_batch(model, store, monkeypatch):
    monkeypatch.setattr(speed, "_SECONDS", 0.0)
    found = measure_speed(Embedder(model, INFO), store, prompts=["simplified"])
    assert found["simplified"].batch_size == 7


def test_a_model_without_sentences_is_refused(store):
    plain = ReIDModel(small_backbone())
    with pytest.raises(ConfigError, match="image prompt"):
        measure_speed(Embedder(plain, INFO), store, prompts=["composed"])
