"""OpenAI's activation by silu: that of its definition, with its gradient."""

import pytest
import torch

from promptreid.models.towers.products import quick_gelu

KINDS = {torch.float64: 1e-12, torch.float32: 1e-6, torch.bfloat16: 1.2e-2}


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_values_and_gradients_are_those_of_the_definition(kind):
    generator = torch.Generator().manual_seed(0)
    x, gradient = (4 * torch.randn(5, 7, 9, generator=generator).to(kind) for _ in range(2))
    exact = x.to(torch.float64, copy=True).requires_grad_()
    expected = exact * torch.sigmoid(1.702 * exact)
    expected.backward(gradient.double())
    ours = x.clone().requires_grad_()
    found = quick_gelu(ours)
    found.backward(gradient)
    assert found.dtype == ours.grad.dtype == kind
    near = {"rtol": KINDS[kind], "atol": KINDS[kind]}
    torch.testing.assert_close(found.double(), expected, **near)
    torch.testing.assert_close(ours.grad.double(), exact.grad, **near)
    assert torch.equal(x, ours)  # nothing was written into what came in
    with torch.no_grad():
        assert torch.equal(quick_gelu(x), found)


@pytest.mark.parametrize("far", [100.0, 1e4, float("inf")])
def test_far_values_saturate(far):
    x = torch.tensor([far, -min(far, 1e4)], requires_grad=True)
    found = quick_gelu(x)
    found.backward(torch.ones(2))
    assert found.tolist() == pytest.approx([far, 0.0])
    if far < float("inf"):
        assert x.grad.tolist() == pytest.approx([1.0, 0.0])


def test_views_in_another_order_and_gradients_that_are_spread_out():
    x = torch.randn(6, 4, generator=torch.Generator().manual_seed(1))
    ours = x.t().detach().requires_grad_()
    found = quick_gelu(ours)
    found.sum().backward()
    exact = x.t().clone().requires_grad_()
    (exact * torch.sigmoid(1.702 * exact)).sum().backward()
    torch.testing.assert_close(found, exact * torch.sigmoid(1.702 * exact))
    torch.testing.assert_close(ours.grad, exact.grad)


def test_a_definition_is_what_a_compiler_and_a_card_see(monkeypatch):
    monkeypatch.setattr(torch.compiler, "is_compiling", lambda: True)
    x = torch.randn(9, generator=torch.Generator().manual_seed(2))
    assert torch.equal(quick_gelu(x), x * torch.sigmoid(1.702 * x))
