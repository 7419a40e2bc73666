"""Tiny images in the layouts of real data sets."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

import pytest
from PIL import Image


@pytest.fixture
def make_images() -> Callable[[Path, Iterable[str]], None]:
    """Write one small image per relative path, each with its own colour."""

    def make(root: Path, names: Iterable[str]) -> None:
        for number, name in enumerate(names):
            path = root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            colour = (number % 256, number // 256, 77)
            Image.new("RGB", (4, 8), colour).save(path)

    return make
