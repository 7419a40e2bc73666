"""TransReID's transformers as backbones: files fit as they are, and give the feature they gave."""

import argparse
from pathlib import Path

import pytest
import torch
from transreid_reference import (
    NAME,
    WIDTH,
    _narrow_transformers,  # noqa: F401 - a fixture
    compute_feature,
    draw,
    write,
)

from promptreid.config.recipes import load_recipe
from promptreid.errors import ConfigError, ModelError, WeightsError
from promptreid.models.image_only.transreid_names import find_input
from promptreid.models.image_only.transreid_vit import TRANSREIDS, TransReIDViT
from promptreid.models.towers.backbone import build_backbone, restore_backbone


@pytest.fixture(scope="module")
def tensors() -> dict[str, torch.Tensor]:
    """Bare names and random values, as large as those of trained weights."""
    return draw(NAME)


def around(tensors: dict[str, torch.Tensor], kind: str) -> object:
    """Put tensors into a file as TransReID, its pre-training and timm write them."""
    if kind == "transreid":
        head = {"classifier.weight": torch.zeros(7, WIDTH), "bottleneck.weight": torch.ones(WIDTH)}
        base = {f"base.{name}": value for name, value in tensors.items()}
        return base | head | {"base.fc.weight": torch.zeros(1000, WIDTH)}
    if kind == "dino":
        teacher = {f"module.backbone.{name}": value for name, value in tensors.items()}
        teacher["module.head.mlp.0.weight"] = torch.zeros(8, WIDTH)
        return {"student": {}, "teacher": teacher, "epoch": 3, "args": argparse.Namespace(lr=1e-3)}
    return {"model": tensors | {"head.weight": torch.zeros(1000, WIDTH)}}


@pytest.mark.parametrize("kind", ["transreid", "dino", "bare"])
def test_a_file_is_read_and_gives_its_feature(tensors, tmp_path: Path, kind: str) -> None:
    file = write(tmp_path, around(tensors, kind))
    backbone = build_backbone(NAME, pretrained=file)
    images = torch.randn(2, 3, 256, 128, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        features = backbone.image(images)
        expected = compute_feature(tensors, images, 16)
    torch.testing.assert_close(features.projected, expected, atol=2e-5, rtol=1e-5)
    torch.testing.assert_close(features.final, expected, atol=2e-5, rtol=1e-5)
    assert backbone.image.widths == (WIDTH, WIDTH, WIDTH)
    assert backbone.image.grid == (16, 8)
    assert (backbone.native.mean, backbone.native.std) == ((0.5,) * 3, (0.5,) * 3)


def test_overlapping_patches_keep_the_positions_they_were_trained_with(tensors, tmp_path) -> None:
    positions = torch.randn(1, 211, WIDTH, generator=torch.Generator().manual_seed(1))
    overlapping = tensors | {"pos_embed": positions}
    file = write(tmp_path, around(overlapping, "transreid"))
    backbone = build_backbone(NAME, pretrained=file, stride=12)
    images = torch.randn(1, 3, 256, 128, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        expected = compute_feature(overlapping, images, 12)
        got = backbone.image(images).projected
    torch.testing.assert_close(got, expected, atol=2e-5, rtol=1e-5)
    assert find_input(torch.zeros(1, 129, 8)) == ((256, 128), 16)
    with pytest.raises(WeightsError, match="131 patches"):
        find_input(torch.zeros(1, 132, 8))


def test_convolutions_before_the_patches(tmp_path: Path) -> None:
    name = f"{NAME}_ics"
    drawn = draw(name)
    backbone = build_backbone(name, pretrained=write(tmp_path, around(drawn, "dino")))
    images = torch.randn(2, 3, 256, 128, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        expected = compute_feature(drawn, images, 16)
        got = backbone.image(images).projected
    torch.testing.assert_close(got, expected, atol=2e-5, rtol=1e-5)
    with pytest.raises(ModelError, match="stride 12"):
        build_backbone(name, pretrained="none", stride=12)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"b1.0.norm1.weight": torch.ones(WIDTH)}, r"missing.*blocks\.11"),
        ({"base.norm.weight": torch.ones(5)}, r"norm\.weight \(5 in the file, 128 in the model\)"),
        ({"base.blocks.12.norm1.weight": torch.ones(WIDTH)}, r"blocks\.12\.norm1\.weight"),
        ({"base.norm.bias": None}, r"missing.*norm\.bias"),
        ({"gap.weight": torch.ones(2)}, r"gap\.weight"),
    ],
)
def test_what_does_not_fit_is_named(tensors, tmp_path: Path, changes, words: str) -> None:
    content = {**around(tensors, "transreid"), **changes}
    file = write(tmp_path, {name: value for name, value in content.items() if value is not None})
    with pytest.raises(WeightsError, match=words):
        build_backbone(NAME, pretrained=file)


def test_numbers_of_parameters() -> None:
    counts = {}
    for name, shape in TRANSREIDS.items():
        with torch.device("meta"):
            counts[name] = sum(p.numel() for p in TransReIDViT(shape).parameters())
    # A ViT-B/16 without its classifier has 85,798,656 at 197 tokens; these have 129.
    assert counts["transreid_vit_base"] == 85_798_656 - 68 * 768
    assert counts["transreid_vit_small"] == 21_665_664 - 68 * 384


def test_it_is_described_and_restored(tensors, tmp_path: Path) -> None:
    file = write(tmp_path, around(tensors, "bare"))
    backbone = build_backbone(NAME, pretrained=file, image_size=(128, 64), stride=16)
    again = restore_backbone(backbone.describe())
    again.load_state_dict(backbone.state_dict(), assign=True)
    images = torch.rand(2, 3, 128, 64)
    with torch.no_grad():
        assert torch.equal(backbone.image(images).projected, again.eval().image(images).projected)


def test_recipes_with_texts_are_refused_before_anything_is_built() -> None:
    name = "transreid_vit_small"
    assert load_recipe("finetune-losses", [f"backbone.name={name}"]).backbone.name == name
    with pytest.raises(ConfigError, match=r"no text tower.*prompt\.kind"):
        load_recipe("clip-reid", [f"backbone.name={name}"])
