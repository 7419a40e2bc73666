"""TransReID's transformers written out once more, function by function, from tensors of a file."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from torch.nn import functional as F

from promptreid.models.image_only.transreid_vit import TRANSREIDS, TransReIDShape, TransReIDViT

NAME = "transreid_vit_narrow"
WIDTH, HEADS = 128, 2

Tensors = dict[str, torch.Tensor]


@pytest.fixture(scope="module", autouse=True)
def _narrow_transformers() -> Iterator[None]:
    """Two more TransReID transformers, a third as wide as the smallest; import it to have them."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setitem(TRANSREIDS, NAME, TransReIDShape(WIDTH, HEADS))
        patched.setitem(TRANSREIDS, f"{NAME}_ics", TransReIDShape(WIDTH, HEADS, stem=True))
        yield


def draw(name: str) -> Tensors:
    """Draw bare names and random values, as large as those of trained weights."""
    generator = torch.Generator().manual_seed(3)
    with torch.device("meta"):
        trunk = TransReIDViT(TRANSREIDS[name]).trunk
    values = {}
    for key, value in trunk.state_dict().items():
        drawn = torch.randn(value.shape, generator=generator) * 0.05
        is_scale = value.ndim == 1 and key.endswith(("weight", "running_var"))
        values[key] = (drawn.abs() + 1 if is_scale else drawn) if value.ndim else torch.tensor(7)
    return values


def write(folder: Path, content: object) -> Path:
    """Write a file of weights."""
    file = folder / "weights.pth"
    torch.save(content, file)
    return file


def compute_feature(t: Tensors, images: torch.Tensor, stride: int) -> torch.Tensor:
    """Compute the class token after the last norm."""
    x = run_block(t, enter_last_block(t, images, stride), "blocks.11")
    return norm(t, x, "norm")[:, 0]


def enter_last_block(
    t: Tensors, images: torch.Tensor, stride: int, side: torch.Tensor | float = 0.0
) -> torch.Tensor:
    """Compute the tokens that enter the last block, with something added to all at the start."""
    if "patch_embed.conv.0.weight" in t:
        for number in (0, 3, 6):
            weight = t[f"patch_embed.conv.{number}.weight"]
            images = F.conv2d(
                images, weight, stride=1 if number else 2, padding=weight.shape[-1] // 2
            )
            images = norm_stem(t, images, f"patch_embed.conv.{number + 1}").relu()
        stride //= 2
    weight, bias = t["patch_embed.proj.weight"], t["patch_embed.proj.bias"]
    x = F.conv2d(images, weight, bias, stride=stride).flatten(2).transpose(1, 2)
    x = torch.cat([t["cls_token"].expand(len(x), -1, -1), x], dim=1) + t["pos_embed"] + side
    for number in range(11):
        x = run_block(t, x, f"blocks.{number}")
    return x


def run_block(t: Tensors, x: torch.Tensor, name: str) -> torch.Tensor:
    """Compute one block."""
    qkv = linear(t, norm(t, x, f"{name}.norm1"), f"{name}.attn.qkv")
    q, k, v = qkv.unflatten(2, (3, HEADS, WIDTH // HEADS)).permute(2, 0, 3, 1, 4)
    weights = (q @ k.transpose(-2, -1) * (WIDTH // HEADS) ** -0.5).softmax(dim=-1)
    x = x + linear(t, (weights @ v).transpose(1, 2).flatten(2), f"{name}.attn.proj")
    inner = F.gelu(linear(t, norm(t, x, f"{name}.norm2"), f"{name}.mlp.fc1"))
    return x + linear(t, inner, f"{name}.mlp.fc2")


def norm(t: Tensors, x: torch.Tensor, name: str) -> torch.Tensor:
    """Norm tokens."""
    return F.layer_norm(x, (WIDTH,), t[f"{name}.weight"], t[f"{name}.bias"], eps=1e-6)


def linear(t: Tensors, x: torch.Tensor, name: str) -> torch.Tensor:
    """Multiply tokens."""
    return F.linear(x, t[f"{name}.weight"], t[f"{name}.bias"])


def norm_stem(t: Tensors, x: torch.Tensor, name: str) -> torch.Tensor:
    """Norm a map of the convolutions before the patches."""
    if f"{name}.IN.weight" in t:
        alone = F.instance_norm(x[:, :32], weight=t[f"{name}.IN.weight"], bias=t[f"{name}.IN.bias"])
        return torch.cat([alone, norm_stem(t, x[:, 32:], f"{name}.BN")], dim=1)
    mean, variance = t[f"{name}.running_mean"], t[f"{name}.running_var"]
    return F.batch_norm(x, mean, variance, t[f"{name}.weight"], t[f"{name}.bias"])
