"""Run folders without training."""

from __future__ import annotations

from pathlib import Path

import pytest
from run_records import data_of, environment_record

from promptreid.config.recipes import load_recipe
from promptreid.runs.run_folder import RunFolder
from promptreid.runs.run_records import StatusRecord

SPEC = "folder:/data/crops"


def result(mean=0.5, *, data=SPEC, repeats=1, std=0.0, **rules):
    """Return a result as it stands in `scores.json`."""
    ranks = ("1", "5", "10", "20")
    return {
        "protocol": "toy", "ap": "step", "repeats": repeats,
        "mAP": mean, "mINP": mean / 2, "mAP_step": mean, "mAP_trapezoid": mean,
        "cmc": dict.fromkeys(ranks, mean),
        "std": {"mAP": std, "mINP": std, "mAP_step": std, "mAP_trapezoid": std,
                "cmc": dict.fromkeys(ranks, std)},
        "queries": 20, "gallery": 10, "same_camera": "keep", "data": data,
        "flip": False, "query_expansion": None, "rerank": None,
    } | rules  # fmt: skip


@pytest.fixture
def make_run(tmp_path):
    """Return a function that writes a run folder."""

    def make(
        name,
        *,
        recipe="clip-reid",
        overrides=(),
        seed=0,
        results=(),
        status="complete",
        data=((SPEC, "f1"),),
        test=(),
        folder="runs",
    ) -> Path:
        path = tmp_path / folder / name
        run = RunFolder.create(
            path,
            recipe=load_recipe(recipe, overrides),
            environment=environment_record(seed),
            data=[
                data_of(spec, role, fingerprint=mark)
                for role, sets in (("train", data), ("test", test))
                for spec, mark in sets
            ],
        )
        if results:
            run.write_scores(results)
        run.write_status(StatusRecord(status=status, at="in stage image, epoch 3, batch 1"))
        return path

    return make
