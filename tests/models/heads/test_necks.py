"""Necks of single domains: batch norms that know nothing of each other."""

import pytest
import torch
from small_heads import restored_head, small_head
from small_models import small_backbone
from torch import nn

from promptreid.errors import ModelError
from promptreid.models.heads.necks import DomainNeck, shared_neck
from promptreid.models.towers.image_tower import ImageFeatures

WIDTHS = {"penultimate": 6, "final": 8, "projected": 4}


@pytest.fixture
def rows():
    generator = torch.Generator().manual_seed(0)
    return torch.randn(9, 8, generator=generator) * 3 + 1


def test_each_domain_is_normed_by_itself(rows):
    neck = DomainNeck(8, 2).train()
    with torch.no_grad():
        neck.norms[1].weight.fill_(2.0)
    domains = torch.tensor([0, 1, 0, 0, 1, 1, 1, 0, 0])
    found = neck(rows, domains)
    for number in (0, 1):
        plain = nn.BatchNorm1d(8).train()
        with torch.no_grad():
            plain.weight.fill_(1.0 + number)
        assert torch.equal(found[domains == number], plain(rows[domains == number]))
        assert torch.equal(neck.norms[number].running_var, plain.running_var)


def test_gradients_stay_within_the_domain(rows):
    neck = DomainNeck(8, 2).train()
    rows.requires_grad_(True)
    domains = torch.tensor([0] * 4 + [1] * 5)
    neck(rows, domains)[:4].square().sum().mul(rows.detach()[0, 0]).backward()
    assert rows.grad[:4].abs().sum() > 0
    assert not rows.grad[4:].any()


def test_one_domain_is_the_shared_neck_to_the_bit(rows):
    one, shared = DomainNeck(8, 1).train(), shared_neck(8).train()
    assert torch.equal(one(rows, torch.zeros(9, dtype=torch.long)), shared(rows))
    one.eval(), shared.eval()
    assert torch.equal(one(rows), shared(rows))


def test_a_domain_with_one_row_takes_its_running_statistics(rows):
    neck = DomainNeck(8, 2).train()
    domains = torch.tensor([0] * 8 + [1])
    found = neck(rows, domains)
    assert torch.allclose(found[8], rows[8] / (1 + 1e-5) ** 0.5)
    assert not neck.norms[1].running_mean.any()


def test_a_domain_that_cannot_be_told_is_refused(rows):
    with pytest.raises(ModelError, match="a neck for each of 2 domains"):
        DomainNeck(8, 2)(rows)


def test_a_head_tells_the_domain_by_the_class():
    generator = torch.Generator().manual_seed(1)
    features = ImageFeatures(*(torch.randn(6, w, generator=generator) for w in (6, 8, 4)))
    head = small_head(WIDTHS, 4, domains=[0, 0, 1, 1]).train()
    labels = torch.tensor([0, 2, 1, 3, 3, 0])
    derived = head.derive(features)
    found = head.neck(derived, labels)["final"]
    first = labels < 2
    assert torch.allclose(found[first], nn.BatchNorm1d(8)(features.final[first]), atol=1e-6)
    assert not head.necks["final"].norms[0].bias.requires_grad
    with pytest.raises(ModelError, match="domain"):
        head.scores(derived, "linear")


def test_a_head_comes_back_with_its_domains():
    tower = small_backbone().image
    head = small_head(WIDTHS, 4, domains=[0, 0, 1, 1])
    other = restored_head(head, WIDTHS, tower)
    other.load_state_dict(head.state_dict())
    assert other.describe() == head.describe()
    assert len(other.necks["final"].norms) == 2
