"""`promptreid threshold`, `same` and `verify`: from a run to an answer, or to a sentence."""

import json
import shutil

import pytest

import promptreid
from promptreid.cli.main import main
from promptreid.gallery.gallery import Gallery
from promptreid.models.checkpoint import load_model, save_model
from promptreid.progress import Silent
from promptreid.training.run.train import TrainRequest, train


def run(capsys, *arguments):
    with pytest.raises(SystemExit) as caught:
        main([str(argument) for argument in arguments])
    captured = capsys.readouterr()
    return caught.value.code, captured.out, captured.err


@pytest.fixture(scope="module")
def trained(crops, quick, tmp_path_factory):
    request = TrainRequest(
        recipe="zero-shot",
        overrides=[override for override in quick if override.startswith("backbone.")],
        data=(f"folder:{crops}",),
        out=tmp_path_factory.mktemp("runs") / "a run",
        device="cpu",
    )
    return train(request, progress=Silent()).path


@pytest.fixture(scope="module")
def bare(trained, tmp_path_factory):
    """The same without a threshold."""
    model, info = load_model(trained / "checkpoints" / "best.safetensors")
    path = tmp_path_factory.mktemp("bare") / "bare.safetensors"
    save_model(path, model, info.updated(verification=None))
    return path


@pytest.mark.slow
def test_the_answer_in_words_and_numbers(capsys, crops, trained, tmp_path):
    first, alike, other = crops / "000/0.png", crops / "000/1.png", crops / "004/0.png"
    out = tmp_path / "answers.json"
    code, told, err = run(capsys, "same", trained, first, first, alike, other, "--json", out)
    assert code == 0, err
    assert err.startswith("loading ")
    assert told.startswith(f"THE SAME: {first} and {first}\n  score 1.0000 reaches the threshold ")
    content = json.loads(out.read_text())
    model = promptreid.load(trained, device="cpu")
    for record, image in zip(content["answers"], (first, alike, other), strict=True):
        answer = model.same(first, image)
        assert record["score"] == pytest.approx(answer.score, abs=1e-5)
        assert (record["same"], record["second"]) == (answer.same, str(image))
        assert (record["one_in"], record["strangers_reaching"]) == (answer.one_in, answer.reached)
        verdict = "THE SAME" if answer.same else "NOT THE SAME"
        assert f"\n{verdict}: {first} and {image}\n" in f"\n{told}"
        assert answer.rarity in told
    assert "fewer than 1 in" in told
    basis = f"{model.threshold.pairs:,} pairs of {model.threshold.images:,} training images"
    assert basis in " ".join(told.split())


def test_no_threshold_leads_to_one(capsys, crops, bare, paint, tmp_path):
    first = crops / "000/0.png"
    code, _, err = run(capsys, "same", bare, first, first)
    assert code == 2
    assert f"promptreid threshold {bare} --data folder:" in err
    own = paint(tmp_path / "people", identities=8, images=3)
    out = tmp_path / "threshold.json"
    code, told, err = run(
        capsys, "threshold", bare, "--data", f"folder:{own}", "--far", "0.05", "--json", out
    )
    assert code == 0, err
    assert " ".join(err.split()).startswith("reading folder:")
    assert "accepts at most 1 in 20 of the pairs" in told
    assert "few identities: take it as a rough guide" in told
    assert json.loads(out.read_text())["pairs"] == 28 * 9
    assert promptreid.load(bare, device="cpu").threshold.far == 0.05
    code, told, err = run(capsys, "same", bare, first, first)
    assert code == 0, err
    assert told.startswith("THE SAME")


@pytest.fixture(scope="module")
def enrolled(crops, trained, tmp_path_factory):
    """Galleries of ten people, of a model with a threshold and of the same without."""
    folder = tmp_path_factory.mktemp("galleries")
    model, info = load_model(trained / "checkpoints" / "best.safetensors")
    bare = folder / "bare.safetensors"
    save_model(bare, model, info.updated(verification=None))
    paths = sorted(crops.rglob("*.png"))[:50]
    for name, place in (("bare", bare), ("trained", trained)):
        gallery = Gallery.create(
            folder / name, promptreid.load(place, device="cpu"), source=str(place)
        )
        gallery.add(paths, [path.parent.name for path in paths])
        gallery.close()
    return folder


