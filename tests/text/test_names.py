"""Short names of runs."""

from pathlib import Path

import pytest

from promptreid.errors import ConfigError
from promptreid.text.names import name_cached_model, run_names, short_keys


def test_names_are_as_short_as_they_can_be():
    def name(*paths):
        return run_names([Path(path) for path in paths])

    assert name("runs/a", "runs/b") == ("a", "b")
    assert name("x/run", "y/run") == ("x/run", "y/run")
    assert name("r/checkpoints/best.safetensors", "m.pth") == ("best", "m")
    assert name("r/v1.5", "r/v1.6") == ("v1.5", "v1.6")
    assert run_names([Path("a"), Path("b")], ["before", "after"]) == ("before", "after")
    with pytest.raises(ConfigError, match="1 names are given for 2 runs"):
        run_names([Path("a"), Path("b")], ["before"])
    with pytest.raises(ConfigError, match="same run"):
        name("a", "a")


def test_a_run_is_one_however_its_path_is_written(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError, match="same run"):
        run_names([Path("runs/a"), Path("runs/b/../a")])
    with pytest.raises(ConfigError, match="there is no user"):
        run_names([Path("~nosuchuser/a"), Path("b")])


def test_keys_are_as_short_as_they_stay_apart():
    keys = [
        "stages.image.optimizer.lr",
        "stages.prompts.optimizer.lr",
        "stages.image.epochs",
        "backbone.name",
        "stages.image",
        "epochs",
    ]
    assert short_keys(keys) == {
        "stages.image.optimizer.lr": "image.optimizer.lr",
        "stages.prompts.optimizer.lr": "prompts.optimizer.lr",
        "stages.image.epochs": "image.epochs",
        "backbone.name": "backbone.name",
        "stages.image": "stages.image",
        "epochs": "epochs",
    }
    assert len(set(short_keys(keys).values())) == len(keys)


def test_a_model_of_the_hub_is_named_by_owner_name_and_commit():
    place = Path("/c/models--ann--re-id/snapshots/0123456789abcdef/model.safetensors")
    assert run_names([place, Path("/runs/mine")]) == ("re-id@0123456", "mine")
    assert name_cached_model(place) == "ann/re-id@0123456"
    assert name_cached_model(Path("/runs/models--a--b/best.safetensors")) is None
