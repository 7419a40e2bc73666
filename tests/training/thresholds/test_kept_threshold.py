"""The threshold that runs keep: on which images it is chosen, and that it never harms a run."""

import itertools
import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

import promptreid
from promptreid.cli.main import main
from promptreid.data.manifest.manifest import Manifest, Sample
from promptreid.errors import EvaluationError, RunError, WeightsError
from promptreid.evaluation import Embeddings, Threshold, choose_threshold
from promptreid.models.checkpoint import read_info
from promptreid.progress import Silent
from promptreid.training.run import train as training
from promptreid.training.run.train import TrainRequest, train
from promptreid.training.stage.stop_signals import Interrupted
from promptreid.training.thresholds import kept_threshold as module
from promptreid.training.thresholds import threshold_samples as samples_module
from promptreid.training.thresholds.kept_threshold import strictest_threshold
from promptreid.training.thresholds.threshold_samples import NEW, SEEN, UNTRAINED

pytestmark = pytest.mark.slow


class Said(Silent):
    def __init__(self):
        self.lines = []

    def message(self, text):
        self.lines.append(text)

    def about(self, words):
        (line,) = [line for line in self.lines if words in line]
        return line


@pytest.fixture
def asked(crops, quick, tmp_path):
    def ask(*overrides, recipe="clip-reid", data=(f"folder:{crops}",), **options):
        short = ("stages.prompts.epochs=1", "stages.image.epochs=1")
        kept = quick if recipe == "clip-reid" else [o for o in quick if o.startswith("backbone.")]
        return TrainRequest(
            recipe=recipe,
            overrides=(*kept, *(short if recipe == "clip-reid" else ()), *overrides),
            data=data,
            out=tmp_path / f"run-{len(list(tmp_path.iterdir()))}",
            seed=5,
            device="cpu",
            **options,
        )

    return ask


def cosines_by_pair(model, paths):
    """Cosines of pairs of different identities, highest first; folders are identities."""
    vectors = model.embed(paths)
    pairs = itertools.combinations(range(len(paths)), 2)
    return sorted(
        (
            float(vectors[i] @ vectors[j])
            for i, j in pairs
            if paths[i].parent.name != paths[j].parent.name
        ),
        reverse=True,
    )


def test_held_out_images_alone_choose_it(asked, monkeypatch):
    seen = {}
    real = module.choose_threshold
    monkeypatch.setattr(
        module,
        "choose_threshold",
        lambda embeddings, *rest, **more: (
            seen.setdefault("e", embeddings) and real(embeddings, *rest, **more)
        ),
    )
    said = Said()
    run = train(asked("validation.kind=images"), progress=said)
    model = promptreid.load(run.path, device="cpu")
    chosen = model.threshold
    assert (chosen.images, chosen.identities, chosen.pairs) == (6, 6, 15)
    assert (chosen.far, chosen.source) == (0.1, SEEN)
    root = load_root(run)
    scores = cosines_by_pair(model, [root / path for path in seen["e"].paths])
    assert chosen.threshold == pytest.approx(scores[0], abs=1e-6)  # one of fifteen is accepted
    line = said.about("same identity from cosine")
    assert f"{chosen.threshold:.4f} on: false accept rate 0.1 on 15 pairs of 6 held-out" in line
    assert line.endswith("seen in training; of strangers it accepts more")
    answer = model.same(root / "000" / "0.png", root / "000" / "0.png")
    assert answer
    assert answer.source == SEEN
    assert read_info(run.last).verification is None


def load_root(run):
    return type(run.path)(run.data()[0].spec.partition(":")[2])


def test_identities_held_out_are_strangers(asked):
    said = Said()
    run = train(asked("validation.kind=identities", "validation.fraction=0.4"), progress=said)
    chosen = promptreid.load(run.path, device="cpu").threshold
    assert (chosen.images, chosen.identities, chosen.pairs, chosen.source) == (10, 2, 25, NEW)
    assert "strangers" not in said.about("same identity from cosine")


