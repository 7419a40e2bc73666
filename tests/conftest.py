"""Small data sets and runs that many tests share.

The process that only hands out tests reads this file, too: torch is imported where it is used.
"""

from __future__ import annotations

import gc
import os
from collections.abc import Callable, Generator, Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import settings
from PIL import Image

pytest_plugins = ["expected_skips"]

# How long an example takes is a fact of the machine, and of what else runs there.
settings.register_profile("without a deadline", settings(), deadline=None)
settings.load_profile("without a deadline")

# A tiny model, small images and short stages: seconds, not minutes.
QUICK = (
    "backbone.name=tiny",
    "backbone.pretrained=none",
    "backbone.image_size=[32, 32]",
    "validation.kind=none",
    "stages.prompts.epochs=2",
    "stages.prompts.batch.size=8",
    "stages.image.epochs=2",
    "stages.image.batch={identities: 3, images: 2}",
    "stages.image.optimizer.lr=1e-4",
    "stages.image.augment.pad=2",
)


def paint_identities(root: Path, *, identities: int, images: int, size: int = 40) -> Path:
    """Write `root/<id>/<n>.png`: each identity a fixed coarse pattern, each image its own noise."""
    for identity in range(identities):
        rng = np.random.default_rng([7, identity])
        pattern = rng.integers(0, 255, (4, 4, 3)).repeat(size // 4, 0).repeat(size // 4, 1)
        folder = root / f"{identity:03d}"
        folder.mkdir(parents=True)
        for number in range(images):
            noise = np.random.default_rng([8, identity, number]).normal(0, 30, pattern.shape)
            pixels = np.clip(pattern + noise, 0, 255).astype(np.uint8)
            Image.fromarray(pixels).save(folder / f"{number}.png")
    return root


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Look for no garbage while tests are collected: next to all that is made then is kept."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.enable()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip what needs a card where there is none."""
    import torch

    if not torch.cuda.is_available():
        for item in items:
            if item.get_closest_marker("cuda"):
                item.add_marker(pytest.mark.skip(reason="needs a CUDA device"))


def pytest_collection_finish() -> None:
    """Let no collection of garbage look again at modules and tests, which all stay to the end."""
    gc.collect()
    gc.freeze()


def pytest_unconfigure() -> None:
    """Let the end of the process find all that was kept from it."""
    gc.unfreeze()


@pytest.fixture(scope="session", autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keep embeddings of tests out of the user's cache, and no pixels, which age decides on.

    Matplotlib keeps its list of fonts, which is nothing of ours, where it does so otherwise.
    """
    fonts = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "matplotlib"
    with pytest.MonkeyPatch.context() as patched:
        if "MPLCONFIGDIR" not in os.environ:
            patched.setenv("MPLCONFIGDIR", str(fonts))
        patched.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        patched.setenv("PROMPTREID_PIXEL_CACHE_GIB", "0")
        yield


@pytest.fixture(scope="session", autouse=True)
def _no_wait_for_the_disk() -> Iterator[None]:
    """Let nothing wait until the disk has what was written: a run would, for half of its time.

    Nor do galleries of this process; those of processes that are killed wait as anywhere.
    """
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(os, "fsync", lambda descriptor: None)
        schema = "promptreid.gallery.records.sqlite.sqlite_schema"
        patched.setattr(f"{schema}.SYNCHRONOUS", "OFF")
        yield


@pytest.fixture(autouse=True)
def _threads_stay() -> Iterator[None]:
    """Fail a test that leaves torch another number of threads, with which later sums differ."""
    import torch

    from promptreid.torch_threads import torch_threads

    before = torch.get_num_threads()
    with torch_threads():
        yield
        after = torch.get_num_threads()
    assert after == before, f"the test leaves torch with {after} threads; it was given {before}"


@pytest.fixture(scope="session")
def paint() -> Callable[..., Path]:
    """`paint_identities`, for tests that need people of their own."""
    return paint_identities


@pytest.fixture(scope="session")
def crops(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve identities with five images each, one folder per identity."""
    return paint_identities(tmp_path_factory.mktemp("crops") / "set", identities=12, images=5)


@pytest.fixture(scope="session")
def quick() -> tuple[str, ...]:
    """Overrides that make CLIP-ReID run in a second or two."""
    return QUICK
