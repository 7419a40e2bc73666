"""`promptreid export`: what it says, what it writes, and what it refuses."""

import json

import pytest
from exported_models import info_of, with_head, with_sides
from facts import lacking
from hub_cache import put_in_cache
from huggingface_hub import constants

from promptreid.cli.main import main
from promptreid.inference.exporting import export_model as exporting
from promptreid.models.checkpoint import save_model


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    model = with_sides()
    path = tmp_path_factory.mktemp("models") / "mine.safetensors"
    save_model(path, model, info_of(model))
    return path


@pytest.fixture(autouse=True)
def _quickly(monkeypatch):
    """Write a few bytes that are opened as the graph itself, which takes no time."""
    monkeypatch.setattr(
        exporting, "write_onnx", lambda graph, path, said, *, opset: path.write_bytes(b"graph")
    )
    monkeypatch.setattr(exporting, "open_onnx", lambda path, graph: graph)


def run(capsys, *arguments):
    with pytest.raises(SystemExit) as caught:
        main([str(argument) for argument in arguments])
    captured = capsys.readouterr()
    return caught.value.code, captured.out, captured.err


def test_it_says_what_goes_in_what_comes_out_and_how_it_compares(capsys, checkpoint, tmp_path):
    out = tmp_path / "deep" / "mine.onnx"
    code, told, err = run(capsys, "export", checkpoint, out, "--camera", "input")
    assert code == 0, err
    assert " ".join(err.split()).startswith(f"loading {checkpoint}")
    assert not lacking(
        " ".join(told.split()), str(out), "onnx", "images (batch, 3, 32, 16)", "0 to 255"
    )
    assert not lacking(told, "cameras (batch)", "embeddings (batch, 128)", "9 images", "cosine")
    assert out.read_bytes() == b"graph"


def test_json_and_pictures_to_compare_on(capsys, checkpoint, crops, tmp_path):
    out = tmp_path / "mine.onnx"
    wanted = ("--images", crops, "--check", "3", "--for", "ultralytics", "--camera", "c1")
    code, told, err = run(capsys, "export", checkpoint, out, *wanted, "--json")
    assert code == 0, err
    said = json.loads(told)
    assert (said["format"], said["pixels"], said["inputs"]) == ("onnx", "unit", ["images"])
    assert (said["path"], said["check"]["images"]) == (str(out), 4)
    code, told, err = run(capsys, "export", checkpoint, out, "--check", "0", "--overwrite")
    assert code == 0, err
    assert "not compared" in told


@pytest.mark.parametrize(
    ("words", "facts"),
    [
        (["mine"], [".onnx", ".pth", "--to"]),
        (["mine.pt2", "--to", "onnx"], ["mine.pt2", ".onnx"]),
        (["mine.onnx", "--camera", "c9"], ["c9", "c0, c1, c2", "input"]),
        (["mine.onnx", "--neck", "after"], ["neck"]),
        (["mine.onnx", "--images", "nowhere"], ["nowhere"]),
        (["mine.pth"], ["CLIP-ReID", "small"]),
    ],
)
def test_mistakes_are_sentences_and_leave_nothing(
    capsys, checkpoint, words, facts, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    code, _, err = run(capsys, "export", checkpoint, *words)
    assert code == 2
    assert "error" in err.lower()
    assert not lacking(err, *facts), err
    assert not list(tmp_path.iterdir())


def test_a_file_that_is_there_stays(capsys, checkpoint, tmp_path):
    out = tmp_path / "mine.onnx"
    out.write_text("precious")
    code, _, err = run(capsys, "export", checkpoint, out)
    assert code == 2
    assert not lacking(err, str(out), "--overwrite")
    assert out.read_text() == "precious"


def test_a_model_that_is_not_there(capsys, tmp_path):
    code, _, err = run(capsys, "export", tmp_path / "none", tmp_path / "a.onnx")
    assert code == 2
    assert str(tmp_path / "none") in err


def test_necks_of_a_checkpoint_can_be_taken(capsys, tmp_path):
    model = with_head()
    save_model(tmp_path / "mine.safetensors", model, info_of(model))
    out = tmp_path / "a.onnx"
    code, told, err = run(capsys, "export", tmp_path / "mine.safetensors", out, "--neck", "after")
    assert code == 0, err
    assert "compared on 9 images" in told


def test_a_folder_for_the_hub(capsys, checkpoint, tmp_path):
    out, scores = tmp_path / "mine", tmp_path / "scores.json"
    scores.write_text('{"mAP": 0.5}')
    wanted = ("export", checkpoint, out, "--to", "hub-folder", "--license", "mit")
    code, _, err = run(capsys, *wanted, "--scores", scores)
    assert code == 2
    assert "data: field required" in err
    scores.write_text("[")
    assert run(capsys, *wanted, "--scores", scores)[0] == 2
    assert not out.exists()
    code, told, err = run(capsys, *wanted, "--name", "Mine")
    assert code == 0, err
    assert not lacking(told, str(out), "README.md, config.json, model.safetensors", "hf upload")
    assert "license: mit" in (out / "README.md").read_text()
    code, told, err = run(capsys, *wanted, "--overwrite", "--json")
    assert json.loads(told)["files"] == ["README.md", "config.json", "model.safetensors"]
    assert run(capsys, "export", out, tmp_path / "again.onnx")[0] == 0


@pytest.mark.parametrize(
    ("words", "option"),
    [
        (["mine", "--to", "hub-folder", "--half"], "--half"),
        (["mine.onnx", "--license", "mit"], "--license"),
    ],
)
def test_options_that_say_nothing_are_refused(capsys, checkpoint, words, option, tmp_path):
    code, _, err = run(capsys, "export", checkpoint, *words)
    assert code == 2
    assert option in err


def test_a_model_is_named_on_the_hub(capsys, checkpoint, tmp_path, monkeypatch):
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    put_in_cache(tmp_path / "cache", "ann/people", checkpoint, "model.safetensors")
    code, told, err = run(capsys, "export", "hf:ann/people@main", tmp_path / "a.onnx")
    assert code == 0, err
    assert "hf:ann/people@main" in err
    assert str(tmp_path / "a.onnx") in " ".join(told.split())
    code, _, err = run(capsys, "export", "hf:ann/others", tmp_path / "b.onnx")
    assert code == 2
    assert not lacking(err, "hf:ann/others", str(tmp_path / "cache"), "HF_HUB_OFFLINE")
    code, _, err = run(capsys, "export", "hf:people", tmp_path / "b.onnx")
    assert code == 2
    assert "hf:OWNER/NAME" in err
