"""`promptreid evaluate --prompt`, on a PromptSG run of one short epoch."""

import json

import pytest
import torch

import promptreid
from promptreid.cli.main import main
from promptreid.inference import speed

pytestmark = pytest.mark.slow

SMALL = (
    "backbone.name=tiny",
    "backbone.pretrained=none",
    "backbone.image_size=[48, 32]",
    "hardware.precision=fp32",
    "stages.image.epochs=1",
    "stages.image.batch={identities: 3, images: 2}",
    "stages.image.augment.pad=2",
)


def run(capsys, *arguments):
    with pytest.raises(SystemExit) as caught:
        main([str(argument) for argument in arguments])
    captured = capsys.readouterr()
    return caught.value.code, captured.out, captured.err


def make(recipe, crops, out):
    with pytest.raises(SystemExit) as caught:
        main([
            "train", recipe, *SMALL, "--data", f"folder:{crops}?train=0.5", "--out", str(out),
            "--device", "cpu",
        ])  # fmt: skip
    assert caught.value.code == 0
    return out


@pytest.fixture(autouse=True)
def short(monkeypatch):
    monkeypatch.setattr(speed, "_SECONDS", 0.0)


@pytest.fixture(scope="module")
def prompted(crops, tmp_path_factory):
    return make("prompt-sg", crops, tmp_path_factory.mktemp("runs") / "prompted")


def test_both_sentences_stand_side_by_side(capsys, prompted, tmp_path):
    file = tmp_path / "scores.json"
    kinds = ("--prompt", "composed", "--prompt", "simplified", "--prompt", "composed")
    code, out, err = run(
        capsys, "evaluate", prompted, *kinds, "--json", file, "--batch-size", "8", "--device", "cpu"
    )
    assert code == 0, err
    content = json.loads(file.read_text())
    first, second = content["results"]
    assert [first["prompt"], second["prompt"]] == ["composed", "simplified"]
    for result in (first, second):
        assert result["model"] == str(prompted)
        assert result["images_per_second"] > 0
        assert result["speed"]["batch_size"] == 8
        assert result["speed"]["images_per_second"] == result["images_per_second"]
    ratio = second["images_per_second"] / first["images_per_second"]
    assert f"simplified embeds {ratio:.2f} times as many images a second as composed" in out
    rows = [line for line in out.splitlines() if line.startswith(f"{prompted} (")]
    for result in (first, second):
        shown = [f"{result['images_per_second']:.1f}", f"{result['speed']['of_tower']:.2f}x"]
        assert sum(row.split()[-2:] == shown for row in rows) == 1
    names = [f"{prompted} ({kind})" for kind in ("composed", "simplified")]
    assert content["matrix"]["models"] == names
    own = json.loads((prompted / "scores.json").read_text())
    assert first["mAP"] == pytest.approx(own["mAP"], abs=1e-9)  # the recipe retrieves so


def test_scores_of_a_kind_are_those_of_its_embeddings(capsys, prompted, crops, tmp_path):
    file = tmp_path / "scores.json"
    code, out, err = run(
        capsys, "evaluate", prompted, "--prompt", "simplified", "--json", file, "--device", "cpu"
    )
    assert code == 0, err
    result = json.loads(file.read_text())
    assert result["prompt"] == "simplified"
    assert "no word of the image" in out
    embedder = promptreid.load(prompted, device="cpu")
    images = sorted(crops.glob("*/*.png"))[:4]
    kinds = [embedder.embed(images, prompt=kind) for kind in ("composed", "simplified", None)]
    assert torch.equal(kinds[0], kinds[2])
    assert not torch.allclose(kinds[0], kinds[1], atol=1e-5)


def test_without_the_option_nothing_is_measured(capsys, prompted, tmp_path):
    file = tmp_path / "scores.json"
    code, out, _ = run(capsys, "evaluate", prompted, "--json", file, "--device", "cpu")
    assert code == 0
    assert not {"prompt", "images_per_second", "speed"} & set(json.loads(file.read_text()))
    assert "images/s" not in out


