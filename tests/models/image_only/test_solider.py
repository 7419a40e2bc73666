"""SOLIDER's Swin transformers as backbones: files fit, and give the feature they gave."""

from pathlib import Path

import pytest
import torch
from torch.nn import functional as F

from promptreid.config.recipes import load_recipe
from promptreid.errors import ModelError, WeightsError
from promptreid.inference.load import load
from promptreid.inference.published.published_file import read_published
from promptreid.models.image_only.solider_swin import SOLIDERS, SoliderShape, SoliderSwin
from promptreid.models.towers.backbone import build_backbone, restore_backbone

NAME = "solider_swin_tiny"
SIZE = (70, 100)  # 18 x 25 cells: neither windows nor halves fit
WIDTH, DEPTHS, HEADS = 16, (2, 2, 2, 2), (1, 2, 4, 8)
LAST = 8 * WIDTH


@pytest.fixture(autouse=True)
def small(monkeypatch) -> None:
    """A tiny Swin that is narrow and has two blocks a stage."""
    monkeypatch.setitem(SOLIDERS, NAME, SoliderShape(WIDTH, DEPTHS, HEADS))


@pytest.fixture(scope="module")
def tensors() -> dict[str, torch.Tensor]:
    """The names of a file's backbone, with random values."""
    generator = torch.Generator().manual_seed(5)
    swin = SoliderSwin(SoliderShape(WIDTH, DEPTHS, HEADS))
    values = {
        name: torch.randn(value.shape, generator=generator) * 0.1 + (value.ndim == 1)
        for name, value in swin.state_dict().items()
    }
    for number in range(3):
        values[f"norm{number}.weight"] = torch.ones(WIDTH << number)
    values["semantic_embed_w.3.weight"] = torch.ones(LAST, 2)
    index = "stages.0.blocks.0.attn.w_msa.relative_position_index"
    return values | {index: torch.zeros(49, 49, dtype=torch.long)}


def around(tensors: dict[str, torch.Tensor], kind: str) -> object:
    """Put tensors into a file as the pre-training and SOLIDER-REID write them."""
    if kind == "tuned":
        head = {"classifier.weight": torch.zeros(7, LAST), "bottleneck.weight": torch.ones(LAST)}
        return {f"base.{name}": tensor for name, tensor in tensors.items()} | head
    if kind == "teacher":
        named = {f"backbone.{name}": tensor for name, tensor in tensors.items()}
        return {"teacher": named | {"head.mlp.0.weight": torch.zeros(2, 2)}, "epoch": 3}
    return tensors


def write(folder: Path, content: object) -> Path:
    file = folder / "weights.pth"
    torch.save(content, file)
    return file


def attend(t, name: str, x: torch.Tensor, heads: int, shift: int) -> torch.Tensor:
    """Let all cells of a padded map attend to all, but for those that no window joins."""
    rows, columns = x.shape[1:3]
    x = F.pad(x, (0, 0, 0, -columns % 7, 0, -rows % 7))
    padded_rows, padded_columns = x.shape[1:3]
    y, z = torch.meshgrid(torch.arange(padded_rows), torch.arange(padded_columns), indexing="ij")
    y, z = y.flatten(), z.flatten()
    moved_y, moved_z = (y - shift) % padded_rows, (z - shift) % padded_columns
    window = moved_y // 7 * 1000 + moved_z // 7  # and what wrapped around is not beside the rest
    side = (y < shift).long() * 2 + (z < shift).long()
    joined = (window[:, None] == window) & (side[:, None] == side)
    down = moved_y[:, None] - moved_y + 6
    right = moved_z[:, None] - moved_z + 6
    table = t[f"{name}.relative_position_bias_table"]
    bias = table[(down * 13 + right).clamp(0, 168)].permute(2, 0, 1)
    qkv = F.linear(x.flatten(1, 2), t[f"{name}.qkv.weight"], t[f"{name}.qkv.bias"])
    q, k, v = qkv.unflatten(2, (3, heads, -1)).permute(2, 0, 3, 1, 4)
    scores = q @ k.transpose(2, 3) * q.shape[-1] ** -0.5 + bias
    seen = scores.masked_fill(~joined, -torch.inf).softmax(dim=-1) @ v
    seen = F.linear(
        seen.transpose(1, 2).flatten(2), t[f"{name}.proj.weight"], t[f"{name}.proj.bias"]
    )
    return seen.unflatten(1, (padded_rows, padded_columns))[:, :rows, :columns]


