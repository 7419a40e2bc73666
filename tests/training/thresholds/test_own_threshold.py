"""A threshold on images that someone brings: whose images count, and that nothing else changes."""

import itertools
import json
import shutil

import pytest
import torch
from safetensors.torch import load_file

import promptreid
from promptreid.data.load_data import load_data
from promptreid.errors import EvaluationError, RunError, WeightsError
from promptreid.evaluation.thresholds.threshold import Threshold
from promptreid.models.checkpoint import load_training, read_info
from promptreid.progress import Silent
from promptreid.runs.run_folder import RunFolder
from promptreid.training.run.train import TrainRequest, train
from promptreid.training.thresholds.own_threshold import brought_images, choose_on, store_threshold


@pytest.fixture(scope="module")
def trained(crops, quick, tmp_path_factory):
    out = tmp_path_factory.mktemp("runs") / "run"
    short = ("stages.prompts.epochs=1", "stages.image.epochs=1", "validation.kind=none")
    request = TrainRequest(
        recipe="clip-reid",
        overrides=(*quick, *short),
        data=(f"folder:{crops}",),
        out=out,
        device="cpu",
    )
    return train(request, progress=Silent())


@pytest.fixture
def run(trained, tmp_path):
    shutil.copytree(trained.path, tmp_path / "run")
    return tmp_path / "run"


@pytest.fixture(scope="module")
def visitors(paint, tmp_path_factory):
    root = tmp_path_factory.mktemp("brought") / "visitors"
    paint(root, identities=16, images=4)
    for folder in list(root.iterdir()):
        folder.rename(root / f"visitor {folder.name}")
    return root


def choose(run, spec, *, far=None, **more):
    embedder = promptreid.load(run, device="cpu")
    images = brought_images(run, embedder, load_data(spec), **more)
    return embedder, images, choose_on(embedder, images, far=far, progress=Silent())


@pytest.mark.slow
def test_all_pairs_of_strangers_choose_it(run, visitors):
    embedder, images, chosen = choose(run, f"folder:{visitors}", far=0.02)
    assert (chosen.images, chosen.identities, chosen.people) == (64, 16, "unseen")
    paths = [visitors / path for path in images.manifest.paths]
    vectors = embedder.embed(paths)
    scores = sorted(
        (
            float(vectors[i] @ vectors[j])
            for i, j in itertools.combinations(range(64), 2)
            if paths[i].parent != paths[j].parent
        ),
        reverse=True,
    )
    assert chosen.pairs == len(scores) == 120 * 16
    allowed = int(0.02 * len(scores))
    assert scores[allowed] - 1e-6 < chosen.threshold <= scores[allowed - 1] + 1e-6
    assert chosen.far_interval[0] <= 0.02 <= chosen.far_interval[1]


def test_identities_that_were_trained_on_never_choose_it(run, crops):
    classes = set(read_info(run / "checkpoints" / "best.safetensors").classes)
    for spec in (f"folder:{crops}", f"folder:{crops}?train=1", f"folder:{crops}?train=0&seed=3"):
        _, images, chosen = choose(run, spec)
        assert classes.isdisjoint(images.manifest.identities)
        assert set(images.manifest.identities) | classes == {f"{n:03d}" for n in range(12)}
        assert (chosen.images, chosen.identities) == (30, 6)
        assert "6 identities" in images.notes[0]


def test_a_checkpoint_alone_knows_its_data_too(run, crops, tmp_path):
    file = tmp_path / "alone.safetensors"
    shutil.copy(run / "checkpoints" / "best.safetensors", file)
    _, images, _ = choose(file, f"folder:{crops}")
    assert set(images.manifest.identities).isdisjoint(read_info(file).classes)


def test_nobody_left_says_what_to_do(run, crops, tmp_path):
    classes = read_info(run / "checkpoints" / "best.safetensors").classes
    few = tmp_path / "crops"
    for name in [*classes, "only one"]:
        shutil.copytree(crops / (name if name in classes else classes[0]), few / name)
    record = json.loads((run / "data.json").read_text())
    record[0]["place"], record[0]["name"] = f"folder:{few}", "crops"
    RunFolder(run).write("data.json", json.dumps(record).encode())
    with pytest.raises(EvaluationError, match=r"trained on 6 .* leaves 1 .*kind=folds"):
        choose(run, f"folder:{few}")


