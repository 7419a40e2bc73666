"""`image-step`: a step of CLIP-ReID's second stage, in which the image tower learns."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from copy import deepcopy
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor
from torch.nn import functional as F

from benchmarks.compare import Check, Comparison, Settings
from benchmarks.peak import operations, share_of_peak
from benchmarks.plain_tower import plain_image
from benchmarks.sizes import backbone_name, image_size
from promptreid.config.model import HeadConfig
from promptreid.config.optimize import OptimizerConfig
from promptreid.config.recipes import load_recipe
from promptreid.inference.device import resolve_precision
from promptreid.inference.run_context import RunContext
from promptreid.losses.loss_inputs import BatchFeatures
from promptreid.losses.terms import total_loss
from promptreid.models.heads.head import Head, HeadShape
from promptreid.models.reid import ReIDModel, tower_widths
from promptreid.models.towers.backbone import build_backbone
from promptreid.models.towers.image_tower import ImageFeatures
from promptreid.models.towers.precision import NUMBER_TYPES
from promptreid.models.towers.text_tower import AbsentText
from promptreid.models.towers.vit import ViTTower
from promptreid.training.stage.learning_parts import set_learning
from promptreid.training.stage.optimizer import build_optimizer
from promptreid.training.stage.step_outputs import StepOutputs
from promptreid.training.step.loss_scaling import LossScaling

_LR, _DECAY = 5e-6, 1e-4  # those of CLIP-ReID
_SMOOTHING, _MARGIN = 0.1, 0.3


@dataclass(frozen=True)
class _Batch:
    """One batch with the texts of all identities."""

    images: Tensor
    labels: Tensor
    texts: Tensor


@dataclass
class _Result:
    """Loss and gradients of a step."""

    loss: float
    gradients: list[Tensor | None]


def image_step(settings: Settings) -> Iterator[Comparison]:
    """Compare forward, backward and Adam over a batch, with all losses.

    Plain: every token through every block, attention written out, in float32 and under autocast.
    Ours: what a trainer does on this machine, and where 16 bits are native in float32, too. The
    sides take the same steps from the same weights.
    """
    identities = 6 if settings.quick else 751
    people, each = (3, 2) if settings.quick else (16, 4)
    model = _model(settings, identities)
    generator = torch.Generator().manual_seed(1)
    labels = torch.randperm(identities, generator=generator)[:people].repeat_interleave(each)
    batch = _Batch(
        torch.randn(people * each, 3, *image_size(settings), generator=generator),
        labels,
        torch.randn(identities, model.widths["projected"], generator=generator) / 10,
    )
    batch = _Batch(*(part.to(settings.device) for part in vars(batch).values()))
    half = torch.float16 if settings.device.type == "cuda" else torch.bfloat16
    native = resolve_precision("auto", settings.device)
    rows = [("image-step", None, native), ("image-step autocast", half, native)]
    if native != "fp32":
        rows.insert(0, ("image-step float32", None, "fp32"))
    for name, plain_precision, precision in rows:
        yield _comparison(name, deepcopy(model), model, batch, plain_precision, precision, settings)


def _model(settings: Settings, identities: int) -> ReIDModel:
    backbone = build_backbone(
        backbone_name(settings),
        pretrained="none",
        image_size=image_size(settings),
        quick_gelu=True,  # the activation of OpenAI's weights, which CLIP-ReID starts from
    )
    backbone.text = AbsentText()  # its texts do not change during this stage
    head = Head(HeadConfig(), HeadShape(identities=identities), tower_widths(backbone, None, None))
    model = ReIDModel(backbone, head=head).to(settings.device)
    set_learning(model, ["image", "head"])
    return model


def _comparison(
    name: str,
    copy: ReIDModel,
    model: ReIDModel,
    batch: _Batch,
    plain_precision: torch.dtype | None,
    precision: str,
    settings: Settings,
) -> Comparison:
    model = deepcopy(model)
    plain = _plain(copy, batch, plain_precision)
    ours = _ours(model, batch, RunContext(settings.device, precision))
    held = 3 * sum(p.numel() * p.element_size() for p in model.parameters() if p.requires_grad)

    def prepare() -> None:
        copy.zero_grad(set_to_none=True)
        model.zero_grad(set_to_none=True)

    count = len(batch.labels)
    tower = model.backbone.image
    assert isinstance(tower, ViTTower)
    work = 3 * operations(tower) * count  # forward, and two products of that size backward
    exact = precision == "fp32" and plain_precision is None
    kind = NUMBER_TYPES[precision]

    def rates(slow: float, fast: float) -> str:
        share = share_of_peak(work / fast, settings, kind)
        return f"{count / slow:.1f} and {count / fast:.1f} images a second; {share}"

    return Comparison(
        name,
        plain,
        ours,
        partial(_checks, 1e-5 if exact else 1e-2, 1e-6 if exact else 2e-2),
        repeats=3,
        prepare=prepare,
        held=(held, held),  # weights and the two moments of Adam
        note=rates,
    )


def _plain(model: ReIDModel, batch: _Batch, precision: torch.dtype | None) -> Callable[[], _Result]:
    tower, head = model.backbone.image, model.head
    assert isinstance(tower, ViTTower)
    assert head is not None
    parameters = [p for p in model.parameters() if p.requires_grad]
    adam = torch.optim.Adam(parameters, lr=_LR, weight_decay=_DECAY)
    scaler = torch.amp.GradScaler(batch.images.device.type, enabled=precision == torch.float16)

    def step() -> _Result:
        reduced = torch.autocast(batch.images.device.type, dtype=precision)
        with reduced if precision is not None else contextlib.nullcontext():
            features = plain_image(tower, batch.images)
            scores = head.classify(head.neck(head.derive(features)), "linear")
            loss = _plain_loss(features, scores, batch)
        scaler.scale(loss).backward()
        scaler.unscale_(adam)
        scaler.step(adam)
        scaler.update()
        return _Result(loss.item(), [p.grad for p in parameters])

    return step


def _plain_loss(features: ImageFeatures, scores: list[Tensor], batch: _Batch) -> Tensor:
    """Identity, hardest triplets and image to text, by their definitions."""
    labels = batch.labels
    total = torch.zeros((), device=labels.device)
    for one in scores:
        total = total + 0.25 * _smoothed(one.float(), labels)
    same = labels[:, None] == labels
    for one in (features.penultimate, features.final, features.projected):
        values = one.float()
        square = (values[:, None] - values).pow(2).sum(2)
        distance = square.clamp(min=1e-12).sqrt()
        positive = torch.where(same, distance, -torch.inf).amax(1)
        negative = torch.where(same, torch.inf, distance).amin(1)
        total = total + (positive - negative + _MARGIN).clamp(min=0).mean()
    return total + _smoothed(features.projected.float() @ batch.texts.T, labels)


def _smoothed(logits: Tensor, labels: Tensor) -> Tensor:
    classes = logits.shape[1]
    target = torch.full_like(logits, _SMOOTHING / classes)
    target[torch.arange(len(labels)), labels] += 1 - _SMOOTHING
    return -(target * F.log_softmax(logits, dim=1)).sum(1).mean()


def _ours(model: ReIDModel, batch: _Batch, context: RunContext) -> Callable[[], _Result]:
    stage = load_recipe("clip-reid").stages[-1]
    named = [(name, p) for name, p in model.named_parameters() if p.requires_grad]
    config = OptimizerConfig(name="adam", lr=_LR, weight_decay=_DECAY)
    optimizer = build_optimizer(named, config, scaled=context.scales_losses)
    scaling = LossScaling(optimizer, context)
    bank, labels = batch.texts[None], batch.labels.cpu()

    def step() -> _Result:
        with context.forward():
            features = model.features(batch.images)
            derived = model.derived(features, training=True)
            one = BatchFeatures(
                labels=batch.labels,
                host_labels=labels,
                projected=features.projected,
                features=derived,
                host_variants=torch.zeros_like(labels),
            )
            outputs = StepOutputs(batch=one, head=model.head, bank=bank, text_learns=False)
            loss, _ = total_loss(outputs, stage.losses)
        scaling.backward(loss)
        scaling.step([p for _, p in named])
        return _Result(loss.item(), [p.grad for _, p in named])

    return step


def _checks(loss: float, gradient: float, plain: _Result, ours: _Result) -> tuple[Check, ...]:
    """Compare as closely as the allowed differences say."""
    dot = left = right = 0.0
    for a, b in zip(plain.gradients, ours.gradients, strict=True):
        if a is not None and b is not None:
            dot += (a * b).sum().item()
            left += a.pow(2).sum().item()
            right += b.pow(2).sum().item()
    return (
        Check("loss, relative", abs(plain.loss - ours.loss) / abs(plain.loss), loss),
        Check("gradient, one minus cosine", 1 - dot / (left * right) ** 0.5, gradient),
    )
