"""Steps in fp16: what overflowed is left out and leaves nothing behind; small gradients survive."""

import copy

import pytest
import torch
from drawn_pictures import small_model, small_runner, stage
from facts import lacking
from torch.nn import functional as F

from promptreid.errors import RunError
from promptreid.inference.device import resolve_precision
from promptreid.inference.run_context import RunContext
from promptreid.training.stage.schedule import learning_rate
from promptreid.training.stage.training_state import TrainingState
from promptreid.training.step.loss_scaling import LossScaling

CPU = torch.device("cpu")


def scaled(precision="fp16", lr=0.5):
    parameter = torch.nn.Parameter(torch.tensor([1.0, -2.0]))
    optimizer = torch.optim.SGD([parameter], lr=lr)
    return parameter, LossScaling(optimizer, RunContext(CPU, precision))


@pytest.mark.parametrize("precision", ["fp16", "bf16", "fp32"])
def test_a_finite_step_is_that_without_a_scale(precision):
    parameter, scaling = scaled(precision)
    scaling.backward((parameter * torch.tensor([3.0, 0.1])).sum())
    scaling.backward(parameter.pow(2).sum())
    assert scaling.step([parameter])
    expected = torch.tensor([1 - 0.5 * (3 + 2), -2 - 0.5 * (0.1 - 4)])
    torch.testing.assert_close(parameter.detach(), expected)
    assert bool(scaling.state()) == (precision == "fp16")


@pytest.mark.parametrize("clip_norm", [None, 1.0])
@pytest.mark.parametrize("bad", [float("inf"), float("nan")])
def test_a_step_that_overflowed_moves_nothing_and_halves_the_scale(bad, clip_norm):
    parameter, scaling = scaled()
    before = parameter.detach().clone()
    scaling.backward((parameter * torch.tensor([1.0, bad])).sum())
    assert not scaling.step([parameter], clip_norm=clip_norm)
    assert torch.equal(parameter, before)
    assert scaling.state()["scale"] == 65536 / 2
    parameter.grad = None
    scaling.backward(parameter.sum())
    assert scaling.step([parameter], clip_norm=clip_norm)
    assert scaling.state()["scale"] == 65536 / 2


def test_an_optimizer_that_hides_left_out_steps_is_refused():
    parameter = torch.nn.Parameter(torch.ones(2))
    optimizer = torch.optim.Adam([parameter], fused=True)
    with pytest.raises(ValueError, match="scaled=True"):
        LossScaling(optimizer, RunContext(CPU, "fp16"))
    for precision in ("bf16", "fp32"):
        assert not LossScaling(optimizer, RunContext(CPU, precision)).enabled


def test_gradients_are_clipped_without_their_scale():
    parameter, scaling = scaled(lr=1.0)
    before = parameter.detach().clone()
    scaling.backward((parameter * torch.tensor([30.0, 40.0])).sum())
    assert scaling.step([parameter], clip_norm=1.0)
    torch.testing.assert_close(before - parameter.detach(), torch.tensor([0.6, 0.8]))


def test_gradients_too_small_for_16_bits_survive():
    for precision, expected in (("fp16", 1e-8), ("fp32", 0.0)):
        parameter, scaling = scaled(precision)
        scaling.backward((parameter.half().float() * 1e-8).sum())  # its gradient is of 16 bits
        scaling.step([parameter], clip_norm=1.0)
        assert parameter.grad.tolist() == pytest.approx([expected] * 2, rel=1e-3)


def test_steps_in_a_row_double_the_scale_and_a_checkpoint_counts_them():
    parameter, scaling = scaled()
    scaling.restore(scaling.state() | {"growth_interval": 3})
    for number in range(1, 5):
        scaling.backward(parameter.sum())
        assert scaling.step([parameter])
        assert scaling.state()["scale"] == 65536 * (2 if number >= 3 else 1)
        other, resumed = scaled()
        resumed.restore(scaling.state())
        assert resumed.state() == scaling.state()
        scaling = resumed
        parameter = other


class Stopped(Exception):
    """The stage was stopped between two steps."""


def everything(runner):
    """All that a step may change, as copies by name."""
    kept = {f"model/{n}": v.clone() for n, v in runner.model.state_dict().items()}
    kept |= {f"states/{n}": v.clone() for n, v in runner.states.state_dict().items()}
    kept |= {f"average/{n}": v.clone() for n, v in runner.average.tensors().items()}
    runner.capture()
    for name, values in runner.state.optimizer.items():
        kept |= {f"optimizer/{name}/{key}": value.clone() for key, value in values.items()}
    return kept


def same(first, second):
    """Names of what differs in any bit."""
    assert first.keys() == second.keys()
    return [name for name in first if not torch.equal(first[name], second[name])]


