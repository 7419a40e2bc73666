import json

import pytest
from facts import lacking

from promptreid.cli.main import main
from promptreid.gallery.gallery import Gallery

pytestmark = pytest.mark.slow


def run(capsys, *arguments):
    with pytest.raises(SystemExit) as caught:
        main([str(argument) for argument in arguments])
    captured = capsys.readouterr()
    return caught.value.code, captured.out, captured.err


def list_names(gallery):
    return {row.name for row in gallery.identities()}


@pytest.fixture(scope="module")
def out(tmp_path_factory):
    return tmp_path_factory.mktemp("demo") / "demo"


def test_demo_leaves_both_runs_and_trained_beats_zero_shot(capsys, out, monkeypatch):
    """Without the packages of the report, too, which it says how to get."""
    monkeypatch.setattr("promptreid.figures.extra.missing", lambda *packages: ["matplotlib"])
    code, text, _ = run(capsys, "demo", "--out", out, "--identities", "36", "--device", "cpu")
    assert code == 0
    before = json.loads((out / "zero-shot" / "scores.json").read_text())
    after = json.loads((out / "clip-reid" / "scores.json").read_text())
    assert before["repeats"] == after["repeats"] == 10
    assert before["queries"] == after["queries"] > 50
    assert after["mAP"] > before["mAP"] + 0.05
    for words in ("zero-shot", "CLIP-ReID", str(out / "clip-reid"), str(out / "report.html")):
        assert words in text
    assert "pip install 'promptreid[report]', then promptreid report" in text
    assert not (out / "report.html").exists()
    assert f"promptreid serve {out / 'hands.gallery'}" in text
    gallery = Gallery.open(out / "hands.gallery")
    enrolled = list_names(gallery)
    assert gallery.info().rate == 0.1
    assert "1 stranger in 10" in text
    gallery.close()
    photos = {kind: {path.stem for path in (out / "photos" / kind).iterdir()}
              for kind in ("enrolled", "strangers")}  # fmt: skip
    assert photos["enrolled"] == enrolled
    assert len(enrolled) > 2 * len(photos["strangers"]) > 0


def test_again_it_reads_what_is_there_and_writes_the_report(capsys, out):
    """What was changed in the gallery meanwhile stays so."""
    gallery = Gallery.open(out / "hands.gallery")
    gallery.erase(gallery.identities()[0].name)
    names = list_names(gallery)
    gallery.close()
    after = json.loads((out / "clip-reid" / "scores.json").read_text())
    weights = (out / "clip-reid" / "checkpoints" / "best.safetensors").stat().st_mtime_ns
    code, text, err = run(capsys, "demo", "--out", out, "--identities", "36", "--device", "cpu")
    assert code == 0
    assert "is complete" in " ".join(err.split())
    assert f"there already: {out / 'hands.gallery'}" in " ".join(err.split())
    gallery = Gallery.open(out / "hands.gallery")
    assert list_names(gallery) == names
    gallery.close()
    assert "CLIP-ReID" in text
    assert str(out / "report.html") in text
    assert "pip install" not in text
    assert (out / "clip-reid" / "checkpoints" / "best.safetensors").stat().st_mtime_ns == weights
    page = (out / "report.html").read_text(encoding="utf-8")
    assert "Rendered hands, before and after training" in page
    assert f"{100 * after['mAP']:.1f}" in page


@pytest.mark.parametrize("record", [None, '{"version": 0, "people": 13, "seed": 0}', "{"])
def test_a_gallery_of_another_demo_is_not_added_to(capsys, tmp_path, record):
    """It is told before anything is trained."""
    data = tmp_path / "hands-36-seed0"
    data.mkdir()
    (data / "HandInfo.csv").touch()
    (tmp_path / "hands.gallery").mkdir()
    if record is not None:
        (tmp_path / "gallery.json").write_text(record)
    code, _, err = run(capsys, "demo", "--out", tmp_path, "--identities", "36", "--device", "cpu")
    assert code == 2
    assert not lacking(err, str(tmp_path / "hands.gallery"), "--out", str(tmp_path / "photos"))
    assert not (tmp_path / "zero-shot").exists()
    assert [*(tmp_path / "hands.gallery").iterdir()] == []


def test_folder_of_something_else_is_refused(capsys, tmp_path):
    (tmp_path / "letter.txt").write_text("dear")
    code, _, err = run(capsys, "demo", "--out", tmp_path)
    assert code == 2
    assert "not an earlier demo" in err
    assert [path.name for path in tmp_path.iterdir()] == ["letter.txt"]
