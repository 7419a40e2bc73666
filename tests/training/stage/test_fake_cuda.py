"""Every kind of recipe trains on a card without mixing devices and without waiting for it.

There is no card: see `fake_cuda`. Gradients cannot be computed there, so a step's backward pass is
run on the meta device, where every fetched value is an error. Scaling the loss in fp16 waits for
the card once in a step, since only the card knows whether a gradient overflowed; torch scales on a
real card only.
"""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from benchmarks.small_recipes import two_domains
from distinct_recipes import describe_kind, distinct_recipes
from fake_cuda import Card, FakeCuda, fake_cuda
from step_watching import Unwritten, epochs, unwritten_trainer
from torch import Tensor

from promptreid.config.recipes import load_recipe, recipe_names
from promptreid.data.batches import loading
from promptreid.data.dataset import DataSet
from promptreid.evaluation.ranking.scoring import evaluate_protocol
from promptreid.inference.embed import embed_manifest
from promptreid.inference.embedder import Embedder
from promptreid.models.reid import ReIDModel
from promptreid.training.batches import stage_sources
from promptreid.training.batches.stage_sources import StageSources
from promptreid.training.stage.stage import StageRunner
from promptreid.transfer import send

CUDA, META = torch.device("cuda"), torch.device("meta")
BATCH = 24


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> DataSet:
    return two_domains(tmp_path_factory.mktemp("fake_cuda"))


@contextlib.contextmanager
def loading_into_pinned_memory() -> Generator[None]:
    """Let the loader's thread, which knows nothing of the card, read into memory marked as such."""

    def reader(store: Any, device: torch.device) -> Callable[[Any], Tensor]:
        def read(indices: Any) -> Any:
            pixels: Any = store.batch(indices)
            pixels.pinned = True
            return pixels

        return read

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(loading, "_reader", reader)
        yield


def zero_gradients(model: ReIDModel) -> Callable[..., None]:
    def backward(loss: Tensor, *_: Any, **__: Any) -> None:
        assert isinstance(loss, FakeCuda)
        assert loss.requires_grad
        assert loss.values.isfinite()
        for parameter in model.parameters():
            if parameter.requires_grad:
                parameter.grad = torch.zeros_like(parameter)

    return backward


def train_on_fake_cuda(card: Card, trainer: Unwritten) -> Counter[str]:
    """Run all stages; return how often a step waited, by line."""
    waits: Counter[str] = Counter()

    @contextlib.contextmanager
    def watched() -> Generator[None]:
        with card.watched() as watch:
            yield
        waits.update(watch.waits)

    with (
        loading_into_pinned_memory(),
        epochs(watched) as counts,
        pytest.MonkeyPatch.context() as patch,
    ):
        patch.setattr(Tensor, "backward", zero_gradients(trainer.model))
        trainer.fit()
    assert set(counts) == {stage.name for stage in trainer.recipe.stages}
    assert all(count > 0 for count in counts.values())
    return waits


@pytest.mark.parametrize(
    ("work", "what"),
    [
        (lambda x: x.sum().item(), "a value"),
        (lambda x: bool(x.sum() > 0), "a value"),
        (lambda x: x.unique(), "unique"),
        (lambda x: x.nonzero(), "nonzero"),
        (lambda x: x[x > 0], "truth values"),
        (lambda x: x.clone().index_put_((x > 0,), x[:2] * 2), "truth values"),
        (lambda x: x[torch.tensor([0, 1])], "an index"),
        (lambda x: x.cpu(), "from the card"),
        (lambda x: torch.ones(3).to(x.device), "without queueing"),
        (lambda x: torch.tensor([1.0], device=x.device), "without queueing"),
        (lambda x: torch.ones(20_000).to(x.device, non_blocking=True), "not pinned"),
        (lambda x: x.to(torch.int64).bincount(), "bincount"),
    ],
)
def test_the_fake_card_notes_what_waits(work: Callable[[Tensor], Any], what: str) -> None:
    with fake_cuda() as card:
        x = torch.tensor([1.0, 2.0, -1.0]).to(CUDA)
        x = x.abs() if what == "bincount" else x
        with card.watched() as watch:
            work(x)
    assert any(what in line for line in watch.waits), watch.waits


