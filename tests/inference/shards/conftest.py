"""A small model and a few crops, embedded once, to compare all other ways with."""

from pathlib import Path

import pytest
from shard_folders import OPTIONS, hash_files
from small_models import INFO, small_backbone

from promptreid.data.load_data import load_data
from promptreid.data.packed.image_table import ImageTable
from promptreid.inference.embedder import Embedder
from promptreid.inference.shards.embed_shards import embed_shards
from promptreid.models.reid import ReIDModel


@pytest.fixture(scope="session")
def embedder() -> Embedder:
    return Embedder(ReIDModel(small_backbone()), INFO)


@pytest.fixture(scope="session")
def table(crops) -> ImageTable:
    """Twenty-four crops."""
    return ImageTable.of_manifest(load_data(f"folder:{crops}").manifest.select(range(24)))


@pytest.fixture(scope="session")
def made(embedder, table, tmp_path_factory) -> Path:
    """What one process makes of the table without a stop."""
    out = tmp_path_factory.mktemp("made") / "out"
    embed_shards(embedder, table, out, options=OPTIONS)
    return out


@pytest.fixture(scope="session")
def whole(made) -> dict[str, str]:
    """The hashes of its files."""
    return hash_files(made)
