"""`promptreid figure`, from saved models to files."""

import pytest
from PIL import Image
from small_models import RESNET, VIT, small_backbone

from promptreid.cli.main import main
from promptreid.data.preprocess import Preprocess
from promptreid.models.checkpoint import save_model
from promptreid.models.reid import ReIDModel

PREPROCESS = Preprocess(image_size=(64, 32))


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Two runs, the second a ResNet."""
    folder = tmp_path_factory.mktemp("runs")
    for name, vision in (("before", VIT), ("after", RESNET)):
        backbone = small_backbone(vision)
        backbone.image.fit((64, 32), None)
        path = folder / name / "checkpoints" / "best.safetensors"
        save_model(path, ReIDModel(backbone), {"preprocess": PREPROCESS.to_dict()})
    return folder


@pytest.fixture
def run(capsys, runs, crops, monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))

    def call(kind, *arguments, names=("before", "after")):
        given = ["figure", kind, *(runs / name for name in names), "--data", f"folder:{crops}"]
        with pytest.raises(SystemExit) as caught:
            main([str(argument) for argument in (*given, *arguments, "--device", "cpu")])
        captured = capsys.readouterr()
        return caught.value.code, captured.out, captured.err

    return call


def test_tsne(run, tmp_path):
    out = tmp_path / "new" / "tsne.png"
    code, said, _ = run("tsne", "--out", out, "--identities", 5, "--name", "zero", "--name", "one")
    assert code == 0
    assert f"wrote {out}" in said
    assert "5 identities" in said
    assert "zero 0." in said
    with Image.open(out) as image:
        assert image.text["Description"] in said
        assert image.width > image.height
    kept = list((tmp_path / "cache" / "promptreid" / "embeddings").iterdir())
    assert len(kept) == 2
    first = out.read_bytes()
    assert run("tsne", "--out", out, "--identities", 5, "--name", "zero", "--name", "one")[0] == 0
    assert out.read_bytes() == first


def test_tsne_without_a_cache_in_the_dark(run, tmp_path):
    out = tmp_path / "tsne.png"
    code, *_ = run("tsne", "--out", out, "--no-cache", "--theme", "dark", names=("before",))
    assert code == 0
    assert not (tmp_path / "cache").exists()
    with Image.open(out) as image:
        assert max(image.convert("RGB").getpixel((2, 2))) < 40


def test_activation_takes_the_kind_that_fits_each_run(run, tmp_path):
    out = tmp_path / "maps.svg"
    code, said, _ = run("activation", "--out", out, "--images", 3)
    assert code == 0
    assert "attention rollout of before" in said
    assert "channel energy of after" in said
    assert "attention rollout" in out.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("kind", "arguments", "words"),
    [
        ("tsne", ["--out", "x.bmp"], ".png, .svg, .pdf"),
        ("activation", ["--out", "x.png", "--name", "one"], "1 names are given for 2 runs"),
        ("activation", ["--out", "x.png", "--kind", "rollout"], "Take the kind 'energy'"),
        ("activation", ["--out", "x.png", "--kind", "text"], "The kind 'text' shows"),
        ("tsne", ["--out", "x.png", "--identities", "99"], "99"),
        ("tsne", ["--out", "x.png", "--perplexity", "500"], "must be between 0 and"),
    ],
)
def test_mistakes_are_said_and_nothing_is_written(
    run, tmp_path, monkeypatch, kind, arguments, words
):
    monkeypatch.chdir(tmp_path)
    code, _, err = run(kind, *arguments)
    assert code == 2
    assert words in err
    assert not list(tmp_path.glob("x.*"))


def test_a_missing_run_is_named(run, tmp_path):
    code, _, err = run("tsne", "--out", tmp_path / "x.png", names=("before", "gone"))
    assert code == 2
    assert "gone" in err


def test_the_same_model_twice_gives_the_same_panel(run, runs, tmp_path):
    """Two runs with equal weights share an embedding and have the same ratio."""
    copy = runs / "copy" / "checkpoints" / "last.safetensors"
    copy.parent.mkdir(parents=True)
    copy.write_bytes((runs / "before" / "checkpoints" / "best.safetensors").read_bytes())
    code, said, _ = run("tsne", "--out", tmp_path / "x.png", names=("before", "copy"))
    assert code == 0
    ratios = said.split("identities: ")[1].split(".  ")[0]
    first, second = (part.split()[1][:4] for part in ratios.split("; "))
    assert first == second
    assert len(list((tmp_path / "cache" / "promptreid" / "embeddings").iterdir())) == 1
