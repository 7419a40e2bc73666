"""Rows that processes share out: the gradient is that of one process, and all take its steps."""

import hashlib
import json
import sys

import pytest
import torch
from forked_processes import run_processes
from torch.nn import functional as F

ROWS = 7


def compute(encode_images, encode_texts, dtype, device):
    """Contrast rows with texts made of them; return the loss and three weights."""
    generator = torch.Generator().manual_seed(0)
    drawn = [torch.randn(5, 5, generator=generator).to(device) for _ in range(3)]
    first, second, third = weights = [one.requires_grad_() for one in drawn]
    rows = torch.randn(ROWS, 5, generator=generator).to(device)
    images, again = encode_images(lambda some: ((some @ first).to(dtype), some * 2), rows @ third)
    texts = encode_texts(lambda some: (some @ second,), torch.tanh(images.float()))[0]
    scores = F.normalize(images.float(), dim=1) @ F.normalize(texts @ third, dim=1).T
    loss = F.cross_entropy(5 * scores, torch.arange(ROWS, device=device)) + again.pow(2).mean()
    return loss, weights


def main(device):
    """Be one of the processes, and say whether all it computed is right."""
    from promptreid.processes.gradient_sums import sum_gradients
    from promptreid.processes.process_group import joined_processes
    from promptreid.processes.row_shares import gather_rows

    worst = {}
    with joined_processes(device) as processes:

        def shared(function, rows):
            parts = function(rows[processes.share(ROWS)])
            return gather_rows(parts, ROWS, processes)

        for dtype in (torch.float32, torch.bfloat16, torch.float64):
            loss, weights = compute(shared, shared, dtype, device)
            (loss / processes.count).backward()
            sum_gradients(weights, processes)
            found = [loss.detach(), *(weight.grad for weight in weights)]
            loss, weights = compute(*[lambda f, r: f(r)] * 2, dtype, device)
            loss.backward()
            expected = [loss.detach(), *(weight.grad for weight in weights)]
            worst[str(dtype)] = max(
                ((one - other).abs().max() / other.abs().max()).item()
                for one, other in zip(found, expected, strict=True)
            )
        fp16 = overflow_once(processes)
    print(json.dumps({"worst": worst, "fp16": fp16}))


def overflow_once(processes):
    """Train four steps in fp16, in the second of which the last process alone overflows.

    Returns:
        Steps that were left out; the scale and a hash of the weights after each of the first three;
        whether a gradient of this process alone was not finite.
    """
    from drawn_pictures import small_model, small_runner, stage

    from promptreid.training.stage.training_state import TrainingState

    model, scales, hashes, rows, broken = small_model(), [], [], [], []

    def note():
        scales.append(runner._step.scaling.state()["scale"])
        weights = b"".join(v.numpy().tobytes() for v in model.state_dict().values())
        hashes.append(hashlib.sha256(weights).hexdigest())

    def spoil(gradient):
        broken.append(processes.rank == processes.count - 1 and len(broken) == 1)
        return torch.full_like(gradient, torch.inf) if broken[-1] else gradient

    scaling = {"scale": 256.0, "growth_factor": 2.0, "backoff_factor": 0.5}
    scaling |= {"growth_interval": 2000, "_growth_tracker": 0}
    runner = small_runner(
        model,
        stage(),
        precision="fp16",
        state=TrainingState(scaling=scaling),
        after_step=note,
        after_epoch=rows.append,
        processes=processes,
    )
    model.backbone.image.proj.register_hook(spoil)
    runner.run()
    return {"skipped": rows[0]["skipped"], "scales": scales, "hashes": hashes, "own": any(broken)}


@pytest.fixture(
    scope="module",
    params=[("cpu", 3), pytest.param(("cuda", 1), marks=pytest.mark.cuda)],
    ids=lambda given: "-".join(map(str, given)),
)
def ended(request):
    """What each process says, on the CPU several, on a card one that sends to itself by NCCL."""
    device, count = request.param
    found = run_processes([__file__, device], count)
    for one in found:
        assert one.code == 0, one.errors
    return [json.loads(one.said) for one in found]


@pytest.mark.slow
def test_gradients_of_a_contrast_are_those_of_one_process(ended):
    for said in ended:
        assert said["worst"]["torch.float32"] < 1e-5
        assert said["worst"]["torch.float64"] < 1e-5
        assert said["worst"]["torch.bfloat16"] < 2e-2


@pytest.mark.slow
def test_all_leave_out_the_step_that_overflowed_in_one(ended):
    """No process may move by gradients that another one has left out."""
    first, *others = steps = [said["fp16"] for said in ended]
    assert [one.pop("own") for one in steps] == [False] * len(others) + [True]
    assert others == [first] * len(others)
    assert first["skipped"] == 1
    assert first["scales"] == [256, 128, 128]
    before, left_out, after = first["hashes"]
    assert before == left_out != after


if __name__ == "__main__":
    main(sys.argv[1])
