"""`promptreid quickstart`: from a folder of pictures to a threshold and a search page."""

import contextlib
import io
import json
import shlex
import shutil

import click
import pytest
from facts import lacking
from PIL import Image

import promptreid
from promptreid.actions.first_steps import training_steps
from promptreid.actions.first_steps.data_situation import explain_untrainable
from promptreid.actions.first_steps.noted_steps import NotedSteps
from promptreid.actions.first_steps.recipe_steps import PlannedTraining
from promptreid.actions.first_steps.training_steps import promised_rate, train_and_show
from promptreid.actions.first_steps.wishes import Wishes
from promptreid.cli.main import cli, main
from promptreid.config.recipe_choice import RecipeChoice
from promptreid.config.recipes import load_recipe
from promptreid.data.inspection.inspect import inspect_data
from promptreid.data.load_data import load_data
from promptreid.errors import RunError
from promptreid.gallery.gallery import Gallery
from promptreid.models.checkpoint import read_info
from promptreid.progress import Silent
from promptreid.training.stage.stop_signals import Interrupted

pytestmark = pytest.mark.slow


def call(capsys, *arguments):
    with pytest.raises(SystemExit) as caught:
        main([str(argument) for argument in arguments])
    captured = capsys.readouterr()
    return caught.value.code, captured.out, captured.err


def printed(told):
    """The commands that were printed, as words."""
    lines = [line.strip() for line in told.splitlines()]
    return [shlex.split(line) for line in lines if line.startswith("promptreid ")]


@pytest.fixture(scope="module")
def crops(tmp_path_factory, paint):
    """Sixteen people with two pictures each: just enough for a threshold by cross-fitting."""
    return paint(tmp_path_factory.mktemp("people") / "set", identities=16, images=2)


@pytest.fixture(scope="module")
def led(crops, tmp_path_factory):
    """A quickstart that was stopped while it trained, and then went on."""
    out = tmp_path_factory.mktemp("quickstart") / "made"
    picture = crops / "000" / "broken.jpg"
    words = ["quickstart", str(crops), "--out", str(out), "--minutes", "0.001", "--device", "cpu"]
    picture.write_bytes(b"\xff\xd8\xff")
    capture = pytest.MonkeyPatch()
    told = []

    def run():
        text, errors = io.StringIO(), io.StringIO()
        aside = (contextlib.redirect_stdout(text), contextlib.redirect_stderr(errors))
        with aside[0], aside[1], pytest.raises(SystemExit) as caught:
            main(words)
        told.append((caught.value.code, text.getvalue(), errors.getvalue()))

    def stop(request, *, progress):
        raise Interrupted(str(request.out))

    try:
        with capture.context() as patched:
            patched.setattr("promptreid.actions.train_recipe.run_training", stop)
            run()
        run()
    finally:
        picture.unlink()
    return out, told


def test_it_ends_in_a_threshold_a_report_a_gallery_and_a_search_page(led, crops):
    out, ((_, before, _), (code, text, errors)) = led
    assert code == 0, errors
    kept = read_info(out / "run" / "checkpoints" / "best.safetensors").verification
    assert kept is not None
    assert "broken.jpg" in before
    for page in ("report.html", "search.html"):
        assert (out / page).read_text(encoding="utf-8").startswith("<!")
        assert str(out / page) in text
    gallery = Gallery.open(out / "everybody.gallery")
    assert len(gallery.identities()) == 16
    assert gallery.info().entries == 32
    gallery.close()
    last = printed(text)[-2:]
    assert [words[1] for words in last] == ["search", "serve"]
    assert all(str(out / "everybody.gallery") in words for words in last)


def test_stopped_it_says_how_to_go_on_and_does(led):
    out, ((code, _, errors), (_, text, _)) = led
    assert code == 130
    assert not lacking(errors, f"--out {shlex.quote(str(out))}", "--minutes 0.001", "--device cpu")
    again = [line.strip() for line in text.splitlines()]
    inspect = next(place for place, line in enumerate(again) if " data inspect " in line)
    assert again[inspect + 1] == "(done before)"
    assert "--estimate" not in text


def test_what_it_prints_gives_the_same_by_hand(led, capsys, tmp_path):
    out, told = led
    trained = next(words for words in printed(told[1][1]) if words[1] == "train")
    by_hand = [word.replace(str(out), str(tmp_path)) for word in trained]
    code, _, errors = call(capsys, *by_hand[1:])
    assert code == 0, errors
    ours, theirs = (promptreid.Run(folder / "run") for folder in (out, tmp_path))
    assert ours.threshold == theirs.threshold
    assert ours.results == theirs.results


def test_all_that_it_prints_can_be_typed(led):
    _, told = led
    *typed, _ = printed(told[1][1])  # the last one, serve, has a command by default
    assert len(typed) >= 4
    for words in typed:
        command, rest = cli, [*words[1:]]
        while isinstance(command, click.Group):
            command, rest = command.get_command(click.Context(command), rest[0]), rest[1:]
        command.make_context(words[1], rest)


def test_it_refuses_other_pictures_and_other_wishes(led, capsys, crops, tmp_path):
    out, _ = led
    code, _, errors = call(capsys, "quickstart", crops, "--out", out, "--minutes", "5")
    assert code == 2
    assert "minutes" in errors
    assert "--out" in errors
    moved = tmp_path / "moved"
    shutil.copytree(out, moved)
    (crops / "000" / "new.png").write_bytes((crops / "000" / "0.png").read_bytes())
    try:
        code, _, errors = call(
            capsys, "quickstart", crops, "--out", moved, "--minutes", "0.001", "--device", "cpu"
        )
    finally:
        (crops / "000" / "new.png").unlink()
    assert code == 2
    assert str(moved) in errors
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "letter.txt").write_text("dear")
    code, _, errors = call(capsys, "quickstart", crops, "--out", tmp_path / "full")
    assert code == 2
    assert "letter.txt" in errors


