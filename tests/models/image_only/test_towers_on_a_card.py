"""Towers without a text tower mix no devices on a card, and nobody waits for it."""

from collections.abc import Callable

import pytest
import torch
from fake_cuda import CUDA, fake_cuda

from promptreid.models.image_only.osnet import OSNETS, OSNet
from promptreid.models.image_only.osnet_tower import OSNetTower
from promptreid.models.image_only.solider_swin import SoliderShape, SoliderSwin
from promptreid.models.image_only.solider_tower import SoliderTower
from promptreid.models.image_only.transreid_tower import TransReIDTower
from promptreid.models.image_only.transreid_vit import TransReIDShape, TransReIDViT
from promptreid.models.towers.image_tower import ImageTower

SIZE = (64, 32)


def solider() -> ImageTower:
    return SoliderTower(SoliderSwin(SoliderShape(8, (2, 2, 2, 2), (1, 2, 4, 8))))


def transreid() -> ImageTower:
    return TransReIDTower(TransReIDViT(TransReIDShape(8, 1), shift=5))


def osnet() -> ImageTower:
    return OSNetTower(OSNet(OSNETS["osnet_x0_25"]))


@pytest.mark.parametrize("build", [solider, transreid, osnet])
@torch.no_grad()
def test_a_pass_waits_for_nothing(build: Callable[[], ImageTower]) -> None:
    tower = build().eval()
    tower.fit(SIZE, None)
    images = torch.randn(2, 3, *SIZE, generator=torch.Generator().manual_seed(0))
    sides = torch.randn(2, 8) if tower.takes_sides else None
    expected = tower(images, sie=sides)
    with fake_cuda() as card:
        tower.to(CUDA)
        there = images.to(CUDA), None if sides is None else sides.to(CUDA)
        with card.watched() as watch:
            features = tower(there[0], sie=there[1])
        assert not watch.waits
        torch.testing.assert_close(features.projected.cpu(), expected.projected)
