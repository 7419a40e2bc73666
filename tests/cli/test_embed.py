"""`promptreid embed`: from a run and images to a folder of shards, or to a sentence."""

import json

import pytest
from facts import lacking
from forked_processes import run_processes
from shard_folders import hash_files
from small_models import INFO, small_backbone

from promptreid.cli.main import main
from promptreid.inference.shards.read_shards import read_shards
from promptreid.models.checkpoint import save_model
from promptreid.models.reid import ReIDModel


def run(capsys, *arguments):
    with pytest.raises(SystemExit) as caught:
        main([str(argument) for argument in arguments])
    captured = capsys.readouterr()
    return caught.value.code, captured.out, captured.err


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    path = tmp_path_factory.mktemp("model") / "small.safetensors"
    save_model(path, ReIDModel(small_backbone()), INFO)
    return path


SMALL = ("--shard-rows", 16, "--batch-size", 4, "--threads", 1, "--device", "cpu")


def test_two_parts_and_the_whole(capsys, crops, checkpoint, tmp_path):
    spec = f"images:{crops}"
    code, told, err = run(capsys, "embed", checkpoint, spec, tmp_path / "whole", *SMALL)
    assert code == 0, err
    assert not lacking(told, "60 images in 4 shards", "4 made", "complete", "manifest.json")
    parts, out = tmp_path / "parts", tmp_path / "parts.json"
    code, told, err = run(
        capsys, "embed", checkpoint, spec, parts, *SMALL, "--shard", "1/2", "--json", out
    )
    assert code == 0, err
    assert not lacking(told, "28 images in 2 shards", "2 shards left for other processes")
    assert json.loads(out.read_text())["missing"] == 2
    code, told, err = run(capsys, "embed", checkpoint, spec, parts, *SMALL, "--shard", "0/2")
    assert code == 0, err
    assert not lacking(told, "60 images in 4 shards", "2 made", "complete")
    assert hash_files(parts) == hash_files(tmp_path / "whole")
    assert len(read_shards(parts)) == 60


@pytest.mark.slow
def test_two_processes_make_the_same_bytes(capsys, crops, checkpoint, tmp_path):
    words = [str(word) for word in ("embed", checkpoint, f"images:{crops}")]
    small = [str(word) for word in SMALL]
    code, _, err = run(capsys, *words, tmp_path / "whole", *small)
    assert code == 0, err
    both = run_processes(["-m", "promptreid", *words, str(tmp_path / "two"), *small], 2)
    for one in both:
        assert one.code == 0, one.errors
        assert one.said.count("2 made by this command") == 1
    assert hash_files(tmp_path / "two") == hash_files(tmp_path / "whole")


def test_mistakes_get_a_sentence(capsys, crops, checkpoint, tmp_path):
    spec, out = f"images:{crops}", tmp_path / "out"
    code, _, err = run(capsys, "embed", checkpoint, spec, out, *SMALL, "--shard", "4/4")
    assert code == 2
    assert not lacking(err, "4/4", "0/4", "3/4")
    run(capsys, "embed", checkpoint, spec, out, *SMALL, "--shard", "0/4")
    code, _, err = run(capsys, "embed", checkpoint, spec, out, *SMALL, "--flip")
    assert code == 2
    assert not lacking(err, str(out), "mirrored", "another folder")