def test_an_embedding_that_reads_no_sentence_is_said(capsys, crops, tmp_path):
    other = make("prompt-sg/no-interaction", crops, tmp_path / "other")
    code, _, err = run(
        capsys, "evaluate", other, "--prompt", "composed", "--prompt", "simplified",
        "--json", tmp_path / "scores.json", "--device", "cpu",
    )  # fmt: skip
    told = " ".join(err.split())
    assert (code, "read no sentence: all kinds score alike" in told) == (0, True)
    first, second = json.loads((tmp_path / "scores.json").read_text())["results"]
    assert first["mAP"] == second["mAP"]


def test_models_without_sentences_are_refused(capsys, crops, tmp_path):
    data = ("--data", f"folder:{crops}?train=0")
    with pytest.raises(SystemExit):
        main([
            "train", "zero-shot", "backbone.name=tiny", "backbone.image_size=32", "--device", "cpu",
            *data, "--out", str(tmp_path / "zero"),
        ])  # fmt: skip
    code, _, err = run(capsys, "evaluate", tmp_path / "zero", "--prompt", "composed")
    assert (code, "--prompt chooses between the sentences" in err) == (2, True)
    assert str(tmp_path / "zero") in err.replace("\n", "")
    code, _, err = run(capsys, "evaluate", tmp_path / "zero", "--prompt", "constant")
    assert code == 2


def test_words_are_scored_with_own_permuted_and_none(capsys, prompted, tmp_path):
    file = tmp_path / "scores.json"
    code, out, err = run(capsys, "evaluate", prompted, "--words", "--json", file, "--device", "cpu")
    assert code == 0, err
    found = json.loads(file.read_text())
    own = json.loads((prompted / "scores.json").read_text())
    assert found["mAP"] == pytest.approx(own["mAP"], abs=1e-9)
    assert own["word_control"] == found["word_control"]  # train measures what evaluate does
    control = found["word_control"]
    assert control["own"]["mAP"] == found["mAP"]
    assert control["draws"] == 3
    assert control["own_minus_permuted"]["mAP"]["value"] == pytest.approx(
        control["own"]["mAP"] - control["permuted"]["mAP"]
    )
    lines = out.splitlines()
    start = lines.index("Do the words matter? Percent.")
    assert [line.split("  ")[0] for line in lines[start + 2 : start + 5]] == [
        "own", "permuted (3 draws)", "none",
    ]  # fmt: skip
    assert any("ermuted ones by" in line for line in lines[start + 7 :])


def test_no_word_scores_are_those_of_simplified_sentences(capsys, prompted, tmp_path):
    file = tmp_path / "scores.json"
    run(capsys, "evaluate", prompted, "--prompt", "simplified", "--json", file, "--device", "cpu")
    own = json.loads((prompted / "scores.json").read_text())
    assert own["word_control"]["none"]["mAP"] == json.loads(file.read_text())["mAP"]


def test_training_says_whether_the_words_matter(capsys, crops, tmp_path):
    out = make("prompt-sg", crops, tmp_path / "run")
    assert "ermuted ones by" in (out / "log.txt").read_text()


def test_runs_that_read_no_word_have_no_word_scores(capsys, crops, tmp_path):
    plain = make("finetune-ce", crops, tmp_path / "plain")
    assert "word_control" not in json.loads((plain / "scores.json").read_text())
    code, _, err = run(capsys, "evaluate", plain, "--words", "--device", "cpu")
    assert code == 2
    assert "reads none" in err
    assert "prompt.kind: image" in err


def test_words_and_prompt_exclude_each_other(capsys, prompted):
    code, _, err = run(capsys, "evaluate", prompted, "--words", "--prompt", "composed")
    assert code == 2
    assert "leave out --prompt" in err
