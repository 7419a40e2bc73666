"""Batches in parts: loss and gradient of the whole, and what happens when memory runs out."""

import pytest
import torch
from drawn_pictures import SIZE, small_model, small_runner, stage
from facts import lacking
from small_models import RESNET, small_backbone

from promptreid.config.hardware import HardwareConfig
from promptreid.errors import ConfigError, RunError, is_out_of_memory
from promptreid.models.reid import ReIDModel
from promptreid.models.towers.recomputing import run_in_parts
from promptreid.progress import Silent
from promptreid.training.stage.learning_parts import set_modes
from promptreid.training.stage.training_state import TrainingState
from promptreid.training.step.batch_parts import check_parts

PLAIN = {"optimizer": {"name": "sgd", "lr": 1.0, "weight_decay": 0, "momentum": 0}}


class Heard(Silent):
    """Remembers what was said."""

    def __init__(self):
        self.messages = []

    def message(self, text):
        self.messages.append(text)


def hardware(**changes):
    return HardwareConfig.model_validate(changes)


def train(model=None, *, config=None, progress=None, state=None, scales=(1.0,), **settings):
    """Train a stage; return all that it leaves, by name, and its row."""
    rows, model = [], model or small_model()
    runner = small_runner(
        model,
        config or stage(**PLAIN, ema=None, clip_norm=None),
        scales=scales,
        hardware=hardware(**settings),
        progress=progress,
        state=state,
        after_epoch=rows.append,
    )
    runner.run()
    kept = {f"model/{n}": v for n, v in model.state_dict().items()}
    kept |= {f"states/{n}": v for n, v in runner.states.state_dict().items()}
    return kept, rows[0]


def largest_difference(first, second):
    """The largest difference of any number, beside the largest change that a step made."""
    start = {f"model/{n}": v for n, v in small_model().state_dict().items()}
    assert first.keys() == second.keys()
    moved = max((first[n].double() - start[n]).abs().max().item() for n in start)
    return max((first[n].double() - second[n]).abs().max().item() for n in first) / moved


@pytest.mark.parametrize("parts", [2, 3, SIZE, 100])
def test_parts_have_the_loss_and_the_gradient_of_the_whole(parts):
    whole, row = train()
    found, other = train(accumulate=parts)
    assert largest_difference(whole, found) < 1e-6
    for name in row:
        if name.startswith("loss"):
            assert other[name] == pytest.approx(row[name], rel=1e-6)


@pytest.mark.parametrize(
    "settings", [{"checkpointing": True}, {"checkpointing": True, "accumulate": 3}]
)
def test_checkpointing_has_the_same_gradient(settings):
    whole, _ = train()
    found, _ = train(**settings)
    assert largest_difference(whole, found) < 1e-6


def test_parts_draw_the_random_numbers_of_their_first_pass():
    weight = torch.nn.Parameter(torch.ones(6, 4))
    torch.manual_seed(0)
    drawn = run_in_parts(
        lambda rows: torch.nn.functional.dropout(rows * rows, 0.5), weight, parts=3
    )
    kept = torch.cat(drawn).detach()
    torch.manual_seed(1)
    torch.cat(drawn).sum().backward()
    assert torch.equal(weight.grad, 2 * kept)  # 2 w / (1 - p) where kept, else nothing
    assert 0 < (kept == 0).sum() < kept.numel()


def test_of_the_parts_one_at_a_time_holds_what_backward_needs():
    """All but the last are computed twice, and the last one first on the way back."""
    passes = []
    weight = torch.nn.Parameter(torch.ones(6, 4))

    def note(rows):
        passes.append(rows.shape[0])
        return rows.exp()

    parts = run_in_parts(note, weight, parts=3)
    assert passes == [2, 2, 2]
    torch.cat(parts).sum().backward()
    assert passes == [2] * 5
    with torch.no_grad():
        run_in_parts(note, weight, parts=3)
    assert passes[5:] == [6]


ERRORS = {
    "a card": torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB")
    if hasattr(torch, "OutOfMemoryError")
    else torch.cuda.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB"),
    "a processor": RuntimeError(
        "[enforce fail] DefaultCPUAllocator: not enough memory: you tried to allocate 9 bytes."
    ),
    "Python": MemoryError(),
}


