"""The gradient of a loss over rows that processes share out, against that of one process."""

import json
import sys

import pytest
import torch
from torch.nn import functional as F
from train_in_processes import start_processes

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
    print(json.dumps(worst))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("device", "count"),
    [("cpu", 1), ("cpu", 3), pytest.param("cuda", 1, marks=pytest.mark.cuda)],
)
def test_gradients_of_a_contrast_are_those_of_one_process(device, count):
    """On a card one process sends to itself by NCCL, as many would to each other."""
    started = start_processes([__file__, device], count)
    for process in started:
        said, errors = process.communicate(timeout=120)
        assert process.returncode == 0, errors
        worst = json.loads(said)
        assert worst["torch.float32"] < 1e-5
        assert worst["torch.float64"] < 1e-5
        assert worst["torch.bfloat16"] < 2e-2


if __name__ == "__main__":
    main(sys.argv[1])