def test_without_validation_there_is_none_and_the_line_says_what_to_do(asked):
    said = Said()
    run = train(asked("validation.kind=none"), progress=said)
    assert read_info(run.best).verification is None
    line = said.about("no threshold for the same identity")
    assert "validation.kind=images" in line
    assert f"promptreid threshold {run.path} --data SPEC" in line
    with pytest.raises(WeightsError, match="promptreid threshold RUN --data"):
        promptreid.load(run.path, device="cpu").same("a.png", "b.png")
    assert run.status().status == "complete"


def test_training_images_do_where_nothing_was_learned(asked, crops):
    run = train(asked(recipe="zero-shot"), progress=Silent())
    model = promptreid.load(run.path, device="cpu")
    chosen = model.threshold
    trained = run.data()[0].splits["train"]
    assert (chosen.images, chosen.identities) == (trained["images"], trained["identities"])
    assert (chosen.far, chosen.source) == (1e-1, UNTRAINED)  # fifteen pairs of identities
    learner = train(asked("validation.kind=none"), progress=Silent())
    classes = read_info(learner.best).classes
    paths = sorted(path for name in classes for path in (crops / name).iterdir())
    scores = cosines_by_pair(model, paths)
    allowed = int(0.1 * len(scores))
    assert chosen.pairs == len(scores)
    assert scores[allowed] - 1e-6 < chosen.threshold <= scores[allowed - 1] + 1e-6


def test_many_training_images_are_drawn_from_by_the_seed(asked, monkeypatch):
    drawn, real = [], module.threshold_samples

    def watched(*arguments):
        (sample,) = real(*arguments)
        drawn.append(sample.manifest.paths)
        return (sample,)

    monkeypatch.setattr(samples_module, "_IMAGES", 12)
    monkeypatch.setattr(module, "threshold_samples", watched)
    for seed in (1, 1, 2):
        run = train(replace(asked(recipe="zero-shot"), seed=seed), progress=Silent())
        assert promptreid.load(run.path, device="cpu").threshold.images == 12
    assert drawn[0] == drawn[1] != drawn[2]
    assert len(set(drawn[0])) == 12


def test_prompts_alone_leave_the_embedding_untrained(asked, quick):
    recipe = asked("validation.kind=none", recipe="prompt-learning")
    stage = [override for override in quick if override.startswith("stages.prompts")]
    run = train(replace(recipe, overrides=(*recipe.overrides, *stage)), progress=Silent())
    assert promptreid.load(run.path, device="cpu").threshold.source == UNTRAINED


def test_weights_of_another_run_may_have_seen_the_images(asked):
    first = train(asked("validation.kind=images"), progress=Silent())
    said = Said()
    bare = train(asked(f"start.checkpoint={first.path}", recipe="zero-shot"), progress=said)
    assert read_info(bare.best).verification is None
    assert "may have learned from its training images" in said.about("no threshold")
    begun = asked("validation.kind=images", f"start.checkpoint={first.path}")
    further = train(begun, progress=Silent())
    source = read_info(further.best).verification["source"]
    assert source.startswith(SEEN)
    assert "started from may have learned from them" in source


def test_images_that_are_tested_on_choose_nothing(asked, crops, tmp_path):
    """Nothing is learned, so the data may be tested on twice; the threshold must not come of it."""
    said = Said()
    test = f"folder:{crops}?repeats=3"
    run = train(asked(recipe="zero-shot", test=(test,)), progress=said)
    assert read_info(run.best).verification is None
    assert "among those tested on" in said.about("no threshold")


def test_stopped_after_the_threshold_goes_on_with_it(asked, monkeypatch):
    request = asked("validation.kind=images")
    with monkeypatch.context() as patched:
        patched.setattr(training, "score_run", stopped)
        with pytest.raises(Interrupted):
            train(request, progress=Silent())
    best = request.out / "checkpoints" / "best.safetensors"
    before, kept = best.read_bytes(), read_info(best).verification
    monkeypatch.setattr(module, "strictest_threshold", None)
    run = train(TrainRequest(out=request.out, resume=True, device="cpu"), progress=Silent())
    assert read_info(run.best).verification == kept
    assert best.read_bytes() == before
    assert run.scores()[0]["mAP"] > 0