def limited(model, images, error, *, backward=False):
    """Let the image tower run out of memory with more than some images, forwards or backwards."""
    forward = model.backbone.image.forward

    def fails(gradient):
        raise type(error)(*error.args)  # one that is kept would keep what its frames hold

    def run(batch, **named):
        features = forward(batch, **named)
        if len(batch) > images:
            if not backward:
                fails(None)
            features.projected.register_hook(fails)
        return features

    model.backbone.image.forward = run
    return model


@pytest.mark.parametrize("kind", ERRORS)
def test_memory_that_runs_out_is_explained(kind):
    model = limited(small_model(), 3, ERRORS[kind])
    with pytest.raises(RunError) as caught:
        train(model)
    facts = (
        "image", "cpu", f"{SIZE} images", "32 x 32", "tiny", "1 part", "hardware.accumulate=2",
        "hardware.auto_batch=true", "hardware.checkpointing=true", "stages.image.batch",
    )  # fmt: skip
    assert not lacking(str(caught.value), *facts)


@pytest.mark.parametrize("backward", [False, True])
@pytest.mark.parametrize("kind", ERRORS)
def test_auto_batch_doubles_the_parts_and_ends_with_the_same_bits(kind, backward):
    heard = Heard()
    config = stage(accumulate=2)
    model = limited(small_model(), 2, ERRORS[kind], backward=backward)
    scales = (1.0, 1.0, 1.0)
    found, row = train(model, config=config, scales=scales, progress=heard, auto_batch=True)
    whole, expected = train(config=config, scales=scales, accumulate=4)
    assert [name for name in whole if not torch.equal(whole[name], found[name])] == []
    assert {**row, "seconds": 0} == {**expected, "seconds": 0}
    assert len(heard.messages) == 2
    facts = ("image", f"{SIZE} images", "cpu", "4 parts", "2 images", "hardware.accumulate=4")
    assert not lacking(heard.messages[-1], *facts)


def test_auto_batch_ends_where_one_image_does_not_fit():
    model = limited(small_model(), 0, ERRORS["a card"])
    with pytest.raises(RunError) as caught:
        train(model, auto_batch=True)
    assert not lacking(str(caught.value), f"{SIZE} parts", "hardware.checkpointing=true")
    assert "hardware.accumulate" not in str(caught.value)


def test_errors_that_are_not_of_memory_pass():
    assert not is_out_of_memory(RuntimeError("mat1 and mat2 shapes cannot be multiplied"))
    assert not is_out_of_memory(RunError("no memory of it"))
    model = limited(small_model(), 3, RuntimeError("shapes cannot be multiplied"))
    with pytest.raises(RuntimeError, match="shapes"):
        train(model, auto_batch=True)


def test_a_resumed_stage_goes_on_with_its_parts():
    heard = Heard()
    model = limited(small_model(), 2, ERRORS["a card"])
    train(model, progress=heard, state=TrainingState(parts=4), auto_batch=True)
    assert heard.messages == []
    assert model.backbone.image.parts == model.backbone.text.parts == 4


def test_towers_with_batch_norms_of_their_own_are_not_split():
    model = ReIDModel(small_backbone(RESNET))
    set_modes(model, ["image"])
    with pytest.raises(ConfigError) as caught:
        check_parts(model, stage(), hardware(accumulate=2))
    assert not lacking(str(caught.value), "hardware.accumulate is 2", "small", "stages.image.batch")
    check_parts(model, stage(), hardware(accumulate=1, auto_batch=True))
    set_modes(model, ["head"])
    check_parts(model, stage(), hardware(accumulate=2))


def test_processes_share_no_batch_of_such_a_tower():
    model = ReIDModel(small_backbone(RESNET))
    set_modes(model, ["image"])
    with pytest.raises(ConfigError) as caught:
        check_parts(model, stage(), hardware(), 2)
    assert not lacking(str(caught.value), "2 processes", "small", "stage image", "one process")
    set_modes(model, ["head"])
    check_parts(model, stage(), hardware(), 2)


def test_processes_do_not_find_numbers_of_parts_of_their_own():
    with pytest.raises(ConfigError) as caught:
        check_parts(small_model(), stage(), hardware(auto_batch=True), 2)
    assert not lacking(
        str(caught.value), "hardware.auto_batch", "2 processes", "hardware.accumulate"
    )
