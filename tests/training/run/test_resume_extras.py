"""Everything that options remember between steps survives a stop, to the bit."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from impatient import Impatient
from safetensors.torch import load_file

from promptreid.models.checkpoint import read_info
from promptreid.progress import Silent
from promptreid.training.run.train import TrainRequest, train
from promptreid.training.stage.stop_signals import Interrupted

pytestmark = pytest.mark.slow

SMALL = (
    "backbone.name=tiny",
    "backbone.pretrained=none",
    "backbone.image_size=[32, 32]",
    "validation.kind=images",
)
IMAGE = (
    *SMALL,
    "stages.image.epochs=3",
    "stages.image.batch={identities: 3, images: 2}",
    "stages.image.augment.pad=2",
    "stages.image.schedule={name: onecycle, per: step}",
)
CASES = {
    "center, memory, average, accumulation, mixing": (
        "finetune-losses/ce-triplet-center",
        (
            *IMAGE,
            "stages.image.losses.memory={size: 16, start_epoch: 2}",
            "stages.image.losses.center.weight=0.01",
            "stages.image.ema=0.9",
            "stages.image.accumulate=2",
            "stages.image.augment.mix={share: 0.5, cutmix: 1.0}",
            "head.dropout=0.2",
        ),
        # images until the stop
        (19, 40),
    ),
    "hard images, visual prompts": (
        "finetune-ce/vpt",
        (
            *IMAGE,
            "stages.image.batch={size: 6}",
            "stages.image.hardest=0.6",
            "tuning.visual_prompt={tokens: 3, dropout: 0.1}",
        ),
        (45,),
    ),
    "momentum contrast": (
        "pretrain-moco",
        (
            *SMALL,
            "stages.contrast.epochs=2",
            "stages.contrast.batch={size: 8}",
            "stages.contrast.augment.pad=2",
            "stages.contrast.losses.moco.size=32",
        ),
        (40,),
    ),
    "fp16 that overflows, in parts": (
        "finetune-losses/ce-triplet-center",
        (
            *IMAGE,
            "hardware.precision=fp16",
            "hardware.accumulate=2",
            "stages.image.losses.center.weight=0.01",
            "stages.image.ema=0.9",
        ),
        (19,),
    ),
    "joint with texts once an epoch": (
        "hand-clip/joint",
        (
            *IMAGE,
            "stages.prompts.epochs=1",
            "stages.prompts.batch={size: 8}",
            "prompt.template=A photo of a {context} hand.",
            "prompt.dropout=0.1",
            "stages.image.text=epoch",
            "stages.image.losses.supcon_i2t=1",
        ),
        (80,),
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_stopped_and_resumed_runs_end_with_the_same_bits(
    case: str, crops: Path, tmp_path: Path
) -> None:
    recipe, overrides, stops = CASES[case]
    data = (f"folder:{crops}?repeats=2",)

    def go(name: str, progress: Silent) -> Path:
        out = tmp_path / name
        request = TrainRequest(recipe, overrides, data, out, seed=3, resume=True, device="cpu")
        return train(request, progress=progress).path

    whole = go("whole", Silent())
    for images in stops:
        name = f"stopped{images}"
        with pytest.raises(Interrupted):
            go(name, Impatient(images))
        resumed = go(name, Silent())
        for file in ("last", "best"):
            first = load_file(whole / "checkpoints" / f"{file}.safetensors")
            second = load_file(resumed / "checkpoints" / f"{file}.safetensors")
            assert first.keys() == second.keys()
            for key in first:
                assert torch.equal(first[key], second[key]), (file, key)


def test_a_recipe_starts_from_self_supervised_weights(crops: Path, tmp_path: Path) -> None:
    recipe, overrides, _ = CASES["momentum contrast"]
    moco = TrainRequest(
        recipe,
        (*overrides, "validation.kind=none"),
        (f"images:{crops}",),
        tmp_path / "moco",
        seed=1,
        device="cpu",
    )
    before = train(moco, progress=Silent())
    asked = TrainRequest(
        "finetune-ce",
        (*IMAGE, "stages.image.batch={size: 6}", f"start.checkpoint={before.path}"),
        (f"folder:{crops}",),
        tmp_path / "ce",
        device="cpu",
    )
    heard: list[str] = []

    class Heard(Silent):
        def message(self, text: str) -> None:
            heard.append(text)

    run = train(asked, progress=Heard())
    assert any(line.startswith("image from") for line in heard)
    assert run.scores()[0]["queries"] > 0


def test_a_stopped_run_goes_on_with_less_memory(crops: Path, tmp_path: Path) -> None:
    recipe, data = "finetune-losses/ce-triplet-center", (f"folder:{crops}?repeats=2",)
    exact = (*IMAGE, "hardware.precision=fp32")
    whole = TrainRequest(recipe, exact, data, tmp_path / "whole", device="cpu")
    stopped = replace(whole, out=tmp_path / "stopped")
    train(whole, progress=Silent())
    with pytest.raises(Interrupted):
        train(stopped, progress=Impatient(19))
    less = ("hardware.accumulate=2", "hardware.checkpointing=true")
    run = train(replace(stopped, recipe=None, overrides=less, resume=True), progress=Silent())
    first, second = (
        load_file(path / "checkpoints" / "last.safetensors") for path in (whole.out, run.path)
    )
    names = [name for name in first if not name.startswith("training/")]
    assert names
    for name in names:
        torch.testing.assert_close(first[name], second[name], atol=1e-3, rtol=1e-2)
    info = read_info(run.path / "checkpoints" / "last.safetensors")
    assert info.recipe is not None
    assert (info.recipe.hardware.accumulate, info.recipe.hardware.checkpointing) == (2, True)
