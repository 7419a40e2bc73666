"""`promptreid train --test`: data that are scored and never learned from."""

import json
import shlex
import shutil

import pytest

from promptreid.cli.main import main
from promptreid.config.hardware import HardwareConfig
from promptreid.config.recipes import load_recipe
from promptreid.errors import RunError

pytestmark = pytest.mark.slow

SHORT = ("stages.prompts.epochs=1", "stages.image.epochs=1", "--device", "cpu")


def run(capsys, *arguments):
    with pytest.raises(SystemExit) as caught:
        main([str(argument) for argument in arguments])
    captured = capsys.readouterr()
    return caught.value.code, captured.out, captured.err


@pytest.fixture
def other(crops, tmp_path):
    """Six of the twelve people, in a folder of their own with other picture names."""
    for number, folder in enumerate(sorted(crops.iterdir())[:6]):
        for image in folder.iterdir():
            place = tmp_path / "other" / f"p{number}" / f"p{image.name}"
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(image, place)
    return tmp_path / "other"


def test_test_sets_are_scored_and_not_learned(capsys, crops, other, quick, tmp_path):
    out = tmp_path / "run"
    data, test = f"folder:{crops}?train=1", f"folder:{other}?train=0"
    arguments = ["train", "clip-reid", *quick, *SHORT, "--data", data, "--test", test, "--out", out]
    code, told, err = run(capsys, *arguments)
    assert code == 0, err
    assert test in told
    scores = json.loads((out / "scores.json").read_text())
    assert scores["data"] == test
    assert scores["queries"] > 0
    records = json.loads((out / "data.json").read_text())
    assert [(record["spec"], record["role"]) for record in records] == [
        (data, "train"),
        (test, "test"),
    ]
    from promptreid.models.checkpoint import read_info

    info = read_info(out / "checkpoints" / "best.safetensors")
    assert info.classes == tuple(f"{number:03d}" for number in range(12))


@pytest.mark.parametrize(
    ("data", "test", "words"),
    [
        ("folder:{crops}", "folder:{crops}", "is the same as --data folder:"),
        ("folder:{crops}?train=1", "folder:{crops}?train=0", "60 images that --test"),
        ("folder:{crops}?use=all", "folder:{crops}", "images that --test"),
        ("folder:{crops}", "folder:{other}?use=all", "has nothing to test on"),
        ("folder:{crops}", "market1051:{other}", "Did you mean 'market1501'"),
        ("folder:{crops}", "{other}", "NAME:ROOT"),
    ],
)
def test_wrong_test_sets_are_refused(capsys, crops, other, quick, tmp_path, data, test, words):
    out = tmp_path / "run"
    specs = [spec.format(crops=crops, other=other) for spec in (data, test)]
    arguments = ["train", "clip-reid", *quick, *SHORT, "--data", specs[0], "--test", specs[1]]
    code, _, err = run(capsys, *arguments, "--out", out)
    assert code == 2
    assert words in err
    assert "Traceback" not in err
    assert not out.exists()


def test_what_learns_nothing_may_be_tested_on_anything(capsys, crops, quick, tmp_path):
    tiny = [override for override in quick if override.startswith("backbone.")]
    data, test = f"folder:{crops}?use=all", f"folder:{crops}"
    out = tmp_path / "run"
    arguments = ["train", "zero-shot", *tiny, "--data", data, "--test", test, "--out", out]
    code, _, err = run(capsys, *arguments, "--device", "cpu")
    assert code == 0, err
    assert json.loads((out / "scores.json").read_text())["data"] == test


def test_a_run_ends_with_its_gain_and_the_next_commands(capsys, crops, quick, tmp_path):
    """The next commands can be pasted although the folder's name has a space."""
    out = tmp_path / "my run"
    few = ("validation.kind=folds", *SHORT)
    code, told, err = run(
        capsys, "train", "clip-reid", *quick, *few, "--data", f"folder:{crops}", "--out", out
    )
    assert code == 0, err
    assert "\nBefore training (tiny untrained) and after:\n  mAP " in told
    last = told.splitlines()[-4:]
    assert last[0] == "next:"
    assert last[1].startswith(f"  promptreid same '{out}' A.jpg B.jpg  ")
    assert last[2].startswith(f"  promptreid report '{out}'  ")
    assert last[3].startswith(f"  promptreid search FOLDER A.jpg --model '{out}'  ")
    image = crops / "000" / "0.png"
    same = last[1].strip().partition("   ")[0].replace("A.jpg B.jpg", shlex.join([str(image)] * 2))
    code, told, err = run(capsys, *shlex.split(same)[1:])
    assert code == 0, err
    assert told.startswith("THE SAME")
    search = (
        last[3]
        .strip()
        .partition("   ")[0]
        .replace("FOLDER A.jpg", shlex.join(map(str, (crops, image))))
    )
    code, told, err = run(capsys, *shlex.split(search)[1:], "--no-cache")
    assert code == 0, err
    assert "000" in told


def test_without_a_threshold_the_next_command_chooses_one(capsys, crops, quick, tmp_path):
    out = tmp_path / "run"
    code, told, err = run(
        capsys, "train", "clip-reid", *quick, *SHORT, "--data", f"folder:{crops}", "--out", out,
        "--no-before",
    )  # fmt: skip
    assert code == 0, err
    assert "Before training" not in told
    assert f"  promptreid threshold {shlex.quote(str(out))} --data SPEC  " in told


def test_options_for_hardware_are_settings_of_the_recipe(monkeypatch):
    seen = []

    def note(request, *, progress):
        seen.append(request)
        raise RunError("enough")

    monkeypatch.setattr("promptreid.actions.train_recipe.run_training", note)
    given = ("--precision", "fp16", "--compile", "--checkpointing", "--accumulate", 4)
    base = ("train", "clip-reid/tiny", "backbone.name=tiny", "--data", "folder:/nowhere")
    for options, expected in (
        (
            (*given, "--auto-batch"),
            HardwareConfig(
                precision="fp16", compile=True, checkpointing=True, accumulate=4, auto_batch=True
            ),
        ),
        ((), HardwareConfig()),
    ):
        with pytest.raises(SystemExit):
            main([str(argument) for argument in (*base, *options)])
        recipe = load_recipe(seen[-1].recipe, seen[-1].overrides)
        assert recipe.hardware == expected
        assert recipe.backbone.name == "tiny"
