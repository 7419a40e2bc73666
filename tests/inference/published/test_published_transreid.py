"""Published TransReID files with side information and jigsaw branch score as there."""

from itertools import pairwise

import pytest
import torch
from transreid_reference import (
    NAME,
    WIDTH,
    _narrow_transformers,  # noqa: F401 - a fixture
    draw,
    enter_last_block,
    norm,
    run_block,
    write,
)

import promptreid
from promptreid.errors import ModelError, WeightsError
from promptreid.inference.load import load
from promptreid.inference.published.published_file import read_published
from promptreid.models.checkpoint import load_model, save_model
from promptreid.models.towers.backbone import build_backbone

SIZE = (128, 64)  # 8 x 4 patches
CAMERAS = 6


def draw_file(patches: int, *, cameras: int = CAMERAS, jigsaw: bool = True) -> dict:
    """Draw the tensors of a file, by their published names."""
    generator = torch.Generator().manual_seed(4)
    bare = draw(NAME) | {"pos_embed": torch.randn(1, 1 + patches, WIDTH, generator=generator)}
    file = {f"base.{name}": tensor for name, tensor in bare.items()}
    if cameras:
        file["base.sie_embed"] = torch.randn(cameras, 1, WIDTH, generator=generator)
    for branch in ("b1", "b2") if jigsaw else ():
        for name in bare:
            for ours, theirs in (("blocks.11.", "0."), ("norm.", "1.")):
                if name.startswith(ours):
                    drawn = torch.randn(bare[name].shape, generator=generator) * 0.05
                    scale = bare[name].ndim == 1 and name.endswith("weight")
                    rest = name.removeprefix(ours)
                    file[f"{branch}.{theirs}{rest}"] = drawn.abs() + 1 if scale else drawn
    heads = ("", "_1", "_2", "_3", "_4") if jigsaw else ("",)
    for number in heads:
        file[f"classifier{number}.weight"] = torch.zeros(7, WIDTH)
        file[f"bottleneck{number}.weight"] = torch.ones(WIDTH)
    return file | {"base.fc.weight": torch.zeros(1000, WIDTH)}


def compute_published(
    file: dict, images: torch.Tensor, side: torch.Tensor | float, *, order: list[int]
) -> torch.Tensor:
    """Compute the five features, patch by patch in the order in which the branch sees them."""
    t = {name.removeprefix("base."): tensor for name, tensor in file.items()}
    for branch in ("b1", "b2"):
        t |= {n.replace(f"{branch}.1", f"{branch}.norm"): x for n, x in file.items()}
    tokens = enter_last_block(t, images, 16, side)
    features = [norm(t, run_block(t, tokens, "b1.0"), "b1.norm")[:, 0]]
    quarter = (tokens.shape[1] - 1) // 4
    for start, end in pairwise(range(0, 4 * quarter + 1, quarter)):
        seen = [0, *order[start:end]]  # the class token, then patches counted from 1
        local = norm(t, run_block(t, tokens[:, seen], "b2.0"), "b2.norm")[:, 0]
        features.append(local / 4)
    return torch.cat(features, dim=1)


# By hand: shift 5 begins with patch 5 and ends with 4; the halves are then taken in turn.
ORDER_OF_32 = [p for pair in zip(range(5, 21), [*range(21, 33), *range(1, 5)]) for p in pair]
# 3 x 5 patches, an odd number: the last but one of 5..15, 1..4, which is 3, comes once more.
ORDER_OF_15 = [5, 13, 6, 14, 7, 15, 8, 1, 9, 2, 10, 3, 11, 4, 12, 3]
# 4 x 4 patches of square images: shift 8.
ORDER_OF_16 = [8, 16, 9, 1, 10, 2, 11, 3, 12, 4, 13, 5, 14, 6, 15, 7]


