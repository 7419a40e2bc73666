"""Products by oneDNN and attention in 16 bits: those of torch, with their gradients."""

import pytest
import torch
from open_clip.transformer import QuickGELU
from torch.nn import functional as F

from promptreid.models.towers import products
from promptreid.models.towers.attention import attend
from promptreid.models.towers.product_choice import (
    ONEDNN,
    ONEDNN_CONTIGUOUS,
    TORCH,
    has_onednn,
    multiply_by,
)
from promptreid.models.towers.products import linear, patch_tokens, run_mlp
from promptreid.runs.run_records import ProductChoice


@pytest.fixture(autouse=True)
def _however_small(monkeypatch):
    monkeypatch.setattr(products, "LEAST_WORK", 1)


def normal(*shape, seed=0, kind=torch.float32):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed)).to(kind)


CHOICES = [
    TORCH,
    ONEDNN,
    ONEDNN_CONTIGUOUS,
    ProductChoice(forward="torch", to_input="onednn", to_weight="torch"),
    ProductChoice(forward="onednn-contiguous", to_input="torch", to_weight="onednn-contiguous"),
]


@pytest.mark.parametrize("choice", CHOICES, ids=str)
@pytest.mark.parametrize("biased", [False, True])
@pytest.mark.parametrize("gelu", [False, True])
def test_the_product_is_exact_by_every_library_with_all_gradients(choice, biased, gelu):
    x, weight = normal(3, 5, 24), normal(40, 24, seed=1)
    bias = normal(40, seed=2) if biased else None
    inputs = [part.double().requires_grad_() for part in (x, weight, bias) if part is not None]
    expected = F.linear(*inputs)
    expected = F.gelu(expected) if gelu else expected
    gradient = normal(3, 5, 40, seed=3)
    expected.backward(gradient.double())
    ours = [part.clone().requires_grad_() for part in (x, weight, bias) if part is not None]
    with multiply_by(choice):
        found = linear(*ours, gelu=gelu)
    found.backward(gradient)  # by the choice that the product was made with
    torch.testing.assert_close(found, expected.float(), rtol=1e-5, atol=1e-5)
    for mine, theirs in zip(ours, inputs, strict=True):
        torch.testing.assert_close(mine.grad, theirs.grad.float(), rtol=1e-5, atol=2e-5)
    with torch.no_grad(), multiply_by(choice):
        torch.testing.assert_close(linear(*ours, gelu=gelu), found, rtol=1e-5, atol=1e-5)


def test_only_what_learns_gets_a_gradient():
    x, weight = normal(6, 8).requires_grad_(), normal(4, 8)
    linear(x, weight).sum().backward()
    assert weight.grad is None
    torch.testing.assert_close(x.grad, weight.sum(0).expand(6, -1))


def test_slices_and_transposes_are_taken_as_they_are():
    x, weight = normal(7, 3, 12).transpose(0, 1), normal(30, 12, seed=1)
    with torch.no_grad():
        found = linear(x, weight[10:20])
    torch.testing.assert_close(found, F.linear(x, weight[10:20]), rtol=1e-5, atol=1e-5)


@pytest.fixture
def calls(monkeypatch):
    """Shapes of the left factors that oneDNN was called with."""
    if not has_onednn():
        pytest.skip("needs the instructions of another processor, and oneDNN")
    shapes = []
    honest = products._product
    monkeypatch.setattr(
        products, "_product", lambda x, *a: shapes.append(tuple(x.shape)) or honest(x, *a)
    )
    return shapes


def test_the_operator_is_called_for_large_products_alone(monkeypatch, calls):
    x, weight = normal(6, 8), normal(4, 8)
    with multiply_by(ONEDNN):
        linear(x, weight)
        assert len(calls) == 1
        linear(x.double(), weight.double())
        with torch.autocast("cpu", dtype=torch.bfloat16):
            assert linear(x, weight).dtype == torch.bfloat16
        monkeypatch.setattr(products, "LEAST_WORK", 6 * 4 * 8 + 1)
        linear(x, weight)
    assert len(calls) == 1


@pytest.mark.parametrize("kind", [*ProductChoice.model_fields, "none"])
def test_each_kind_of_product_goes_where_it_is_sent(kind, calls):
    choice = ProductChoice(**{**TORCH.model_dump(), **({} if kind == "none" else {kind: "onednn"})})
    x, weight = normal(6, 8).requires_grad_(), normal(4, 8, seed=1).requires_grad_()
    with multiply_by(choice):
        linear(x, weight).sum().backward()
    shapes = {"forward": [(6, 8)], "to_input": [(6, 4)], "to_weight": [(4, 6)], "none": []}
    assert calls == shapes[kind]


def test_torch_alone_gives_the_bits_of_torch():
    x, weight, bias = normal(50, 24), normal(40, 24, seed=1), normal(40, seed=2)
    gradient, found = normal(50, 40, seed=3), []
    for product in (linear, F.linear):
        inputs = [part.clone().requires_grad_() for part in (x, weight, bias)]
        with multiply_by(TORCH):
            result = product(*inputs)
            result.backward(gradient)
        found.append([result, *(part.grad for part in inputs)])
    for mine, theirs in zip(*found, strict=True):
        assert torch.equal(mine, theirs)