@pytest.mark.slow
def test_pairs_are_verified_by_the_stored_threshold(capsys, crops, trained, enrolled, tmp_path):
    pairs = [crops / "000/0.png", crops / "000/1.png", crops / "000/0.png", crops / "004/0.png"]
    out = tmp_path / "pairs.json"
    model = promptreid.load(trained, device="cpu")
    for start in ([enrolled / "trained"], ["--model", trained]):
        code, told, err = run(capsys, "verify", *start, *pairs, "--json", out, "--device", "cpu")
        assert code == 0, err
        content = json.loads(out.read_text())
        assert content["threshold"]["threshold"] == model.threshold.threshold
        for record, first, second in zip(content["answers"], pairs[::2], pairs[1::2], strict=True):
            answer = model.same(first, second)
            assert record["score"] == pytest.approx(answer.score, abs=1e-5)
            assert (record["same"], record["first"]) == (answer.same, str(first))
            assert f"THE SAME: {first} and {second}\n  score {answer.score:.4f} " in told
        assert f"{model.threshold.pairs:,} pairs of " in " ".join(told.split())


def test_pairs_are_verified_by_the_gallerys_own_pairs(capsys, crops, enrolled):
    pair = [crops / "000/0.png", crops / "000/1.png"]
    code, _, err = run(capsys, "verify", enrolled / "bare", *pair, "--device", "cpu")
    assert code == 2
    assert "--own-pairs" in err
    own = ["--own-pairs", "--far", "0.01"]
    code, told, err = run(
        capsys, "verify", enrolled / "bare", *pair, *own, "--device", "cpu", "--json"
    )
    assert code == 0, err
    assert "1 in 100 pairs of strangers" in " ".join(err.split())
    threshold = json.loads(told)["threshold"]
    assert (threshold["far"], threshold["pairs"]) == (0.01, 45 * 25)
    assert (threshold["genuine"], threshold["identities"]) == (100, 10)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["same", "{run}", "{image}", "nowhere.jpg"], "no image file nowhere.jpg"),
        (["same", "{run}", "{image}", "{text}"], "cannot be read"),
        (["same", "nowhere", "{image}", "{image}"], "no run or checkpoint nowhere"),
        (["same", "{text}", "{image}", "{image}"], "not a readable checkpoint"),
        (["same", "{run}", "{image}"], "Missing argument"),
        (["verify", "{image}", "{image}"], "is no gallery"),
        (["verify", "--model", "{run}", "{image}"], "pairs"),
        (["verify", "--model", "{run}", "{image}", "nowhere.jpg"], "no image file nowhere.jpg"),
        (["verify", "--model", "{run}", "{image}", "{image}", "--own-pairs"], "needs a gallery"),
        (["verify", "--model", "{run}", "{image}", "{image}", "--far", "0.1"], "--own-pairs"),
        (["verify", "{crops}", "{image}", "{image}"], "gallery create"),
        (["threshold", "{run}"], "Missing option '--data'"),
        (["threshold", "nowhere", "--data", "folder:{crops}"], "no run or checkpoint"),
        (["threshold", "{run}", "--data", "folder:{crops}", "--far", "0"], "0<x<1"),
        (["threshold", "{run}", "--data", "folder:{crops}", "--out", "x.pth"], ".safetensors"),
        (["threshold", "{run}", "--data", "folder:{crops}", "--far", "1e-9"], "Take --far 0.1"),
        (["threshold", "{run}", "--data", "{crops}"], "NAME:ROOT"),
    ],
)
def test_mistakes_are_sentences(capsys, crops, trained, tmp_path, arguments, words):
    text = tmp_path / "text.jpg"
    text.write_text("no picture")
    places = {"run": trained, "image": crops / "000/0.png", "crops": crops, "text": text}
    code, _, err = run(capsys, *(argument.format(**places) for argument in arguments))
    assert code == 2
    assert words in err
    assert "Traceback" not in err
    assert "internal error" not in err


def test_the_next_command_can_be_pasted(capsys, crops, trained, tmp_path):
    """Its folder has a space in its name."""
    shutil.copytree(trained, tmp_path / "a run")
    code, told, err = run(
        capsys, "threshold", tmp_path / "a run", "--data", f"folder:{crops}", "--far", "0.01"
    )
    assert code == 0, err
    assert f"promptreid same '{tmp_path / 'a run'}' A.jpg B.jpg" in told
