"""`promptreid data cache`."""

import json
import os

import numpy as np
import pytest
from PIL import Image

from promptreid.cli.main import main
from promptreid.data.images.image_store import ImageStore


@pytest.fixture
def run(capsys):
    """The command: its exit code, and what it prints."""

    def call(*arguments):
        with pytest.raises(SystemExit) as ended:
            main(["data", "cache", *arguments])
        printed = capsys.readouterr()
        return ended.value.code, printed.out + printed.err

    return call


@pytest.fixture
def kept(tmp_path, monkeypatch):
    """Pixels of four images in the user's folder."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("PROMPTREID_PIXEL_CACHE_GIB", "1")
    paths = []
    for number in range(4):
        paths.append(tmp_path / f"{number}.png")
        pixels = np.random.default_rng(number).integers(0, 256, (32, 32, 3), np.uint8)
        Image.fromarray(pixels).save(paths[-1])
        os.utime(paths[-1], (1, 1))
    ImageStore(paths, (64, 64), "bilinear", cache="disk").batch(range(4))
    return tmp_path / "cache" / "promptreid" / "pixels"


def test_it_is_shown_and_cleared(run, kept):
    shown = json.loads(run("--json")[1])
    assert shown == {
        "folder": str(kept),
        "bytes": pytest.approx(4 * 3 * 64 * 64, rel=0.2),
        "limit": 1 << 30,
        "erased": 0,
    }
    code, text = run()
    assert code == 0
    assert str(kept) in text.replace("\n", "")
    assert "1,024 MiB" in text
    cleared = json.loads(run("--clear", "--json")[1])
    assert (cleared["bytes"], cleared["erased"]) == (0, shown["bytes"])
    assert not list(kept.rglob("*.*"))


def test_none_may_be_kept(run, monkeypatch):
    monkeypatch.setenv("PROMPTREID_PIXEL_CACHE_GIB", "0")
    assert "no pixels" in run("--clear")[1]
    monkeypatch.setenv("PROMPTREID_PIXEL_CACHE_GIB", "lots")
    code, text = run()
    assert code == 2
    assert "PROMPTREID_PIXEL_CACHE_GIB" in text