def test_the_fake_card_computes_and_refuses_what_a_card_would() -> None:
    with fake_cuda() as card:
        with card.watched() as watch:
            x = send(torch.tensor([1.0, 2.0, -1.0]), CUDA)
            x[x < 0] = 0
            y = (x * 2)[torch.arange(2, device=CUDA)] + torch.ones((), device=CUDA)
        assert not watch.waits
        assert y.device.type == "cuda"
        assert y.tolist() == [3, 5]
        with pytest.raises(RuntimeError, match="mixes"):
            x + torch.ones(3)
        with pytest.raises(RuntimeError, match="numpy"):
            x.numpy()


@pytest.mark.slow
@pytest.mark.parametrize("name", distinct_recipes())
def test_no_recipe_mixes_devices_or_waits_for_the_card_inside_a_step(
    name: str, data: DataSet, tmp_path: Path
) -> None:
    with fake_cuda() as card:
        trainer = unwritten_trainer(name, data, tmp_path, CUDA)
        assert all(isinstance(one, FakeCuda) for one in trainer.model.parameters())
        waits = train_on_fake_cuda(card, trainer)
        assert not waits
        manifest = data.manifest
        embedder = Embedder(trainer.model, trainer.info, device=CUDA)
        with loading_into_pinned_memory(), card.watched() as watch:
            embeddings = embed_manifest(embedder, manifest, batch_size=BATCH)
        batches = -(-len(manifest) // BATCH)
        assert len(watch) == batches, watch.waits  # the vectors of each are fetched
        scores = evaluate_protocol(embeddings.to(CUDA), data.protocol)
    assert 0 < scores.mAP <= 1


def test_recipes_are_of_one_kind_where_numbers_and_words_alone_differ() -> None:
    def kind(name: str, *changes: str) -> object:
        return describe_kind(load_recipe(name, changes).model_dump(exclude={"name"}))

    plain = kind("prompt-sg")
    assert kind("prompt-sg", "stages.image.optimizer.lr=0.3") == plain
    assert kind("prompt-sg", "prompt.template=One {context} here") == plain
    assert kind("prompt-sg", "prompt.template=One {context} of {camera}") != plain
    assert kind("prompt-sg", "stages.image.augment.flip=0") != plain
    assert kind("prompt-sg", "stages.image.losses.arcface={weight: 2}") != plain
    assert 50 < len(distinct_recipes()) < len(recipe_names())


def test_there_are_as_many_recipes_as_files() -> None:
    folder = Path(load_recipe.__code__.co_filename).parents[1] / "recipes"
    files = [path for path in folder.rglob("*.yaml") if "sweeps" not in path.parts]
    assert len(recipe_names()) == len(files) > 50


@contextlib.contextmanager
def autocast_on_meta() -> Generator[None]:
    """Let `torch.autocast` pass over the meta device, which has no number types of its own."""
    whole = torch.autocast

    def autocast(device_type: str, *rest: Any, **options: Any) -> Any:
        return whole("cpu" if device_type == "meta" else device_type, *rest, **options)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(torch, "autocast", autocast)
        yield


@pytest.mark.parametrize("name", [name for name in distinct_recipes() if load_recipe(name).stages])
def test_whole_steps_fetch_nothing_with_their_backward_pass(
    name: str, data: DataSet, tmp_path: Path
) -> None:
    trainer = unwritten_trainer(name, data, tmp_path, META)
    recipe = trainer.recipe
    with autocast_on_meta(), pytest.MonkeyPatch.context() as patch:
        patch.setattr(StageRunner, "_close_epoch", forget_epoch)
        patch.setattr(stage_sources, "cached_projections", projections_without_values)
        if any(stage.hardest is not None for stage in recipe.stages):
            patch.setattr(StageSources, "hardest", first_half)
        with epochs(contextlib.nullcontext) as counts:
            trainer.fit()
    assert set(counts) == {stage.name for stage in trainer.recipe.stages}
    assert all(count > 0 for count in counts.values())


def projections_without_values(model: ReIDModel, store: Any, *_: Any, **__: Any) -> Tensor:
    return torch.empty(len(store), model.widths["projected"], device=META)


def first_half(sources: StageSources, share: float) -> Any:
    return np.arange(len(sources._data) // 2)


def forget_epoch(runner: StageRunner, epoch: int, rate: float) -> None:
    """End an epoch without its row, for which sums would be fetched."""
    state = runner.state
    state.epoch, state.step, state.sums, state.bank = epoch + 1, 0, None, None
