"""What a newcomer gets wrong: each time a sentence, exit code 2, and nothing half-written."""

import shutil

import numpy as np
import pytest
from PIL import Image

from promptreid.cli.main import main

TINY = ["backbone.name=tiny", "backbone.pretrained=none", "backbone.image_size=32"]
SMALL = "stages.image.batch={identities: 3, images: 2}"


def run(capsys, *arguments):
    with pytest.raises(SystemExit) as caught:
        main([str(argument) for argument in arguments])
    captured = capsys.readouterr()
    return caught.value.code, captured.out, captured.err


def picture(path, value):
    path.parent.mkdir(parents=True, exist_ok=True)
    noise = np.random.default_rng(value).integers(0, 255, (24, 16, 3), dtype=np.uint8)
    Image.fromarray(noise).save(path)


@pytest.fixture
def copy(crops, tmp_path):
    return shutil.copytree(crops, tmp_path / "set")


def train(capsys, data, out, *overrides):
    return run(capsys, "train", "clip-reid", *TINY, *overrides, "--data", data, "--out", out)


def check(outcome, out, *words):
    code, _, err = outcome
    assert code == 2
    assert "Traceback" not in err
    for word in words:
        assert word in err
    assert not out.exists()


def test_unreadable_images_are_all_named_before_training(capsys, copy, tmp_path):
    whole = (copy / "001" / "0.png").read_bytes()
    (copy / "001" / "0.png").write_bytes(whole[: len(whole) // 2])
    (copy / "007" / "1.png").write_text("no image at all")
    out = tmp_path / "run"
    outcome = train(capsys, f"folder:{copy}", out)
    check(outcome, out, "2 of 60 images", "001/0.png", "007/1.png", "--unreadable skip")


@pytest.mark.slow
def test_unreadable_images_can_be_skipped(capsys, copy, quick, tmp_path):
    (copy / "001" / "0.png").write_bytes(b"")
    arguments = ["train", "clip-reid", *quick, "stages.prompts.epochs=1", "stages.image.epochs=1"]
    arguments += ["--data", f"folder:{copy}", "--out", tmp_path / "run", "--unreadable", "skip"]
    code, out, err = run(capsys, *arguments)
    assert code == 0
    assert "skipping 1 of 60 images" in err
    assert "001/0.png" in err
    assert "mAP" in out


def test_wrong_root_says_what_was_looked_for_and_what_is_there(capsys, copy, tmp_path):
    out = tmp_path / "run"
    check(train(capsys, f"market1501:{copy}", out), out, "bounding_box_train", "000")


@pytest.mark.parametrize("identities", [1, 2])
def test_hardly_any_identities(capsys, tmp_path, identities):
    for identity in range(identities):
        for number in range(3):
            picture(tmp_path / "set" / f"id{identity}" / f"{number}.png", 10 * identity + number)
    out = tmp_path / "run"
    check(train(capsys, f"folder:{tmp_path / 'set'}", out), out, "identit")


def test_batch_wants_more_identities_than_there_are(capsys, crops, tmp_path):
    out = tmp_path / "run"
    check(train(capsys, f"folder:{crops}", out), out, "stages.image.batch.identities to at most 6")


@pytest.mark.slow
def test_identity_with_one_image_is_fine(capsys, copy, quick, tmp_path):
    for number in range(1, 5):
        (copy / "000" / f"{number}.png").unlink()
    arguments = ["train", "clip-reid", *quick, "stages.prompts.epochs=1", "stages.image.epochs=1"]
    code, out, _ = run(capsys, *arguments, "--data", f"folder:{copy}", "--out", tmp_path / "run")
    assert code == 0
    assert "mAP" in out


def test_weights_that_do_not_fit(capsys, crops, tmp_path):
    import torch
    from safetensors.torch import save_file

    save_file({"visual.proj": torch.zeros(3, 3)}, tmp_path / "w.safetensors")
    out = tmp_path / "run"
    outcome = run(
        capsys, "train", "clip-reid", "backbone.name=tiny", "backbone.image_size=32", SMALL,
        f"backbone.pretrained={tmp_path / 'w.safetensors'}",
        "--data", f"folder:{crops}", "--out", out,
    )  # fmt: skip
    check(outcome, out, "image.proj", "3x3", "192x128")


def test_unknown_backbone_names_the_closest(capsys, crops, tmp_path):
    out = tmp_path / "run"
    outcome = run(
        capsys, "train", "clip-reid", "backbone.name=ViT-B-61", SMALL,
        "--data", f"folder:{crops}", "--out", out,
    )  # fmt: skip
    check(outcome, out, "ViT-B-61", "ViT-B-16")


def test_place_that_cannot_be_written(capsys, crops, tmp_path):
    (tmp_path / "file").write_text("")
    out = tmp_path / "file" / "run"
    code, _, err = train(capsys, f"folder:{crops}", out, SMALL)
    assert code == 2
    assert str(tmp_path / "file") in err


@pytest.mark.slow
def test_disk_full_while_saving_leaves_the_old_checkpoint(crops, quick, tmp_path, monkeypatch):
    """The disk fills up during a checkpoint: the error says so, and the run can go on later."""
    import errno

    import promptreid.tensors as writing
    from promptreid.errors import RunError
    from promptreid.progress import Silent
    from promptreid.training.run.train import TrainRequest
    from promptreid.training.run.train import train as run_training

    real, calls = writing.save_file, []

    def full(tensors, path, metadata=None):
        calls.extend([path] if "last" in path.name else [])
        if len(calls) == 2:
            path.write_bytes(b"half")
            raise OSError(errno.ENOSPC, "No space left on device")
        real(tensors, path, metadata=metadata)

    request = TrainRequest(
        recipe="clip-reid", overrides=quick, data=(f"folder:{crops}",), out=tmp_path / "run",
        resume=True, device="cpu",
    )  # fmt: skip
    monkeypatch.setattr(writing, "save_file", full)
    with pytest.raises(RunError, match="No space left on device"):
        run_training(request, progress=Silent())
    folder = tmp_path / "run" / "checkpoints"
    assert [path.name for path in folder.iterdir()] == ["last.safetensors"]
    monkeypatch.setattr(writing, "save_file", real)
    assert run_training(request, progress=Silent()).status().status == "complete"


def test_disk_full_while_features_are_kept_is_a_sentence(crops, quick, tmp_path, monkeypatch):
    import errno

    import promptreid.tensors as writing
    from promptreid.errors import RunError
    from promptreid.progress import Silent
    from promptreid.training.run.train import TrainRequest
    from promptreid.training.run.train import train as run_training

    def full(tensors, path, metadata=None):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(writing, "save_file", full)
    request = TrainRequest("clip-reid", quick, (f"folder:{crops}",), tmp_path / "run", device="cpu")
    with pytest.raises(RunError, match=r"features cannot be kept.*No space left on device"):
        run_training(request, progress=Silent())


def test_single_camera_data_gets_an_explanation(capsys, crops, tmp_path):
    table = tmp_path / "cows.csv"
    rows = ["path,identity,camera,split"]
    for folder in sorted(crops.iterdir()):
        for number, image in enumerate(sorted(folder.iterdir())):
            train_row = folder.name < "006"
            split = "train" if train_row else ("query" if number == 0 else "gallery")
            rows.append(f"{image},{folder.name},0,{split}")
    table.write_text("\n".join(rows))
    out = tmp_path / "zero"
    arguments = ["train", "zero-shot", *TINY, "--data", f"csv:{table}", "--out", out]
    code, _, err = run(capsys, *arguments)
    assert code == 0
    assert "of one camera, so the same-camera rule is off" in err
    code, _, err = run(capsys, "evaluate", out, "--same-camera", "exclude")
    assert code == 2
    assert "only in the query's own camera" in err
    assert "keep" in err
