"""A trained run, its data and its model, for all tests of what people do."""

from __future__ import annotations

from pathlib import Path

import pytest

import promptreid

RECIPE = {"backbone.name": "tiny", "backbone.image_size": [32, 32]}


@pytest.fixture(scope="session")
def photos(crops) -> str:
    """The spec of twelve people with five images each."""
    return f"folder:{crops}"


@pytest.fixture(scope="session")
def run(photos, tmp_path_factory) -> promptreid.Run:
    """A zero-shot run with a threshold."""
    out = tmp_path_factory.mktemp("actions") / "mine"
    made = promptreid.train(
        "zero-shot", photos, overrides=RECIPE, out=out, device="cpu", progress=promptreid.Silent()
    )
    promptreid.threshold(made, photos, far=0.01, device="cpu", progress=promptreid.Silent())
    return made


@pytest.fixture(scope="session")
def model(run) -> promptreid.Model:
    """The model of the run."""
    return run.model("cpu")


@pytest.fixture
def two(crops) -> tuple[Path, Path]:
    """Two images of one person."""
    return crops / "000" / "0.png", crops / "000" / "1.png"
