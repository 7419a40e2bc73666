import math
import sys
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from promptreid.errors import ConfigError, EvaluationError
from promptreid.figures.layouts import layouts
from promptreid.figures.layouts.layouts import (
    METHODS,
    check_layout,
    layout,
    pca_layout,
    turned_towards,
)


def clusters(groups=4, images=6, noise=0.05, seed=0):
    generator = torch.Generator().manual_seed(seed)
    centres = torch.randn(groups, 16, generator=generator).repeat_interleave(images, 0)
    rows = centres + noise * torch.randn(groups * images, 16, generator=generator)
    return torch.nn.functional.normalize(rows, dim=1), [n // images for n in range(len(rows))]


def nearest(points):
    distances = np.linalg.norm(points[:, None] - points[None], axis=2)
    np.fill_diagonal(distances, np.inf)
    return distances.argmin(1)


@pytest.mark.slow
@pytest.mark.parametrize("method", METHODS)
def test_neighbours_stay_and_the_same_comes_again(method):
    if method == "umap":
        pytest.importorskip("umap", reason="umap-learn is not installed: promptreid[umap]")
    vectors, groups = clusters()
    threads = torch.get_num_threads()
    found = layout(vectors, method, seed=3)
    assert torch.get_num_threads() == threads
    assert found.method == METHODS[method]
    assert found.points.shape == (24, 2)
    assert found.points.dtype == np.float64
    assert np.abs(found.points.mean(0)).max() < 1e-6
    assert np.array_equal(found.points, layout(vectors, method, seed=3).points)
    assert [groups[n] for n in nearest(found.points)] == groups
    assert (found.explained is not None) == (method == "pca")


def test_threads_that_umap_sets_are_set_back(monkeypatch):
    """As its compiled code does, which sets those of torch along with its own."""

    class SettingThreads:
        def __init__(self, **settings):
            assert settings["random_state"] == 3

        def fit_transform(self, rows):
            torch.set_num_threads(threads + 1)
            return rows[:, :2]

    vectors, _ = clusters()
    threads = torch.get_num_threads()
    monkeypatch.setitem(sys.modules, "umap", SimpleNamespace(UMAP=SettingThreads, __spec__="made"))
    rows = vectors.double().numpy()[:, :2]
    assert np.array_equal(layout(vectors, "umap", seed=3).points, rows - rows.mean(0))
    assert torch.get_num_threads() == threads


def test_principal_components_by_the_covariance():
    vectors, _ = clusters(noise=0.3)
    points, explained = pca_layout(vectors)
    rows = vectors.double().numpy()
    values, axes = np.linalg.eigh(np.cov(rows.T))
    assert explained == pytest.approx(values[-2:].sum() / values.sum())
    for column, axis in enumerate((axes[:, -1], axes[:, -2])):
        wanted = (rows - rows.mean(0)) @ axis
        assert np.abs(points[:, column]) == pytest.approx(np.abs(wanted), abs=1e-9)
        assert points[np.abs(points[:, column]).argmax(), column] > 0
    assert points[:, 0].var() > points[:, 1].var()


def test_two_dimensions_are_shown_whole_and_one_as_a_line():
    angles = torch.linspace(0, 1, 7)
    flat = torch.stack([angles.cos(), angles.sin()], 1)
    points, explained = pca_layout(flat)
    assert explained == pytest.approx(1)
    assert np.linalg.norm(points[0] - points[6]) == pytest.approx(2 * np.sin(0.5), rel=1e-6)
    line, explained = pca_layout(torch.tensor([[1.0], [-1.0], [1.0]]))
    assert explained == pytest.approx(1)
    assert np.allclose(line[:, 1], 0)


def test_what_cannot_be_laid_out_is_refused():
    vectors, _ = clusters()
    with pytest.raises(EvaluationError, match="5 images at least, got 4"):
        layout(vectors[:4])
    with pytest.raises(EvaluationError, match="between 0 and 24"):
        layout(vectors, perplexity=24)
    with pytest.raises(EvaluationError, match="5 images at least, got 4"):
        layouts.umap_layout(vectors[:4])
    for wrong in (1, 24):
        with pytest.raises(EvaluationError, match=f"neighbours is {wrong}; for 24 .* 2 to 23"):
            layouts.umap_layout(vectors, neighbours=wrong)
    with pytest.raises(EvaluationError, match="3 images at least, got 2"):
        layout(vectors[:2], "pca")
    with pytest.raises(EvaluationError, match="All embeddings are equal"):
        layout(torch.ones(6, 4) / 2, "pca")
    with pytest.raises(ConfigError, match="Did you mean 'tsne'"):
        layout(vectors, "tsn")


def test_missing_packages_are_named_with_what_installs_them(monkeypatch):
    monkeypatch.setitem(sys.modules, "umap", None)
    with pytest.raises(ConfigError, match=r"umap-learn.*pip install 'promptreid\[umap\]'"):
        check_layout("umap")
    monkeypatch.setitem(sys.modules, "sklearn.manifold", None)
    with pytest.raises(ConfigError, match=r"promptreid\[report\]"):
        check_layout("tsne")
    check_layout("pca")


@pytest.mark.parametrize("mirror", [1, -1])
def test_turning_undoes_a_rotation_and_a_reflection_and_keeps_distances(mirror):
    points = np.random.default_rng(0).normal(size=(9, 2))
    points -= points.mean(0)
    angle = 1.1
    turn = np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    moved = points @ turn * [mirror, 1]
    assert np.allclose(turned_towards(moved, points), points)
    other = np.random.default_rng(1).normal(size=(9, 2))
    turned = turned_towards(moved, other)
    assert np.allclose(np.linalg.norm(turned, axis=1), np.linalg.norm(moved, axis=1))
    assert ((turned - other) ** 2).sum() <= ((moved - other) ** 2).sum()
