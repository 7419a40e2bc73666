"""Training steps with rising numbers of identities: prompts that learn, and classifiers."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from benchmarks.compare import Settings
from benchmarks.growth_work import Work
from benchmarks.sizes import backbone_name
from promptreid.config.model import HeadConfig, PromptConfig
from promptreid.losses.contrastive import supcon_cross_modal
from promptreid.models.heads.head import Head, HeadShape
from promptreid.models.prompts.identity_prompt import IdentityPrompt
from promptreid.models.prompts.prompt import PromptData
from promptreid.models.towers.backbone import build_backbone

_LR = 3.5e-4  # that of CLIP-ReID
_WIDTHS = {"penultimate": 768, "final": 768, "projected": 512}  # of ViT-B/16


def identity_work(settings: Settings) -> Iterator[Work]:
    """Take steps of 64 samples with a hundred to a hundred thousand identities, in float32."""
    sizes = (10, 100) if settings.quick else (10**2, 10**3, 10**4, 10**5)
    samples = 8 if settings.quick else 64
    backbone = build_backbone(backbone_name(settings), pretrained="none", device=settings.device)
    backbone.text.requires_grad_(False)
    for size in sizes:
        labels = torch.arange(samples, device=settings.device) % size
        prompt = IdentityPrompt.build(backbone, PromptConfig(), PromptData(size))
        images = _features(samples, backbone.text.embed_dim, settings.device) / 10
        yield _work("prompt step", size, [prompt.tokens], _prompt_loss(prompt, images, labels))
        del prompt
        head = Head(HeadConfig(), HeadShape(identities=size), _WIDTHS).to(settings.device)
        found = {
            name: _features(samples, width, settings.device) for name, width in _WIDTHS.items()
        }
        learned = [weight for weight in head.parameters() if weight.requires_grad]
        yield _work("classifier step", size, learned, _class_loss(head, found, labels))


def _work(name: str, size: int, learned: list[nn.Parameter], loss: Callable[[], Tensor]) -> Work:
    """Return a step of Adam; a first one is taken here, which makes the moments."""
    optimizer = torch.optim.Adam(learned, lr=_LR)

    def run() -> None:
        loss().backward()
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)

    run()
    weights = sum(weight.nbytes for weight in learned)
    return Work(name, size, run, held=3 * weights)


def _prompt_loss(prompt: IdentityPrompt, images: Tensor, labels: Tensor) -> Callable[[], Tensor]:
    def loss() -> Tensor:
        texts = prompt(labels)
        return supcon_cross_modal(images, texts, labels, labels) + supcon_cross_modal(
            texts, images, labels, labels
        )

    return loss


def _class_loss(head: Head, found: dict[str, Tensor], labels: Tensor) -> Callable[[], Tensor]:
    def loss() -> Tensor:
        scores = head.scores(found, "linear")
        return torch.stack([F.cross_entropy(part, labels) for part in scores]).sum()

    return loss


def _features(samples: int, width: int, device: torch.device) -> Tensor:
    generator = torch.Generator().manual_seed(width)
    return torch.randn(samples, width, generator=generator).to(device)
