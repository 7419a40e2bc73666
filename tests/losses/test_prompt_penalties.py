import pytest
import torch

from promptreid.losses.prompt_penalties import token_orthogonality


def draw(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def test_equals_the_sum_over_all_pairs_of_tokens():
    shared, domains = draw(3, 8), draw(4, 5, 8, seed=1)
    expected = 0.0
    for domain in domains:
        for own in domain:
            for common in shared:
                expected += float((own @ common) / (own.norm() * common.norm())) ** 2 / 4
    assert token_orthogonality(shared, domains).item() == pytest.approx(expected, rel=1e-5)
    assert token_orthogonality(7 * shared, 0.1 * domains).item() == pytest.approx(expected)


def test_is_zero_for_orthogonal_tokens_and_at_most_the_number_of_pairs():
    axes = torch.eye(6)
    assert token_orthogonality(axes[:2], axes[2:].view(2, 2, 6)).item() == 0
    same = axes[:1].expand(3, 6)
    assert token_orthogonality(same, same.expand(2, 3, 6)).item() == 9


def test_learning_turns_shared_and_domain_tokens_apart():
    shared, domains = draw(2, 16).requires_grad_(), draw(3, 2, 16, seed=1).requires_grad_()
    optimizer = torch.optim.SGD([shared, domains], lr=0.5)
    first = token_orthogonality(shared, domains).item()
    for _ in range(200):
        optimizer.zero_grad()
        token_orthogonality(shared, domains).backward()
        optimizer.step()
    assert token_orthogonality(shared, domains).item() < 1e-3 < first


def test_is_computed_in_float32():
    shared, domains = draw(2, 16).bfloat16(), draw(3, 2, 16, seed=1).bfloat16()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = token_orthogonality(shared, domains)
    assert found.dtype == torch.float32
    assert torch.equal(found, token_orthogonality(shared.float(), domains.float()))
