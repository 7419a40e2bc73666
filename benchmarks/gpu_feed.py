"""Can the processors feed the card? And does a short training of the tiny backbone run on it?"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from PIL import Image

from benchmarks.gpu_rows import Run
from benchmarks.small_recipes import two_domains
from promptreid.data.augment.pipeline import Augment
from promptreid.data.batches.loading import TrainLoader
from promptreid.data.batches.samplers import Uniform
from promptreid.data.images.image_store import ImageStore
from promptreid.data.images.preprocess import Preprocess
from promptreid.processor import count_cores
from promptreid.progress import Silent
from promptreid.training.run.run_plan import TrainRequest
from promptreid.training.run.train import train

_SIZE = (256, 128)
_BATCH = 64
_EPOCHS = 3


def feed_card(run: Run) -> Iterator[Mapping[str, Any]]:
    """Load and augment crops of 128x64 pixels, enlarged, as a training does, for some epochs.

    Compare with the images a second of the table of training: what loads fewer leaves the card
    waiting.
    """
    count = 2 * _BATCH if run.settings.quick else 32 * _BATCH
    folder = run.folder / "crops"
    folder.mkdir(parents=True)
    rng = np.random.default_rng(0)
    paths = []
    for number in range(count):
        coarse = rng.integers(0, 255, (16, 8, 3), dtype=np.uint8)
        paths.append(folder / f"{number}.jpg")
        Image.fromarray(coarse.repeat(8, 0).repeat(8, 1)).save(paths[-1], quality=95)
    loader = TrainLoader(
        ImageStore(paths, _SIZE, "bicubic"),
        labels=np.zeros(count, dtype=np.int64),
        sampler=Uniform(count, _BATCH, seed=1),
        augment=Augment(),
        preprocess=Preprocess(image_size=_SIZE),
        seed=1,
        device=run.device,
    )
    for epoch in range(1, _EPOCHS + 1):
        begun = time.perf_counter()
        for batch in loader.epoch(epoch):
            last = batch.images[-1, -1, -1, -1]
        last.item()  # waits for the device
        rate = count / (time.perf_counter() - begun)
        cores = count_cores()
        yield {
            "epoch": epoch,
            "images": count,
            "images/s": rate,
            "cores": cores,
            "images/s a core": rate / cores,
            "state": run.state,
        }


def train_tiny(run: Run) -> Iterator[Mapping[str, Any]]:
    """Train the tiny backbone by CLIP-ReID on painted people, to a score."""
    two_domains(run.folder / "painted")
    epochs = 1 if run.settings.quick else 10
    changes = (
        "backbone.name=tiny",
        "backbone.pretrained=none",
        "backbone.image_size=32",
        "validation.kind=none",
        f"stages.prompts.epochs={epochs}",
        "stages.prompts.batch.size=16",
        f"stages.image.epochs={epochs}",
        "stages.image.batch={identities: 4, images: 2}",
        "stages.image.optimizer.lr=1e-4",
        "stages.image.augment.pad=2",
    )
    begun = time.perf_counter()
    out = train(
        TrainRequest(
            data=(f"csv:{run.folder / 'painted' / 'set.csv'}",),
            out=run.folder / "training",
            recipe="clip-reid",
            overrides=changes,
            device=str(run.device),
        ),
        progress=Silent(),
    )
    scores = out.scores()[0]
    yield {
        "epochs": 2 * epochs,
        "seconds": time.perf_counter() - begun,
        "mAP": scores["mAP"],
        "state": run.state,
    }
