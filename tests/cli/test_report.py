"""`promptreid report`, from runs to a page."""

import shlex
import shutil

import pytest

from promptreid.cli.main import main

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def table(crops, tmp_path_factory):
    path = tmp_path_factory.mktemp("data") / "data.csv"
    rows = ["path,identity,split,side"]
    for folder in sorted(crops.iterdir()):
        for number, image in enumerate(sorted(folder.iterdir())):
            split = "query" if number < 2 else "gallery"
            rows.append(f"{image},{folder.name},{split},{('left', 'right')[number % 2]}")
    path.write_text("\n".join(rows))
    return f"csv:{path}"


@pytest.fixture(scope="module")
def runs(table, tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs")
    for name, size in (("small", "[32,32]"), ("large", "[64,32]")):
        arguments = ["train", "zero-shot", "backbone.name=tiny", f"backbone.image_size={size}"]
        with pytest.raises(SystemExit) as caught:
            main([*arguments, "--data", table, "--out", str(folder / name), "--device", "cpu"])
        assert caught.value.code == 0
    return folder


@pytest.fixture
def call(capsys, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))

    def run(*arguments, command="report"):
        with pytest.raises(SystemExit) as caught:
            main([*command.split(), *map(str, arguments), "--device", "cpu"])
        captured = capsys.readouterr()
        return caught.value.code, captured.out, captured.err

    return run


@pytest.fixture
def asked(monkeypatch):
    """Calls of `collect`, which is not run."""
    calls = []

    class Stop(Exception):
        pass

    def collect(runs, specs, **options):
        calls.append((runs, specs, options))
        raise Stop

    monkeypatch.setattr("promptreid.actions.write_report.collect", collect)
    return calls


def test_a_run_gets_a_page_in_its_folder(call, runs, tmp_path):
    code, out, err = call(runs / "small")
    assert code == 0, err
    page = runs / "small" / "report.html"
    wrote, best, sure = out.splitlines()
    assert wrote.startswith(f"wrote {page} (")
    assert wrote.endswith(" MB)")
    assert best.startswith("small: mAP ")
    assert "rank-1" in best
    assert sure.startswith("verification: EER ")
    text = page.read_text(encoding="utf-8")
    assert text.lstrip().lower().startswith("<!doctype html>")
    assert "small" in text
    assert len(list((tmp_path / "cache" / "promptreid" / "embeddings").iterdir())) == 1


def test_several_runs_get_a_page_here(call, runs, tmp_path):
    options = ["--name", "one", "--name", "two", "--map", "pca", "--no-cache", "--title", "A title"]
    (tmp_path / "report.html").write_text("an earlier page")
    code, out, err = call(runs / "small", runs / "large", *options)
    assert code == 0, err
    wrote, best, sure = out.splitlines()
    assert wrote.startswith("wrote report.html (")
    assert best.startswith(("one: mAP", "two: mAP"))
    assert sure.startswith("two against one: ")
    assert "points of mAP [" in sure
    text = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "A title" in text
    assert "PCA" in text
    assert not (tmp_path / "cache").exists()
    assert [path.name for path in tmp_path.iterdir()] == ["report.html"]


@pytest.mark.parametrize("command", ["report", "figure cmc"])
def test_images_that_cannot_be_decoded_stop_it_or_are_left_out(
    call, runs, crops, tmp_path, command
):
    copy = shutil.copytree(crops, tmp_path / "copy")
    bad = sorted(copy.rglob("*.png"))[3]
    bad.write_bytes(b"")
    out = tmp_path / ("page.html" if command == "report" else "cmc.svg")
    arguments = [runs / "small", "--data", f"folder:{copy}", "--out", out]
    code, _, err = call(*arguments, command=command)
    assert code == 2
    assert f"{bad} cannot be read" in err
    assert "--unreadable skip" in err
    assert not out.exists()
    code, _, err = call(*arguments, "--unreadable", "skip", command=command)
    assert code == 0
    assert "skipping 1 of 60 images" in err
    if command == "report":
        page = out.read_text()
        assert "1 of 60 images cannot be read and were left out" in page
        assert "--unreadable skip" in page


def test_options_reach_what_collects(call, runs, asked, tmp_path):
    call(
        runs / "small", "--by", "side", "--by", "camera", "--by", "side", "--pixelate", "--seed", 7,
        "--map", "umap", "--batch-size", 3, "--cache", tmp_path / "kept",
    )  # fmt: skip
    ((_, specs, options),) = asked
    assert specs[0].startswith("csv:")
    chosen = options["options"]
    assert (chosen.by, chosen.pixelate, chosen.seed) == (("side", "camera"), True, 7)
    assert chosen.method == "umap"
    assert (options["batch_size"], options["cache"]) == (3, tmp_path / "kept")


def quote(words):
    return shlex.quote(str(words))


def test_the_command_is_written_out_and_works(call, runs, asked):
    call(runs / "small", "--title", "two words", "--by", "side", "--pixelate")
    ((_, (spec,), options),) = asked
    assert options["options"].command == (
        f"promptreid report {quote(runs / 'small')} --data {quote(spec)} --by side "
        "--title 'two words' --map tsne --seed 0 --pixelate "
        f"--out {quote(runs / 'small' / 'report.html')}"
    )


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["gone"], "no run or checkpoint gone"),
        (["small", "--data", "marekt1501:/x"], "Did you mean 'market1501'"),
        (["small", "--by", "sied"], "Did you mean 'side'"),
        (["small", "--name", "a", "--name", "b"], "2 names are given for 1 runs"),
        (["small", "small"], "same run is named twice"),
        (["small", "--map", "tnse"], "tnse"),
        (["small", "--out", "."], "--out"),
    ],
)
def test_mistakes_are_said_before_a_model_is_loaded(call, runs, monkeypatch, arguments, words):
    monkeypatch.setattr("promptreid.pages.collect.load", None)
    arguments = [runs / word if word in ("small", "large") else word for word in arguments]
    code, _, err = call(*arguments)
    assert code == 2
    assert words in err


def test_without_the_extra_the_install_line_is_said(call, runs, monkeypatch):
    import importlib

    real = importlib.import_module

    def missing(name):
        if name.partition(".")[0] == "jinja2":
            raise ModuleNotFoundError("No module named 'jinja2'", name="jinja2")
        return real(name)

    monkeypatch.setattr("promptreid.figures.extra.importlib.import_module", missing)
    code, _, err = call(runs / "small")
    assert code == 2
    assert "pip install 'promptreid[report]'" in err