class Layer(torch.nn.Module):
    """One product."""

    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(normal(4, 8))

    def forward(self, x):
        return linear(x, self.weight)


def test_exported_products_are_torch_s_own_for_any_number_of_rows(calls):
    rows = torch.export.Dim("rows", min=2, max=64)
    layer, x = Layer(), normal(6, 8)
    with multiply_by(ONEDNN):
        program = torch.export.export(layer, (x,), dynamic_shapes={"x": {0: rows}})
    assert not calls
    assert "mkldnn" not in str(program.graph)
    for count in (3, 60):
        more = normal(count, 8, seed=4)
        torch.testing.assert_close(program.module()(more), F.linear(more, layer.weight))


@pytest.mark.parametrize("kind", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("between", [torch.nn.GELU(), torch.nn.GELU("tanh"), QuickGELU()])
def test_perceptrons_are_run_as_they_are_built(kind, between):
    torch.manual_seed(0)
    parts = {"c_fc": torch.nn.Linear(8, 32), "gelu": between, "c_proj": torch.nn.Linear(32, 8)}
    mlp = torch.nn.Sequential()
    for name, part in parts.items():
        mlp.add_module(name, part)
    mlp.to(kind)
    with torch.no_grad():
        x = normal(5, 8, kind=kind)
        near = 1e-5 if kind == torch.float32 else 2e-2
        torch.testing.assert_close(run_mlp(mlp, x), mlp(x), rtol=near, atol=near)


@pytest.mark.parametrize(
    ("stride", "kind"), [(4, torch.float32), (3, torch.float32), (4, torch.bfloat16)]
)
def test_patches_are_those_of_the_convolution(stride, kind):
    torch.manual_seed(0)
    convolution = torch.nn.Conv2d(3, 10, 4, stride=stride)
    images = normal(2, 3, 16, 12)
    expected = convolution(images).flatten(2).transpose(1, 2)
    found = patch_tokens(convolution.to(kind), images)
    assert found.dtype == torch.float32
    near = 1e-5 if kind == torch.float32 else 2e-2
    torch.testing.assert_close(found, expected, rtol=near, atol=near)
    if kind == torch.float32:
        found.square().sum().backward()
        mine = convolution.weight.grad.clone()
        convolution.zero_grad()
        convolution(images).square().sum().backward()
        torch.testing.assert_close(mine, convolution.weight.grad, rtol=1e-4, atol=1e-4)


def masks():
    return {
        "none": {},
        "causal": {"causal": True},
        "some": {
            "mask": (normal(2, 1, 1, 9, seed=9) > -0.5).index_fill(3, torch.tensor([0]), True)
        },
    }


@pytest.mark.parametrize("which", ["none", "causal", "some"])
def test_short_attention_is_that_of_torch(which):
    options = masks()[which]
    parts = [normal(2, 3, 9, 16, seed=seed, kind=torch.bfloat16) for seed in range(3)]
    exact = [part.double().requires_grad_() for part in parts]
    expected = F.scaled_dot_product_attention(
        *exact, attn_mask=options.get("mask"), is_causal=options.get("causal", False)
    )
    gradient = normal(2, 3, 9, 16, seed=5, kind=torch.bfloat16)
    expected.backward(gradient.double())
    ours = [part.clone().requires_grad_() for part in parts]
    found = attend(*ours, **options)
    assert found.dtype == torch.bfloat16
    found.backward(gradient)
    for mine, theirs in [(found, expected), *((a.grad, b.grad) for a, b in zip(ours, exact))]:
        apart = (mine.double() - theirs).norm() / theirs.norm()
        assert apart < 8e-3


def test_scores_are_not_rounded_before_the_softmax():
    q, k, v = (normal(1, 2, 40, 32, seed=seed, kind=torch.bfloat16) for seed in range(3))
    q, k = 4 * q, 4 * k
    exact = F.scaled_dot_product_attention(q.double(), k.double(), v.double())
    rounded = (q @ k.transpose(-2, -1) * 32**-0.5).softmax(-1) @ v
    errors = [(found.double() - exact).norm() for found in (attend(q, k, v), rounded)]
    assert errors[0] < errors[1] / 3


def test_a_query_of_one_row_sees_all_keys_under_autocast():
    q, k, v = (normal(2, 2, rows, 16, kind=torch.bfloat16) for rows in (1, 9, 9))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = attend(q, k, v)
    exact = F.scaled_dot_product_attention(q.double(), k.double(), v.double())
    assert found.shape == (2, 2, 1, 16)
    torch.testing.assert_close(found.double(), exact, rtol=2e-2, atol=2e-2)


def test_exported_patches_stay_a_convolution():
    batch = torch.export.Dim("batch", min=1, max=64)
    convolution = torch.nn.Conv2d(3, 8, 4, stride=2, bias=False)
    images = normal(2, 3, 8, 6)

    class Patches(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.convolution = convolution

        def forward(self, images):
            return patch_tokens(self.convolution, images)

    program = torch.export.export(Patches(), (images,), dynamic_shapes={"images": {0: batch}})
    assert "conv2d" in str(program.graph)
    assert "unfold" not in str(program.graph)
    more = normal(5, 3, 8, 6, seed=4)
    torch.testing.assert_close(program.module()(more), patch_tokens(convolution, more))