def compute_feature(t: dict[str, torch.Tensor], images: torch.Tensor) -> torch.Tensor:
    """Compute the mean of the last map, function by function."""

    def norm(x: torch.Tensor, name: str) -> torch.Tensor:
        return F.layer_norm(x, x.shape[-1:], t[f"{name}.weight"], t[f"{name}.bias"])

    weight, bias = t["patch_embed.projection.weight"], t["patch_embed.projection.bias"]
    images = F.pad(images, (0, -images.shape[3] % 4, 0, -images.shape[2] % 4))
    x = norm(F.conv2d(images, weight, bias, stride=4).permute(0, 2, 3, 1), "patch_embed.norm")
    for stage, heads in enumerate(HEADS):
        for number in range(DEPTHS[stage]):
            name = f"stages.{stage}.blocks.{number}"
            shift = 3 * (number % 2)
            x = x + attend(t, f"{name}.attn.w_msa", norm(x, f"{name}.norm1"), heads, shift)
            first, second = f"{name}.ffn.layers.0.0", f"{name}.ffn.layers.1"
            inner = F.linear(norm(x, f"{name}.norm2"), t[f"{first}.weight"], t[f"{first}.bias"])
            x = x + F.linear(F.gelu(inner), t[f"{second}.weight"], t[f"{second}.bias"])
        if stage == 3:
            break
        x = F.pad(x, (0, 0, 0, x.shape[2] % 2, 0, x.shape[1] % 2)).permute(0, 3, 1, 2)
        grid = x.shape[2] // 2, x.shape[3] // 2
        cells = F.unfold(x, 2, stride=2).transpose(1, 2)
        merged = norm(cells, f"stages.{stage}.downsample.norm")
        x = F.linear(merged, t[f"stages.{stage}.downsample.reduction.weight"]).unflatten(1, grid)
        asked = torch.tensor([0.2, 0.8])
        scale, move = (
            F.linear(asked, t[f"{name}.{stage}.weight"], t[f"{name}.{stage}.bias"])
            for name in ("semantic_embed_w", "semantic_embed_b")
        )
        x = x * F.softplus(scale) + move
    return norm(x, "norm3").mean(dim=(1, 2))


@torch.no_grad()
@pytest.mark.parametrize("kind", ["tuned", "teacher", "bare"])
def test_a_file_is_read_and_gives_its_feature(tensors, tmp_path: Path, kind: str) -> None:
    file = write(tmp_path, around(tensors, kind))
    backbone = build_backbone(NAME, pretrained=file, image_size=SIZE)
    images = torch.randn(2, 3, *SIZE, generator=torch.Generator().manual_seed(0))
    features = backbone.image(images, tokens=True)
    expected = compute_feature(tensors, images)
    torch.testing.assert_close(features.projected, expected, atol=2e-5, rtol=1e-5)
    assert features.tokens.shape == (2, 3 * 4, LAST)
    assert backbone.image.grid == (3, 4)
    torch.testing.assert_close(features.tokens.mean(dim=1), expected, atol=2e-5, rtol=1e-5)
    assert backbone.image.project_tokens(features).shape == (2, 13, LAST)
    assert (backbone.native.image_size, backbone.native.mean) == ((384, 128), (0.5,) * 3)


@torch.no_grad()
def test_a_tuned_file_is_scored_as_it_is(tensors, tmp_path: Path) -> None:
    file = write(tmp_path, around(tensors, "tuned"))
    embedder = load(file, device="cpu", image_size=SIZE)
    images = torch.randn(2, 3, *SIZE, generator=torch.Generator().manual_seed(0))
    unit = F.normalize(compute_feature(tensors, images), dim=1)
    torch.testing.assert_close(embedder.model.embed(images), unit, atol=1e-6, rtol=1e-5)
    assert len(embedder.info.classes) == 7
    assert load(file, device="cpu").preprocess.image_size == (384, 128)
    backbone = embedder.model.backbone
    again = restore_backbone(backbone.describe())
    again.load_state_dict(backbone.state_dict(), assign=True)
    assert torch.equal(again.eval().image(images).final, backbone.image(images).final)


def test_the_controller_stays_as_it_is() -> None:
    image = build_backbone(NAME, pretrained="none", image_size=SIZE).image
    image(torch.zeros(1, 3, *SIZE)).projected.sum().backward()
    frozen = {name for name, p in image.named_parameters() if p.grad is None}
    assert frozen == {name for name, _ in image.named_parameters() if "semantic" in name}
    assert len(image.blocks()) == 8
    with pytest.raises(ModelError, match="stride is 16"):
        image.fit(SIZE, 16)
    with pytest.raises(ModelError, match="at least 32x32"):
        image.fit((16, 64), None)
    assert load_recipe("finetune-losses", [f"backbone.name={NAME}"]).backbone.name == NAME


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (
            {"base.norm3.weight": torch.ones(5)},
            r"norm3\.weight \(5 in the file, 128 in the model\)",
        ),
        ({"base.stages.0.downsample.other": torch.ones(5)}, r"stages\.0\.downsample\.other"),
        ({"base.norm3.bias": None}, r"missing.*norm3\.bias"),
        ({"other.weight": torch.ones(2)}, r"other\.weight.*no part of SOLIDER"),
        ({"fcneck.weight": torch.ones(2, 2)}, "REDUCE_FEAT_DIM"),
        ({"base.stages.2.blocks.2.norm1.weight": torch.ones(64)}, "width 16 with 3 blocks"),
    ],
)
def test_what_does_not_fit_is_named(tensors, tmp_path: Path, changes, words: str) -> None:
    content = {**around(tensors, "tuned"), **changes}
    file = write(tmp_path, {name: value for name, value in content.items() if value is not None})
    with pytest.raises(WeightsError, match=words):
        read_published(file)


def test_numbers_of_parameters(monkeypatch) -> None:
    monkeypatch.undo()
    with torch.device("meta"):
        swin = SoliderSwin(SOLIDERS["solider_swin_base"])
    semantic = sum(p.numel() for n, p in swin.named_parameters() if "semantic" in n)
    # Swin-B of 224 pixels without its classifier has 86,743,224.
    assert sum(p.numel() for p in swin.parameters()) - semantic == 86_743_224
