"""The untrained model is scored first: as zero-shot does, once for all runs, by the same rules."""

import json

import pytest

from promptreid.inference import embedding_cache as cache
from promptreid.progress import Silent
from promptreid.training.run import train as training
from promptreid.training.run.train import TrainRequest, train
from promptreid.training.stage.stop_signals import Interrupted

pytestmark = pytest.mark.slow


class Said(Silent):
    def __init__(self):
        self.lines = []

    def message(self, text):
        self.lines.append(text)


@pytest.fixture
def asked(crops, quick, tmp_path):
    def ask(*overrides, recipe="clip-reid", **options):
        short = ("stages.prompts.epochs=1", "stages.image.epochs=1")
        kept = quick if recipe == "clip-reid" else [o for o in quick if o.startswith("backbone.")]
        own = [*kept, *(short if recipe == "clip-reid" else ())]
        weights = [o for o in own if o != "backbone.pretrained=none"]
        return TrainRequest(
            recipe=recipe,
            overrides=(*weights, *overrides),
            data=(f"folder:{crops}",),
            out=tmp_path / f"run-{len(list(tmp_path.iterdir()))}",
            device="cpu",
            **options,
        )

    return ask


def scores_of(run):
    return json.loads((run.path / "scores.json").read_text())


def test_before_is_what_zero_shot_scores(asked):
    said = Said()
    trained = scores_of(train(asked("evaluation.flip=true"), progress=said))
    plain = scores_of(train(asked("evaluation.flip=true", recipe="zero-shot"), progress=Silent()))
    worth = trained["worth"]
    assert worth["untrained"] == "tiny untrained"
    assert worth["mAP"]["before"] == pytest.approx(plain["mAP"], abs=1e-6)
    assert worth["rank-1"]["before"] == pytest.approx(plain["cmc"]["1"], abs=1e-6)
    assert worth["mAP"]["after"] == trained["mAP"]
    assert worth["identities"] == 6
    assert "worth" not in plain
    (line,) = [line for line in said.lines if "tiny untrained" in line]
    assert said.lines.index(line) < min(
        place for place, line in enumerate(said.lines) if line.startswith("prompts 1/1")
    )


def test_the_second_run_on_the_same_data_embeds_nothing_twice(asked, monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))  # no other test has embedded them
    embedded = []
    real = cache.embed_manifest
    monkeypatch.setattr(
        cache,
        "embed_manifest",
        lambda *args, **more: embedded.append(1) or real(*args, **more),
    )
    train(asked(), progress=Silent())
    assert len(embedded) == 2  # before training and after it
    run = train(asked("stages.image.optimizer.lr=2e-4"), progress=Silent())
    assert "worth" in scores_of(run)
    assert len(embedded) == 3


@pytest.mark.parametrize("resumed", [False, True])
def test_it_can_be_left_out_and_a_resumed_run_remembers(asked, monkeypatch, resumed):
    request = asked(before=False)
    if resumed:
        with monkeypatch.context() as patched:
            patched.setattr(training, "keep_threshold", stopped)
            with pytest.raises(Interrupted):
                train(request, progress=Silent())
        request = TrainRequest(out=request.out, resume=True, device="cpu")
    said = Said()
    run = train(request, progress=said)
    assert "worth" not in scores_of(run)
    assert run.environment().before is False
    assert not any("untrained" in line for line in said.lines)


def stopped(*_, **__):
    raise KeyboardInterrupt


def test_a_resumed_run_ends_with_its_gain(asked, monkeypatch):
    request = asked()
    with monkeypatch.context() as patched:
        patched.setattr(training, "keep_threshold", stopped)
        with pytest.raises(Interrupted):
            train(request, progress=Silent())
    run = train(TrainRequest(out=request.out, resume=True, device="cpu"), progress=Silent())
    assert scores_of(run)["worth"]["mAP"]["after"] == scores_of(run)["mAP"]


def test_a_run_that_goes_on_from_another_is_compared_with_it(asked):
    first = train(asked(), progress=Silent())
    second = train(asked(f"start.checkpoint={first.path}"), progress=Silent())
    worth = scores_of(second)["worth"]
    assert worth["untrained"] == f"{first.path}, which it starts from"
    assert worth["mAP"]["before"] == pytest.approx(scores_of(first)["mAP"], abs=1e-6)


def test_where_no_embedding_learns_there_is_nothing_to_compare(asked):
    said = Said()
    run = train(asked("stage_mode=prompts_only"), progress=said)
    assert "worth" not in scores_of(run)
    assert not any("untrained" in line for line in said.lines)
