"""`promptreid data cache`."""

import json
import os

import numpy as np
import pytest
from PIL import Image

from promptreid.cli.main import main
from promptreid.data.images.image_store import ImageStore
from promptreid.gallery.picture_folders.search_cache import hold_gallery
from promptreid.progress import Silent


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
    """Pixels of four images in the user's folder, on a disk that is not full."""
    roomy = type("Usage", (), {"total": 1 << 40, "free": 1 << 39})
    monkeypatch.setattr("shutil.disk_usage", lambda path: roomy)
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
        "searched": {"folder": str(kept.parent / "searched"), "bytes": 0, "limit": 4 << 30,
                     "erased": 0},
        "embeddings": {"folder": str(kept.parent / "embeddings"), "bytes": 0, "limit": 4 << 30,
                       "erased": 0},
        "frames": {"folder": str(kept.parent / "frames"), "bytes": 0, "erased": 0},
    }  # fmt: skip
    code, text = run()
    assert code == 0
    assert str(kept) in text.replace("\n", "")
    assert "1,024 MiB" in text
    cleared = json.loads(run("--clear", "--json")[1])
    assert (cleared["bytes"], cleared["erased"]) == (0, shown["bytes"])
    assert not list(kept.rglob("*.*"))


def test_searched_folders_are_shown_and_cleared_but_those_in_use(run, kept):
    cache = kept.parent / "searched"
    for name in ("used", "idle"):
        (cache / name).mkdir(parents=True)
        (cache / name / "records.sqlite").write_bytes(bytes(3 << 20))
    assert json.loads(run("--json")[1])["searched"]["bytes"] >= 6 << 20
    assert "6 MiB" in run()[1]
    with hold_gallery(cache, "used", Silent()):
        cleared = json.loads(run("--clear", "--json")[1])["searched"]
    assert cleared["erased"] >= 3 << 20
    assert (cache / "used").is_dir()
    assert not (cache / "idle").exists()


def test_frames_of_videos_are_shown_and_cleared(run, kept):
    frames = kept.parent / "frames" / "clips-1" / "anna" / "a.mp4"
    frames.mkdir(parents=True)
    (frames / "000000.jpg").write_bytes(bytes(2 << 20))
    assert "2 MiB of frames" in run()[1].replace("\n", " ")
    cleared = json.loads(run("--clear", "--json")[1])["frames"]
    assert (cleared["erased"], cleared["bytes"]) == (2 << 20, 0)
    assert not frames.exists()


def test_embeddings_are_shown_and_cleared_and_nothing_else(run, kept):
    folder = kept.parent / "embeddings"
    folder.mkdir()
    (folder / f"{'0a' * 16}.safetensors").write_bytes(bytes(3 << 20))
    (folder / "mine.safetensors").write_bytes(b"")
    assert "3 MiB of at most 4,096 MiB of embeddings" in " ".join(run()[1].split())
    cleared = json.loads(run("--clear", "--json")[1])["embeddings"]
    assert (cleared["erased"], cleared["bytes"]) == (3 << 20, 0)
    assert [file.name for file in folder.iterdir()] == ["mine.safetensors"]


def test_none_may_be_kept(run, monkeypatch):
    monkeypatch.setenv("PROMPTREID_PIXEL_CACHE_GIB", "0")
    assert "no pixels" in run("--clear")[1]
    monkeypatch.setenv("PROMPTREID_PIXEL_CACHE_GIB", "lots")
    code, text = run()
    assert code == 2
    assert "PROMPTREID_PIXEL_CACHE_GIB" in text
