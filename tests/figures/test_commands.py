"""`promptreid figure`, from saved models to files."""

import sys

import pytest
from PIL import Image
from run_records import make_run
from small_models import RESNET, VIT, small_backbone

from promptreid.cli.main import main
from promptreid.data.images.preprocess import Preprocess
from promptreid.models.checkpoint import save_model
from promptreid.models.checkpoint_info import CheckpointInfo
from promptreid.models.reid import ReIDModel

pytestmark = pytest.mark.slow

PREPROCESS = Preprocess(image_size=(64, 32))


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Two runs, the second a ResNet."""
    folder = tmp_path_factory.mktemp("runs")
    for name, vision in (("before", VIT), ("after", RESNET)):
        backbone = small_backbone(vision)
        backbone.image.fit((64, 32), None)
        path = folder / name / "checkpoints" / "best.safetensors"
        save_model(path, ReIDModel(backbone), CheckpointInfo(preprocess=PREPROCESS))
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


@pytest.mark.parametrize("kind", ["pca", "umap"])
def test_other_layouts_share_the_embeddings(run, tmp_path, kind):
    if kind == "umap":
        pytest.importorskip("umap", reason="umap-learn is not installed: promptreid[umap]")
    out = tmp_path / f"{kind}.png"
    more = ("--neighbours", 4) if kind == "umap" else ()
    code, said, _ = run(kind, "--out", out, "--identities", 4, *more)
    assert code == 0
    assert f"{kind.upper()} of " in said
    assert ("of the variance" in said) == (kind == "pca")
    assert "before 0." in said
    with Image.open(out) as image:
        assert image.text["Description"] in said
    kept = sorted((tmp_path / "cache" / "promptreid" / "embeddings").iterdir())
    assert run("pca", "--out", out, "--identities", 4)[0] == 0
    assert sorted((tmp_path / "cache" / "promptreid" / "embeddings").iterdir()) == kept


def test_umap_without_its_package_says_what_to_install(run, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "umap", None)
    code, _, err = run("umap", "--out", tmp_path / "x.png")
    assert code == 2
    assert "pip install 'promptreid[umap]'" in err
    assert not (tmp_path / "cache").exists()


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
        ("pca", ["--out", "x.png", "--perplexity", "5"], "No such option"),
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


def test_cmc_says_what_evaluate_says(run, runs, crops, tmp_path, capsys):
    out = tmp_path / "cmc.png"
    code, said, _ = run("cmc", "--out", out, "--ranks", 6)
    assert code == 0
    with pytest.raises(SystemExit):
        main(["evaluate", str(runs / "before"), "--data", f"folder:{crops}", "--device", "cpu"])
    line = capsys.readouterr().out.splitlines()[2].split()
    assert f"mAP {float(line[0]):.1f} %" in said.split("after rank-1")[0]


@pytest.mark.parametrize("kind", ["roc", "det", "histogram"])
def test_verification_figures_share_embeddings(run, tmp_path, kind):
    for name in (kind, "roc"):
        code, said, _ = run(name, "--out", tmp_path / f"{name}.svg", "--name", "a", "--name", "b")
        assert code == 0
        assert "EER" in said
        assert "genuine" in said
    assert len(list((tmp_path / "cache" / "promptreid" / "embeddings").iterdir())) == 2


def test_ranks_of_two_runs_and_as_a_mosaic(run, tmp_path):
    arguments = ("--queries", 3, "--top", 4, "--seed", 5)
    plain, hidden = tmp_path / "plain.png", tmp_path / "hidden.png"
    code, said, _ = run("ranks", "--out", plain, *arguments)
    assert code == 0
    assert "before first true matches at ranks" in said
    assert "; after first true matches at ranks" in said
    assert run("ranks", "--out", hidden, *arguments, "--pixelate")[0] == 0
    with Image.open(plain) as one, Image.open(hidden) as two:
        assert one.size == two.size
        assert len(two.convert("RGB").getcolors(1 << 24)) < len(
            one.convert("RGB").getcolors(1 << 24)
        )


def test_activation_as_a_mosaic_looks_at_the_real_images(run, tmp_path):
    said = [
        run("activation", "--out", tmp_path / "x.png", "--images", 2, *more)[1]
        for more in ((), ("--pixelate",))
    ]
    assert said[0] == said[1]


def test_curves_need_no_data_and_name_runs_that_were_not_trained(runs, tmp_path, capsys):
    def call(folder):
        with pytest.raises(SystemExit) as caught:
            main(["figure", "curves", str(folder), "--out", str(tmp_path / "curves.png")])
        return caught.value.code, capsys.readouterr()

    code, said = call(runs / "before")
    assert code == 2
    assert "no learning curves" in said.err
    trained = make_run(tmp_path / "trained")
    trained.write_metrics(
        [{"stage": "image", "epoch": n, "lr": 0.1, "loss": 4 - n} for n in (1, 2)]
    )
    code, said = call(trained.path)
    assert code == 0
    assert "trained: stage image, 2 epochs, loss from 3 to 2" in said.out
    assert (tmp_path / "curves.png").is_file()


@pytest.mark.parametrize("kind", ["cmc", "ranks", "roc"])
def test_data_without_queries_are_named(runs, crops, tmp_path, capsys, kind):
    given = ["figure", kind, str(runs / "before"), "--data", f"images:{crops}"]
    with pytest.raises(SystemExit) as caught:
        main([*given, "--out", str(tmp_path / "x.png"), "--device", "cpu"])
    assert caught.value.code == 2
    assert "no query and gallery images" in capsys.readouterr().err