@torch.no_grad()
@pytest.mark.parametrize(
    ("size", "order"),
    [(SIZE, ORDER_OF_32), ((48, 80), ORDER_OF_15), ((64, 64), ORDER_OF_16)],
    ids=["people", "odd", "square"],
)
def test_the_published_feature(tmp_path, size, order):
    file = draw_file(size[0] // 16 * (size[1] // 16))
    path = write(tmp_path, {f"module.{name}": tensor for name, tensor in file.items()})
    embedder = load(path, device="cpu", image_size=size)
    images = torch.randn(2, 3, *size, generator=torch.Generator().manual_seed(0))
    cameras = torch.tensor([4, -1])
    rows = file["base.sie_embed"]
    side = 3.0 * torch.stack([rows[4], rows.mean(dim=0)])
    expected = compute_published(file, images, side, order=order)
    assert expected.shape == (2, 5 * WIDTH)
    got = embedder.model.features(images, cameras)
    torch.testing.assert_close(got.projected, expected, atol=5e-5, rtol=1e-5)
    torch.testing.assert_close(got.final, expected[:, :WIDTH], atol=5e-5, rtol=1e-5)
    unit = torch.nn.functional.normalize(expected, dim=1)
    torch.testing.assert_close(embedder.model.embed(images, cameras), unit, atol=1e-6, rtol=1e-5)
    assert embedder.info.camera_values == ("1", "2", "3", "4", "5", "6")
    assert embedder.preprocess.image_size == size
    assert (embedder.preprocess.mean, embedder.preprocess.test_interpolation) == (
        (0.5,) * 3,
        "bilinear",
    )
    assert len(embedder.info.classes) == 7


@torch.no_grad()
def test_it_is_saved_and_read_again(tmp_path):
    model, info = read_published(write(tmp_path, draw_file(32)), image_size=SIZE)
    save_model(tmp_path / "mine.safetensors", model, info)
    again, found = load_model(tmp_path / "mine.safetensors")
    images = torch.randn(1, 3, *SIZE, generator=torch.Generator().manual_seed(0))
    assert torch.equal(again.embed(images), model.embed(images))
    assert found == info
    with pytest.raises(ModelError, match="jigsaw"):
        model.backbone.image.project_tokens(model.features(images))


@pytest.mark.slow
@torch.no_grad()
@pytest.mark.parametrize("jigsaw", [True, False])
def test_training_starts_from_the_global_feature_of_an_unknown_camera(tmp_path, jigsaw):
    path = write(tmp_path, draw_file(128, jigsaw=jigsaw))
    published, _ = read_published(path)
    start = build_backbone(NAME, pretrained=path)
    images = torch.randn(1, 3, 256, 128, generator=torch.Generator().manual_seed(0))
    expected = published.features(images, torch.tensor([-1])).final
    torch.testing.assert_close(start.image(images).projected, expected, atol=5e-5, rtol=1e-5)


def test_views_and_coefficient_are_given(tmp_path):
    path = write(tmp_path, draw_file(128, cameras=6, jigsaw=False))
    model = promptreid.load(path, device="cpu", views=2, coefficient=1.5).model
    assert (model.sie.cameras, model.sie.views, model.sie.shape.coefficient) == (3, 2, 1.5)
    assert model.embedding_width == WIDTH
    assert model.backbone.image.image_size == (256, 128)
    with pytest.raises(WeightsError, match="6 rows, which 4 views do not divide"):
        read_published(path, views=4)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (
            {"b2.0.norm1.weight": torch.ones(5)},
            r"jigsaw\.block\.norm1\.weight \(5 in the file, 128",
        ),
        ({"b2.1.bias": None}, r"missing.*jigsaw\.norm\.bias"),
        ({"b1.0.attn.qkv.bias": None}, r"missing.*blocks\.11\.attn\.qkv\.bias"),
        ({"b3.0.norm1.weight": torch.ones(WIDTH)}, r"b3\.0\.norm1\.weight.*no part of TransReID"),
        ({"base.other": torch.ones(2)}, r"not part of the model.*trunk\.other"),
        ({"base.cls_token": torch.ones(1, 1, 500)}, "width 500"),
        ({"base.pos_embed": torch.ones(1, 34, WIDTH)}, "33 patches.*Give the image_size"),
        ({"base.sie_embed": torch.ones(6, 1, 5)}, "width 5"),
    ],
)
def test_what_does_not_fit_is_named(tmp_path, changes, words):
    content = draw_file(128) | changes
    path = write(tmp_path, {name: t for name, t in content.items() if t is not None})
    with pytest.raises((WeightsError, ModelError), match=words):
        read_published(path)