def test_names_that_training_had_are_said_of_other_data(run, paint, tmp_path):
    elsewhere = paint(tmp_path / "elsewhere", identities=20, images=2)
    _, images, chosen = choose(run, f"folder:{elsewhere}")
    assert chosen.people == ""
    assert any("6 of 20 identities have names" in note for note in images.notes)


@pytest.mark.parametrize(
    ("far", "words"), [(1e-6, "Take --far 0.01, or bring"), (1e-4, "which needs 10,000")]
)
def test_too_few_pairs_say_which_rate_they_carry(run, visitors, far, words):
    with pytest.raises(EvaluationError, match=words):
        choose(run, f"folder:{visitors}", far=far)


def test_the_smallest_rate_that_they_carry_is_the_default(run, visitors, crops):
    assert choose(run, f"folder:{visitors}")[2].far == 1e-2  # 120 pairs of identities
    assert choose(run, f"folder:{crops}")[2].far == 1e-1  # 15


def test_many_images_are_drawn_from_always_alike(run, visitors):
    drawn = [choose(run, f"folder:{visitors}", most=30)[1] for _ in range(2)]
    assert len(drawn[0].manifest) == 30
    assert drawn[0].manifest.paths == drawn[1].manifest.paths
    assert any("30 of 64 images" in note for note in drawn[0].notes)


@pytest.mark.slow
def test_it_is_stored_and_nothing_else_changes(run, visitors):
    best = run / "checkpoints" / "best.safetensors"
    tensors, before = load_file(best), read_info(best)
    embedder, _, chosen = choose(run, f"folder:{visitors}")
    assert store_threshold(run, embedder, chosen) == best
    after = load_file(best)
    assert tensors.keys() == after.keys()
    assert all(torch.equal(tensors[name], after[name]) for name in tensors)
    stored = read_info(best)
    assert stored.updated(verification=None) == before.updated(verification=None)
    assert Threshold.from_dict(stored.verification) == chosen
    loaded = promptreid.load(run, device="cpu")
    assert loaded.threshold == chosen
    first = visitors / "visitor 000" / "0.png"
    answer = loaded.same(first, first)
    assert answer
    assert answer.reached == 0
    assert answer.one_in == pytest.approx(chosen.pairs, rel=0.06)


def test_a_stopped_run_can_still_go_on(run, visitors):
    """Where `best` is not there yet, the threshold goes into `last`, with the optimizer kept."""
    (run / "checkpoints" / "best.safetensors").unlink()
    last = run / "checkpoints" / "last.safetensors"
    before = load_file(last)
    embedder, _, chosen = choose(run, f"folder:{visitors}")
    assert store_threshold(run, embedder, chosen) == last
    assert load_file(last).keys() == before.keys()
    assert load_training(last).values


def test_a_full_disk_leaves_the_old_file(run, visitors, monkeypatch):
    best = run / "checkpoints" / "best.safetensors"
    before = best.read_bytes()
    embedder, _, chosen = choose(run, f"folder:{visitors}")

    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("promptreid.models.checkpoint.write_tensors", full)
    with pytest.raises(RunError, match="No space left"):
        store_threshold(run, embedder, chosen)
    assert best.read_bytes() == before


def test_a_run_that_trains_is_not_touched(run, visitors):
    from promptreid.runs.run_folder import RunFolder

    embedder, _, chosen = choose(run, f"folder:{visitors}")
    with RunFolder(run).locked(), pytest.raises(RunError, match="Another process"):
        store_threshold(run, embedder, chosen)


def test_a_published_file_needs_a_place(run, visitors, tmp_path):
    embedder, _, chosen = choose(run, f"folder:{visitors}")
    published = tmp_path / "market.pth"
    published.touch()
    with pytest.raises(WeightsError, match=r"--out FILE\.safetensors"):
        store_threshold(published, embedder, chosen)
    out = tmp_path / "market.safetensors"
    assert store_threshold(published, embedder, chosen, out=out) == out
    assert promptreid.load(out, device="cpu").threshold == chosen


def test_distractors_and_background_choose_nothing(run, crops, tmp_path):
    root = tmp_path / "roles"
    names = sorted(path.name for path in crops.iterdir())
    for role, some in (("query", names[:2]), ("gallery", names[:2]), ("distractor", names[2:])):
        for name in some:
            shutil.copytree(
                crops / name,
                root / role / f"{role[:1]}{name}"
                if role == "distractor"
                else root / role / f"p{name}",
            )
    _, images, _ = choose(run, f"folder:{root}", far=0.1)
    assert set(images.manifest.identities) == {"p000", "p001"}
