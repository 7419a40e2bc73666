"""A reader is its file and one line of the table: the rest finds it."""

from __future__ import annotations

import sys
from pathlib import Path
from types import MappingProxyType, ModuleType

import pytest
from click.testing import CliRunner
from PIL import Image

from promptreid.cli.main import cli
from promptreid.data import reader_registry
from promptreid.data.dataset import DataSet
from promptreid.data.load_data import data_options, load_data
from promptreid.data.manifest.manifest import Manifest, Sample
from promptreid.data.protocol import fixed_protocol
from promptreid.data.reader_registry import READERS, ReaderEntry
from promptreid.data.readers.reader_options import ReaderOptions
from promptreid.errors import ConfigError

SPLITS = ("train", "query", "gallery")


class Options(ReaderOptions):
    """Options of `zoo`."""

    species: str = "zebra"


def read(root: Path, options: Options) -> DataSet:
    """Read images of one species, two of each animal in every split."""
    samples = [
        Sample(path.name, f"{options.species}{number // 2 if split == 'train' else 9}", split)
        for split in SPLITS
        for number, path in enumerate(sorted(root.glob(f"{split}*.png")))
    ]
    manifest = Manifest.of(f"zoo-{options.species}", root, samples)
    protocol = fixed_protocol(manifest, name="zoo", same_camera="keep", note="One set.")
    return DataSet("", manifest, protocol)


@pytest.fixture
def zoo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Add the reader to the table, and give a folder that it reads."""
    entry = ReaderEntry("zoo", "Animals of a zoo")
    module = ModuleType(entry.module)
    module.__dict__.update(Options=Options, read=read)
    monkeypatch.setitem(sys.modules, entry.module, module)
    monkeypatch.setattr(reader_registry, "READERS", MappingProxyType({**READERS, "zoo": entry}))
    for place, split in enumerate(SPLITS):
        for number in range(4 if split == "train" else 1):
            colour = (60 * number, 9, 90 * place)
            Image.new("RGB", (8, 16), colour).save(tmp_path / f"{split}{number}.png")
    return tmp_path


def test_data_of_an_added_reader_are_loaded(zoo: Path) -> None:
    data = load_data(f"zoo:{zoo}?species=okapi")
    assert data.manifest.name == "zoo-okapi"
    assert data.manifest.counts()["train"] == {"images": 4, "identities": 2}
    assert data.protocol is not None
    assert [option.name for option in data_options("zoo")] == ["species", "use"]
    assert load_data(f"zoo:{zoo}?use=all").protocol is None


def test_mistakes_in_its_options_are_explained(zoo: Path) -> None:
    with pytest.raises(ConfigError, match=r"specis.*species"):
        load_data(f"zoo:{zoo}?specis=okapi")


def test_commands_know_it(zoo: Path) -> None:
    listed = CliRunner().invoke(cli, ["data", "list"])
    assert "Animals of a zoo" in listed.output
    inspected = CliRunner().invoke(cli, ["data", "inspect", f"zoo:{zoo}"])
    assert inspected.exit_code == 0, inspected.output
    assert "zoo-zebra" in inspected.output
