import itertools

import pytest
import torch

from promptreid.errors import ConfigError
from promptreid.models.sie import SideInformation


def naive(sie, camera, view):
    """Mean over the rows that the camera and view could be."""
    cameras, views = max(sie.cameras, 1), max(sie.views, 1)
    known_camera = sie.cameras > 0 and camera is not None and 0 <= camera < sie.cameras
    known_view = sie.views > 0 and view is not None and 0 <= view < sie.views
    rows = [
        sie.embed[c * views + v]
        for c in ([camera] if known_camera else range(cameras))
        for v in ([view] if known_view else range(views))
    ]
    return sie.shape.coefficient * torch.stack(rows).mean(dim=0)


@pytest.mark.parametrize(("cameras", "views"), [(3, 0), (0, 4), (3, 4), (1, 1), (1, 0)])
def test_rows_follow_the_published_rule_and_unknown_ones_are_means(cameras, views):
    sie = SideInformation(cameras=cameras, views=views, width=8, coefficient=1.5)
    pairs = list(itertools.product([-1, 0, 1, 2, 9, -7], repeat=2))
    found = sie(
        len(pairs), torch.tensor([c for c, _ in pairs]), torch.tensor([v for _, v in pairs])
    )
    expected = torch.stack([naive(sie, c, v) for c, v in pairs])
    assert torch.allclose(found, expected, atol=1e-6)


def test_the_row_of_a_pair_is_camera_times_views_plus_view():
    sie = SideInformation(cameras=3, views=4, width=8)
    assert torch.equal(sie(1, torch.tensor([2]), torch.tensor([1]))[0], sie.embed[2 * 4 + 1])


def test_nothing_known_is_the_mean_of_all():
    sie = SideInformation(cameras=3, views=2, width=8)
    assert torch.allclose(sie(5, None, None), sie.embed.mean(0).expand(5, -1), atol=1e-7)


def test_known_cameras_get_no_gradient_from_each_other():
    sie = SideInformation(cameras=3, width=8)
    sie(2, torch.tensor([0, 0]), None).sum().backward()
    assert sie.embed.grad.tolist() == [[2.0] * 8, [0.0] * 8, [0.0] * 8]


def test_the_table_starts_from_a_cut_normal():
    sie = SideInformation(cameras=100, width=64, generator=torch.Generator().manual_seed(1))
    assert sie.embed.detach().std() == pytest.approx(0.02, rel=0.05)
    again = SideInformation(cameras=100, width=64, generator=torch.Generator().manual_seed(1))
    assert torch.equal(sie.embed, again.embed)


def test_restore():
    sie = SideInformation(cameras=2, views=3, width=8, coefficient=0.5)
    assert SideInformation(**sie.shape.model_dump(), width=8).shape == sie.shape


@pytest.mark.parametrize(("cameras", "views"), [(0, 0), (-1, 3)])
def test_no_camera_and_no_view_is_refused(cameras, views):
    with pytest.raises(ConfigError, match="needs cameras or views"):
        SideInformation(cameras=cameras, views=views, width=8)
