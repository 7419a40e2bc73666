"""What only a real card can show of training: queued copies, scaled losses in fp16, no waiting."""

from __future__ import annotations

import contextlib
from collections.abc import Generator
from pathlib import Path

import pytest
import torch
from benchmarks.gpu_parity import FAMILIES
from benchmarks.small_recipes import two_domains
from step_watching import Unwritten, epochs, unwritten_trainer

from promptreid.data.augment.pipeline import Augment
from promptreid.data.batches.loading import TrainLoader
from promptreid.data.batches.samplers import Uniform
from promptreid.data.dataset import DataSet
from promptreid.data.images.image_store import ImageStore
from promptreid.data.images.preprocess import Preprocess
from promptreid.transfer import send

pytestmark = pytest.mark.cuda


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> DataSet:
    return two_domains(tmp_path_factory.mktemp("on_cuda"))


@contextlib.contextmanager
def waiting_is_an_error() -> Generator[None]:
    before = torch.cuda.get_sync_debug_mode()
    torch.cuda.set_sync_debug_mode("error")
    try:
        yield
    finally:
        torch.cuda.set_sync_debug_mode(before)


@pytest.mark.parametrize("name", FAMILIES)
def test_no_step_waits_for_the_card(name: str, data: DataSet, tmp_path: Path) -> None:
    trainer = unwritten_trainer(name, data, tmp_path, torch.device("cuda"))
    with epochs(waiting_is_an_error) as counts:
        trainer.fit()
    assert all(counts[stage.name] > 0 for stage in trainer.recipe.stages)


def test_sent_values_arrive_whole_while_the_card_is_busy() -> None:
    device = torch.device("cuda")
    busy = torch.randn(4096, 4096, device=device)
    sent = []
    for number in range(200):
        busy = busy @ busy.T / busy.norm()
        values = torch.full((1000,), number)
        sent.append(send(values, device))
        values.fill_(-1)  # what was sent must not change any more
        del values
    for number, values in enumerate(sent):
        assert (values == number).all()


def test_a_loader_queues_its_pixels_from_pinned_memory(data: DataSet) -> None:
    paths = data.manifest.images()

    def loader(device: str) -> TrainLoader:
        return TrainLoader(
            ImageStore(paths, (32, 32), "bicubic"),
            labels=[0] * len(paths),
            sampler=Uniform(len(paths), 8, 3),
            augment=Augment(pad=2),
            preprocess=Preprocess(image_size=(32, 32)),
            seed=3,
            device=device,
        )

    with waiting_is_an_error():
        there = list(loader("cuda").epoch(1))
    for one, other in zip(loader("cpu").epoch(1), there, strict=True):
        assert other.images.is_cuda
        assert torch.equal(one.images, other.images.cpu())


def test_fp16_trains_with_a_scaled_loss(data: DataSet, tmp_path: Path) -> None:
    losses = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Unwritten, "_after_step", lambda trainer: None)  # whole epochs
        for precision in ("fp32", "fp16"):
            trainer = unwritten_trainer(
                "clip-reid", data, tmp_path / precision, torch.device("cuda"), precision=precision
            )
            trainer.fit()
            losses[precision] = [row["loss"] for row in trainer.rows]
    # Of two steps a stage, one may be left out while the scale is found.
    assert losses["fp16"] == pytest.approx(losses["fp32"], rel=0.2)
    assert losses["fp16"] != losses["fp32"]