def stopped(*_, **__):
    raise KeyboardInterrupt


def test_stopped_while_it_is_written_leaves_the_weights_whole(asked, monkeypatch):
    request = asked("validation.kind=images")

    def full(*_, **__):
        raise RunError("The disk is full.")

    with monkeypatch.context() as patched:
        patched.setattr(module, "save_model", full)
        with pytest.raises(RunError, match="disk is full"):
            train(request, progress=Silent())
    best = request.out / "checkpoints" / "best.safetensors"
    before = load_file(best)
    assert read_info(best).verification is None
    run = train(TrainRequest(out=request.out, resume=True, device="cpu"), progress=Silent())
    after = load_file(best)
    assert read_info(best).verification is not None
    assert read_info(best).best.chosen_at.startswith("stage image")
    assert before.keys() == after.keys()
    assert all(torch.equal(before[name], after[name]) for name in before)
    assert run.status().status == "complete"


def samples(monkeypatch, *counts):
    """Data sets of so many images, each of its own identity, and their embeddings."""
    made, vectors = [], {}
    for number, count in enumerate(counts):
        name = f"set{number}"
        rows = [Sample(f"{row}.png", str(row), "train") for row in range(count)]
        manifest = Manifest.of(name, "/nowhere", rows).training()
        made.append(samples_module.ThresholdSample(manifest, "auto", "images"))
        drawn = np.random.default_rng(number).standard_normal((count, 8)) + number
        vectors[name] = Embeddings.from_vectors(drawn, range(count))
    monkeypatch.setattr(
        module, "embed_manifest", lambda model, manifest, *_, **__: vectors[manifest.name]
    )
    return made, vectors


def test_of_several_data_sets_the_strictest_counts(monkeypatch):
    made, vectors = samples(monkeypatch, 50, 60, 20)  # the last one cannot measure 1e-3
    found = strictest_threshold(None, made, progress=Silent())
    apart = {name: choose_threshold(vectors[name], 1e-3) for name in ("set0", "set1")}
    highest = max(apart, key=lambda name: apart[name].threshold)
    assert found == replace(apart[highest], source=f"images of {highest}", people="unseen")
    assert apart["set0"].threshold != apart["set1"].threshold


@pytest.mark.parametrize(("count", "far"), [(50, 1e-3), (40, 1e-2), (10, 1e-1)])
def test_the_rate_is_the_smallest_that_the_pairs_carry(monkeypatch, count, far):
    made, _ = samples(monkeypatch, count)
    found = strictest_threshold(None, made, progress=Silent())
    assert (found.far, found.images, found.source) == (far, count, "images")
    assert isinstance(found, Threshold)


def test_too_few_pairs_are_told(monkeypatch):
    made, _ = samples(monkeypatch, 4, 3)
    with pytest.raises(EvaluationError, match=r"make 6 pairs.*too few to measure .* 0\.1"):
        strictest_threshold(None, made, progress=Silent())


def test_evaluate_says_what_it_does_on_test_pairs(asked, capsys, tmp_path):
    run = train(asked("validation.kind=images"), progress=Silent())
    out = tmp_path / "scores.json"
    with pytest.raises(SystemExit) as caught:
        main(["evaluate", str(run.path), "--verification", "--device", "cpu", "--json", str(out)])
    assert caught.value.code == 0
    chosen = promptreid.load(run.path, device="cpu").threshold
    text = " ".join(capsys.readouterr().out.split())
    assert f"own threshold {chosen.threshold:.4f} was chosen at FAR 10 % on 15 pairs" in text
    stored = json.loads(out.read_text())["verification"]["stored_threshold"]
    assert stored["chosen"] == chosen.to_dict()
    assert f"FAR {100 * stored['far']:.3g} %, TAR {100 * stored['tar']:.2f} %" in text