BROKEN = (1.0, 1e30, 1.0, 1.0)


def small_scale():
    """Return the state of a stage whose loss is scaled by so little that its steps are taken."""
    scaling = {"scale": 256.0, "growth_factor": 2.0, "backoff_factor": 0.5}
    return TrainingState(scaling=scaling | {"growth_interval": 2000, "_growth_tracker": 0})


def fp16_runner(model, scales=BROKEN, state=None, **more):
    state = small_scale() if state is None else state
    return small_runner(model, stage(), scales=scales, precision="fp16", state=state, **more)


def test_a_step_that_overflowed_leaves_no_trace():
    model, seen, rates, rows = small_model(), [], [], []

    def note():
        seen.append(everything(built))
        rates.append(built._optimizer.param_groups[0]["lr"])

    built = fp16_runner(model, after_step=note, after_epoch=rows.append)
    built.run()
    assert same(seen[0], seen[1]) == []
    assert same(seen[1], seen[2])
    (row,) = rows
    assert (row["skipped"], row["steps"], row["images"]) == (1, 4, 24)
    assert all(torch.isfinite(torch.tensor(row[name])) for name in row if name.startswith("loss"))
    # The schedule stands still, too: the third batch learns at the rate that the second had.
    expected = [
        learning_rate(stage().schedule, 1e-4, epoch=1, epochs=1, step=step, steps=4)
        for step in (0, 1, 1)
    ]
    assert rates == expected
    assert model.head.necks["final"].running_var.isfinite().all()


def test_stages_in_fp16_resume_to_the_bit():
    whole = fp16_runner(small_model())
    ended = {}
    whole.after_epoch = lambda row: ended.update(everything(whole))
    whole.run()
    for stop in (1, 2, 3):
        taken = []

        def stop_there(taken=taken, stop=stop):
            taken.append(1)
            if len(taken) == stop:
                raise Stopped

        model = small_model()
        first = fp16_runner(model, after_step=stop_there)
        with pytest.raises(Stopped):
            first.run()
        first.capture()
        saved = copy.deepcopy(first.state.pack())
        assert saved.values["scaling"]["scale"] == 256 / (2 if stop >= 2 else 1)
        again = fp16_runner(model, state=TrainingState.unpack(saved))
        resumed = {}
        again.after_epoch = lambda row, a=again, r=resumed: r.update(everything(a))
        again.run()
        assert same(ended, resumed) == []


def test_a_stage_that_only_overflows_says_what_to_set():
    with pytest.raises(RunError) as caught:
        fp16_runner(small_model(), scales=[1e30] * 4).run()
    facts = ("image", "fp16", "epoch 1", "hardware.precision=bf16", "hardware.precision=fp32")
    assert not lacking(str(caught.value), *facts)


def test_fp16_learns_like_fp32():
    ended = {}
    for precision in ("fp32", "fp16"):
        model = small_model()
        small_runner(model, stage(ema=None), precision=precision, state=small_scale()).run()
        ended[precision] = model.state_dict()
    start = small_model().state_dict()
    moved = {
        p: torch.cat([(v - start[n]).flatten() for n, v in w.items()]) for p, w in ended.items()
    }
    assert F.cosine_similarity(moved["fp32"], moved["fp16"], dim=0) > 0.9


@pytest.mark.parametrize(
    "norm",
    [
        lambda x: F.layer_norm(x, (8,), torch.ones(8), torch.zeros(8)),
        lambda x: F.batch_norm(x, torch.zeros(8), torch.ones(8), training=True),
        lambda x: F.softmax(x, dim=1),
    ],
    ids=["layer norm", "batch norm", "softmax"],
)
def test_norms_and_softmax_keep_float32_inside(norm):
    """Squares of 1,000 overflow in 16 bits; only the result is rounded."""
    x = torch.randn(16, 8, generator=torch.Generator().manual_seed(0)).mul(1000).half()
    with RunContext(CPU, "fp16").forward():
        found = norm(x)
    torch.testing.assert_close(found.float(), norm(x.float()), atol=1e-3, rtol=1e-3)


@pytest.mark.parametrize(
    ("device", "bf16", "expected"),
    [("cuda", True, "bf16"), ("cuda", False, "fp16"), ("cpu", True, "bf16"), ("cpu", False, "fp32"),
     ("mps", False, "fp32")],
)  # fmt: skip
def test_auto_asks_the_device(device, bf16, expected, monkeypatch):
    monkeypatch.setattr("promptreid.inference.device.is_bf16_native", lambda _: bf16)
    assert resolve_precision("auto", torch.device(device)) == expected
    for named in ("bf16", "fp16", "fp32"):
        assert resolve_precision(named, torch.device(device)) == named