def test_pictures_without_names_can_be_searched(capsys, crops, tmp_path):
    loose = tmp_path / "loose"
    loose.mkdir()
    for place, image in enumerate(sorted(crops.rglob("*.png"))[:6]):
        shutil.copy(image, loose / f"{place}.png")
    code, text, errors = call(capsys, "quickstart", loose, "--out", tmp_path / "made")
    assert code == 0, errors
    assert (tmp_path / "made" / "search.html").is_file()
    assert "folder of its own" in text
    assert printed(text)[-1][:3] == ["promptreid", "quickstart", str(loose)]


@pytest.mark.parametrize("each", [1, 2])
def test_one_picture_each_cannot_be_trained(tmp_path, each):
    for person in range(6):
        for number in range(each):
            place = tmp_path / f"p{person}" / f"{number}.png"
            place.parent.mkdir(exist_ok=True)
            Image.new("RGB", (8, 16), (40 * person, number, 0)).save(place)
    inspection = json.loads(json.dumps(inspect_data(load_data(f"folder:{tmp_path}")).to_dict()))
    reason = explain_untrainable(inspection)
    assert bool(reason) == (each == 1)
    assert inspection["sizes"]["height_by_width"] == 2.0


@pytest.mark.parametrize(("identities", "rate"), [(100, 0.05), (39, 0.05), (12, 0.2), (2, 0.05)])
def test_a_search_promises_what_so_many_people_allow(identities, rate):
    assert promised_rate(identities) == rate


def test_the_untrained_model_has_the_backbone_of_the_training():
    choice = RecipeChoice("clip-reid/tiny", ("stages.image.epochs=1",), ())
    recipe, backbone = (
        load_recipe("clip-reid/tiny"),
        PlannedTraining(choice, 3.0).untrained().choice,
    )
    untrained = load_recipe(backbone.recipe, backbone.overrides)
    assert untrained.backbone == recipe.backbone
    assert untrained.stages == ()


class PretendedRun:
    """A run that is worse than what it began with, unless it was not trained."""

    threshold = None

    def __init__(self, path):
        before = {"before": 0.5}
        worth = {"verdict": "worse", "rank-1": before, "mAP": before}
        scores = {"mAP": 0.4, "cmc": {"1": 0.3}}
        self.results = ({**scores, "worth": worth} if path.name == "run" else scores,)


def test_where_training_made_it_worse_the_untrained_model_is_taken(tmp_path, monkeypatch):
    ran, told = [], []
    monkeypatch.setattr(NotedSteps, "take", lambda self, *words, **_: ran.append(words))
    monkeypatch.setattr(
        training_steps._TrainingSteps, "_open", lambda self, path: PretendedRun(path)
    )
    inspection = {
        "problems": [], "unreadable": [{"path": "a.jpg"}], "sizes": None, "cameras": {},
        "splits": [{"split": "train", "identities": 6, "images": 30},
                   {"split": "test", "identities": 6, "images": 30}],
    }  # fmt: skip
    steps = NotedSteps(
        tmp_path / "made", {}, say=lambda text, title: told.append(text), progress=Silent()
    )
    steps.learn(parts={"image": 1.0})
    made = train_and_show("folder:x", inspection, steps, Wishes("people", device="cpu"))
    estimate, trained, untrained, threshold, report, create, add = ran
    assert "--estimate" in estimate
    assert trained[1] == made["recipe"] == "clip-reid/tiny"
    assert untrained[1] == "zero-shot"
    assert made["run"] == untrained[untrained.index("--out") + 1]
    assert threshold[1] == made["run"]
    assert list(report[1:3]) == [trained[trained.index("--out") + 1], made["run"]]
    assert list(report[3:7]) == ["--name", "made", "--name", "made untrained"]
    assert create[create.index("--model") + 1] == made["run"]
    for words in (estimate, trained, untrained, threshold, report, add):
        assert words[words.index("--unreadable") + 1] == "skip"
    assert not lacking(" ".join(" ".join(told).split()), "30 of 100", "50", "40.0%", "50.0%")


def test_a_note_of_steps_that_was_damaged_or_asked_otherwise_is_refused(tmp_path):
    def begin(**asked):
        return NotedSteps(tmp_path, asked, say=lambda *_: None, progress=Silent())

    begin(minutes=1).learn(answer=42)
    assert begin(minutes=1).known == {"answer": 42}
    with pytest.raises(RunError, match="minutes was 1"):
        begin(minutes=2)
    (tmp_path / "quickstart.json").write_text("{")
    with pytest.raises(RunError, match="damaged"):
        begin(minutes=1)


def test_python_leads_the_same_way_and_gives_what_was_made(led, crops):
    """All of it is done, so that nothing is computed again."""
    out, _ = led
    heard, picture = [], crops / "000" / "broken.jpg"
    picture.write_bytes(b"\xff\xd8\xff")  # as it was before
    made = promptreid.quickstart(
        crops, out=out, minutes=0.001, device="cpu", say=lambda text, title: heard.append(text),
        progress=promptreid.Silent(),
    )  # fmt: skip
    picture.unlink()
    assert made.run.threshold is not None
    assert made.report == out / "report.html"
    assert made.gallery == out / "everybody.gallery"
    assert not lacking(repr(made), str(out / "run"), f"{made.run.threshold.threshold:.4f}"[:5])
    done = sum("done before" in text for text in heard)
    assert done == sum(text.startswith("  promptreid ") for text in heard) - 2
    with pytest.raises(promptreid.PromptReIDError, match="people"):
        promptreid.quickstart(crops, subject="peple", out=out)
