"""`prompt-step`: a step of CLIP-ReID's first stage, in which only words of identities learn."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from copy import deepcopy

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from benchmarks.compare import Check, Comparison, Settings
from benchmarks.plain_tower import plain_text
from benchmarks.sizes import backbone_name
from promptreid.config.model import PromptConfig
from promptreid.config.optimize import OptimizerConfig
from promptreid.losses.contrastive import supcon_cross_modal
from promptreid.models.prompts.identity_prompt import IdentityPrompt
from promptreid.models.prompts.prompt import PromptData
from promptreid.models.towers.backbone import build_backbone
from promptreid.training.stage.optimizer import build_optimizer

_LR = 3.5e-4  # that of CLIP-ReID
_DECAY = 1e-4


def prompt_step(settings: Settings) -> Iterator[Comparison]:
    """Compare forward, backward and Adam over a batch of samples, in float32.

    Plain: the 77 positions of each sample's sentence, and, since published code leaves the text
    tower's weights learnable, the gradients of all of them, which nobody reads. Ours: each identity
    of the batch once, its common beginning once for all, nothing after the position that is read,
    and a frozen tower.
    """
    identities, samples = (12, 8) if settings.quick else (751, 64)
    generator = torch.Generator().manual_seed(0)
    backbone = build_backbone(backbone_name(settings), pretrained="none", device=settings.device)
    prompt = IdentityPrompt.build(
        backbone, PromptConfig(), PromptData(identities), generator=generator
    )
    labels = torch.randint(identities, (samples,), generator=generator).to(settings.device)
    # Of a size at which the softmax is neither flat nor decided.
    images = torch.randn(samples, backbone.text.embed_dim, generator=generator) / 10
    images = images.to(settings.device)
    copy = deepcopy(prompt)  # the text tower with it, though it is not one of its modules
    copy.text.requires_grad_(True)
    prompt.text.requires_grad_(False)
    start = prompt.tokens.detach().clone()
    adam = torch.optim.Adam([copy.tokens], lr=_LR, weight_decay=_DECAY)
    config = OptimizerConfig(name="adam", lr=_LR, weight_decay=_DECAY)
    built = build_optimizer([("prompt.tokens", prompt.tokens)], config)

    def plain() -> tuple[Tensor, Tensor]:
        def texts() -> Tensor:
            return plain_text(copy.text, _whole_sentences(copy, labels), copy.slots[0].eot)

        def loss(texts: Tensor) -> Tensor:
            return _plain_loss(images, texts, labels)

        return _step(copy.tokens, adam, texts, loss)

    def ours() -> tuple[Tensor, Tensor]:
        def loss(texts: Tensor) -> Tensor:
            return supcon_cross_modal(images, texts, labels, labels) + supcon_cross_modal(
                texts, images, labels, labels
            )

        return _step(prompt.tokens, built, lambda: prompt(labels), loss)

    def prepare() -> None:
        copy.text.zero_grad(set_to_none=True)
        for tokens in (copy.tokens, prompt.tokens):
            tokens.grad = None
            with torch.no_grad():
                tokens.copy_(start)

    yield Comparison("prompt-step", plain, ours, _checks, repeats=3, prepare=prepare)


def _step(
    tokens: nn.Parameter,
    optimizer: torch.optim.Optimizer,
    encode: Callable[[], Tensor],
    loss: Callable[[Tensor], Tensor],
) -> tuple[Tensor, Tensor]:
    """Take one step; return text features and gradient."""
    texts = encode()
    loss(texts).backward()
    optimizer.step()
    assert tokens.grad is not None
    return texts.detach(), tokens.grad


def _whole_sentences(prompt: IdentityPrompt, labels: Tensor) -> Tensor:
    """Return all word embeddings of each sample's sentence, (B, context_length, width)."""
    prefix, suffix = (part.expand(len(labels), -1, -1) for part in (prompt.prefix, prompt.suffix))
    return torch.cat([prefix, prompt.tokens[labels], suffix], dim=1)


def _plain_loss(images: Tensor, texts: Tensor, labels: Tensor) -> Tensor:
    """Both directions of the supervised contrast, by its definition."""
    positive = (labels[:, None] == labels).float()
    logits = images @ texts.T
    total = torch.zeros((), device=images.device)
    for one in (logits, logits.T):
        log_p = F.log_softmax(one, dim=1)
        total = total - ((log_p * positive).sum(1) / positive.sum(1)).mean()
    return total


def _checks(plain: tuple[Tensor, Tensor], ours: tuple[Tensor, Tensor]) -> tuple[Check, ...]:
    texts = (plain[0] - ours[0]).abs().max().item()
    gradient = ((plain[1] - ours[1]).norm() / plain[1].norm()).item()
    return (
        Check("text features", texts, 1e-5),
        Check("gradient of the learned words, relative", gradient, 1e-4),
    )
