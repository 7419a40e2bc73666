"""What a run has still to do: the units that its tasks will count."""

from pathlib import Path

import pytest
import torch

from promptreid.config.recipes import load_recipe
from promptreid.data.load_data import load_data
from promptreid.models.towers.product_choice import TORCH
from promptreid.progress import Silent
from promptreid.progress.whole_work import task_name
from promptreid.training.run.run_inputs import RunInputs, training_rows
from promptreid.training.run.run_plan import RunPlan
from promptreid.training.run.time_estimate import planned_work
from promptreid.training.run.train import TrainRequest, train
from promptreid.training.stage.training_state import TrainingState

pytestmark = pytest.mark.slow


class Counting(Silent):
    """How many units the tasks of each name count."""

    def __init__(self):
        self.units, self.heard = {}, []

    def start(self, title, total, unit):
        self.name = task_name(title)
        self.units.setdefault(self.name, 0)

    def advance(self, count):
        self.units[self.name] += count

    def later(self, seconds):
        self.heard.append(seconds)


def inputs_of(recipe, dataset, *, before):
    plan = RunPlan(
        recipe=recipe,
        specs=(dataset.spec,),
        test=(),
        out=Path("run"),
        seed=5,
        unreadable="stop",
        precision="fp32",
        products=TORCH,
        device=torch.device("cpu"),
        track=(),
        track_pictures="none",
        before=before,
    )
    return RunInputs(plan, [dataset], [], training_rows(recipe, [dataset], seed=5))


@pytest.fixture
def plan(crops, quick):
    def planned(*overrides, state=None, before=True, halves=False):
        recipe = load_recipe("clip-reid", (*quick, *overrides))
        inputs = inputs_of(recipe, load_data(f"folder:{crops}"), before=before)
        works = planned_work(inputs, state or TrainingState(), halves=halves)
        return {work.name: work for work in works}

    return planned


@pytest.mark.parametrize("kind", ["none", "images", "folds"])
def test_a_run_counts_what_was_planned(crops, quick, plan, tmp_path, monkeypatch, kind):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))  # so that nothing is kept yet
    counting = Counting()
    request = TrainRequest(
        recipe="clip-reid",
        overrides=(*quick, f"validation.kind={kind}"),
        data=(f"folder:{crops}",),
        out=tmp_path / "run",
        seed=5,
        device="cpu",
    )
    train(request, progress=counting)
    works = plan(f"validation.kind={kind}", halves=kind == "folds")
    for name, work in works.items():
        counted = counting.units[name]
        # The batches of later epochs and of halves are drawn anew, so that some images may be more.
        assert counted == pytest.approx(work.units, rel=0.35), name
    assert set(counting.units) - {"checking images of set"} == set(works)
    (after,) = {heard for heard in counting.heard if heard is not None}
    assert after() == pytest.approx(0, abs=0.5)


def test_what_is_done_is_not_planned_again(plan):
    fresh = plan()
    halfway = plan(state=TrainingState(stage=1, epoch=2))
    assert set(fresh) == {"embedding", "image features", "prompts", "image"}
    assert set(halfway) == {"embedding", "image"}
    assert halfway["image"].units == fresh["image"].units / 2
    assert plan(before=False)["embedding"].units == fresh["embedding"].units / 2


def test_without_training_only_embedding_is_left(crops):
    inputs = inputs_of(load_recipe("zero-shot", ()), load_data(f"folder:{crops}"), before=False)
    (work,) = planned_work(inputs, TrainingState(), halves=False)
    assert (work.name, work.units) == ("embedding", 30)
