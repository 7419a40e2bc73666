import pytest
import torch
from torch import nn

from promptreid.config.optimize import OptimizerConfig
from promptreid.training.optimizer import build_optimizer, parameter_groups, set_learning_rate


def model():
    return nn.Sequential(nn.Linear(3, 4), nn.LayerNorm(4), nn.Linear(4, 2, bias=False))


def test_each_learning_parameter_is_in_exactly_one_group():
    net = model()
    net[1].bias.requires_grad_(False)
    groups = parameter_groups(net.named_parameters(), OptimizerConfig(bias_lr_factor=2))
    seen = [id(p) for group in groups for p in group["params"]]
    wanted = [id(p) for p in net.parameters() if p.requires_grad]
    assert sorted(seen) == sorted(wanted)
    assert len(set(seen)) == len(seen)


def test_biases_learn_at_the_factor_and_everything_decays():
    net = model()
    optimizer = build_optimizer(
        net.named_parameters(), OptimizerConfig(lr=1e-3, weight_decay=0.1, bias_lr_factor=2)
    )
    set_learning_rate(optimizer, 1e-4)
    rates = {name: group["lr"] for group in optimizer.param_groups for name in group["names"]}
    assert rates == {
        "0.weight": 1e-4,
        "1.weight": 1e-4,
        "2.weight": 1e-4,
        "0.bias": 2e-4,
        "1.bias": 2e-4,
    }
    assert {group["weight_decay"] for group in optimizer.param_groups} == {0.1}


def test_adam_decay_is_l2_and_absent_rows_still_move():
    table = nn.Parameter(torch.ones(3, 2))
    optimizer = build_optimizer([("t", table)], OptimizerConfig(lr=0.1, weight_decay=0.5))
    for _ in range(2):
        optimizer.zero_grad()
        table[0].sum().backward()
        optimizer.step()
    assert (table[1] < 1).all()
    expected = torch.ones(3, 2, requires_grad=True)
    oracle = torch.optim.Adam([expected], lr=0.1)
    for _ in range(2):
        oracle.zero_grad()
        (expected[0].sum() + 0.25 * expected.pow(2).sum()).backward()  # d/dx of 0.5 x^2 / 2
        oracle.step()
    torch.testing.assert_close(table, expected)


def test_kinds():
    for name, kind in (
        ("adam", torch.optim.Adam),
        ("adamw", torch.optim.AdamW),
        ("sgd", torch.optim.SGD),
    ):
        built = build_optimizer(model().named_parameters(), OptimizerConfig(name=name))
        assert type(built) is kind


def test_part_factors_multiply_with_the_bias_factor():
    net = nn.ModuleDict({"head": nn.Linear(2, 2), "backbone": nn.Linear(2, 2)})
    config = OptimizerConfig(lr=1e-3, bias_lr_factor=2, part_lr_factors={"head": 10})
    groups = parameter_groups(net.named_parameters(), config)
    rates = {name: group["lr"] for group in groups for name in group["names"]}
    assert rates == pytest.approx(
        {"head.weight": 1e-2, "head.bias": 2e-2, "backbone.weight": 1e-3, "backbone.bias": 2e-3}
    )
