"""Records of runs that were never trained."""

from __future__ import annotations

from pathlib import Path

from promptreid.config.recipes import load_recipe
from promptreid.runs.run_folder import RunFolder
from promptreid.runs.run_records import DataRecord, EnvironmentRecord


def environment_record(seed: int = 0, **values) -> EnvironmentRecord:
    """Return an environment with a seed."""
    known = {
        "promptreid": "0.1.0", "git": None, "python": "3.11.7", "packages": {"torch": "2.15.0"},
        "platform": "Linux", "processor": "", "cores": 2, "threads": 1, "device": "cpu",
        "precision": "fp32", "seed": seed,
        "products": dict.fromkeys(("forward", "to_input", "to_weight"), "torch"),
        "command": ("promptreid", "train"),
        "started": "2026-01-01T00:00:00+00:00", "unreadable": "stop", "track_pictures": "plain",
        "before": True,
    }  # fmt: skip
    return EnvironmentRecord(**(known | values))


def data_of(spec: str, role: str = "train", **values) -> DataRecord:
    """Return the record of a data set."""
    known = {
        "spec": spec, "place": spec, "beside": {}, "role": role,
        "name": spec.partition(":")[0], "fingerprint": "f",
        "splits": {}, "protocol": "toy", "repeats": 1, "notes": (),
    }  # fmt: skip
    return DataRecord(**(known | values))


def result_of(**values) -> dict:
    """Return a result as it stands in `scores.json`."""
    ranks = dict.fromkeys(("1", "5", "10", "20"), 0.5)
    known = {
        "data": "csv:x", "protocol": "toy", "ap": "step", "repeats": 1, "mAP": 0.5, "mINP": 0.25,
        "cmc": ranks, "queries": 20, "gallery": 10,
    }  # fmt: skip
    return known | values


def make_run(path: Path, recipe: str = "clip-reid") -> RunFolder:
    """Make a run folder that was just started."""
    return RunFolder.create(
        path, recipe=load_recipe(recipe), environment=environment_record(), data=[data_of("csv:x")]
    )
