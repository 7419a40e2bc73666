"""Run one stage: epochs of steps over a batch source, whatever the method."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, cast

import torch
from torch import Tensor, nn

from promptreid.config.stage import StageConfig
from promptreid.data.batches.samplers import derive_seed
from promptreid.errors import RunError
from promptreid.inference.device import forward_precision
from promptreid.losses.classification import image_text_logits
from promptreid.losses.states import LossState
from promptreid.losses.terms import total_loss
from promptreid.models.prompts.identity_prompt import IdentityPrompt
from promptreid.models.reid import ReIDModel
from promptreid.progress import Progress
from promptreid.training.stage.domain_losses import DomainOutputs, Domains
from promptreid.training.stage.ema import WeightAverage
from promptreid.training.stage.optimizer import build_optimizer, set_learning_rate
from promptreid.training.stage.schedule import learning_rate
from promptreid.training.stage.stage_batches import BatchSource, Step
from promptreid.training.stage.step_outputs import StepOutputs
from promptreid.training.stage.training_state import (
    TrainingState,
    optimizer_tensors,
    restore_optimizer,
)

DomainParts = Mapping[int, StepOutputs | DomainOutputs]


@dataclass
class StageRunner:
    """One stage over a model whose learning parts are already set.

    Attributes:
        config: Losses, optimizer, schedule, length.
        model: The model, on its device.
        parameters: Names and parameters that learn.
        source: Batches.
        text_bank: Encodes the texts of all identities, (V, C, d), without gradients.
        states: What loss terms remember between steps, by term name.
        average: Average of the weights that learn; None when none is wanted.
        domains: How losses are taken within domains; None for all classes together.
        state: Where to start; kept up to date, so that a checkpoint of it is always valid.
        precision: "fp32" or "bf16".
        device: Where the model is.
        seed: Seed of this stage.
        progress: Where to report.
        after_step: Called after each optimizer step, when a checkpoint would be valid.
        after_epoch: Called with the epoch's row before it joins the table.
        over: Tells whether the stage is to end before its last epoch.
    """

    config: StageConfig
    model: ReIDModel
    parameters: list[tuple[str, nn.Parameter]]
    source: BatchSource
    text_bank: Callable[[], Tensor]
    states: nn.ModuleDict
    average: WeightAverage | None
    domains: Domains | None
    state: TrainingState
    precision: str
    device: torch.device
    seed: int
    progress: Progress
    after_step: Callable[[], None]
    after_epoch: Callable[[dict[str, Any]], None]
    over: Callable[[], bool]

    def __post_init__(self) -> None:
        self._names = {id(parameter): name for name, parameter in self.parameters}
        self._terms = list(self.config.losses.active())
        self._optimizer = build_optimizer(
            self.parameters, self.config.optimizer, tower=self.model.backbone.image
        )
        restore_optimizer(self._optimizer, self._names, self.state.optimizer)
        if self.state.losses:
            self.states.load_state_dict(self.state.losses)
        if self.average is not None and self.state.average:
            self.average.restore(self.state.average)
        reads = {part for term in self.config.losses.active().values() for part in term.needs}
        self._reads_text = "prompt" in reads and isinstance(self.model.prompt, IdentityPrompt)
        self._text_learns = bool({"prompt", "text"} & set(self.config.learns))
        self._bank: Tensor | None = None
        self._domain_count = 0 if self.domains is None else len(self.domains.names)

    def run(self) -> None:
        """Run the stage from the state's epoch and step to its end, or until it is over.

        With an average of the weights, the model ends with the average.
        """
        while self.state.epoch <= self.config.epochs and not self.over():
            self._epoch(self.state.epoch)
        if self.average is not None:
            self.average.keep()
        self._optimizer.zero_grad(set_to_none=True)  # the next stage may freeze what learned here
        state = self.state
        state.optimizer, state.losses, state.average, state.rows = {}, {}, {}, None

    def capture(self) -> None:
        """Put the tensors of optimizer, losses and average into the state, for a checkpoint."""
        self.state.optimizer = optimizer_tensors(self._optimizer, self._names)
        self.state.losses = dict(self.states.state_dict())
        self.state.average = self.average.tensors() if self.average is not None else {}

    def _epoch(self, epoch: int) -> None:
        config, state = self.config, self.state
        sizes = self.source.sizes(epoch)
        count = len(sizes)
        sums = (
            state.sums
            if state.sums is not None
            else torch.zeros(len(self._terms) + 4 + self._domain_count)
        )
        state.sums = sums.to(self.device)
        self._refresh_texts()
        left = sum(sizes[state.step :])
        self.progress.start(f"{config.name} {epoch}/{config.epochs}", left, "images")
        begun, earlier = time.monotonic(), state.epoch_seconds
        batches = self.source.epoch(epoch, start=state.step)
        rate = self._rate(epoch, min(state.step, count - 1), count)
        while state.step < count:
            rate = self._rate(epoch, state.step, count)
            set_learning_rate(self._optimizer, rate)
            group = min(config.accumulate, count - state.step)
            self._optimizer.zero_grad(set_to_none=True)
            for number in range(state.step, state.step + group):
                self._forward_backward(epoch, number, lambda: next(batches), group)
            self._apply()
            state.step += group
            state.epoch_seconds = earlier + time.monotonic() - begun
            if state.step < count:
                self.after_step()
        self.progress.finish()
        self._close_epoch(epoch, rate)

    def _rate(self, epoch: int, step: int, steps: int) -> float:
        config = self.config
        return learning_rate(
            config.schedule,
            config.optimizer.lr,
            epoch=epoch,
            epochs=config.epochs,
            step=step,
            steps=steps,
        )

    def _refresh_texts(self) -> None:
        """Encode the texts of all identities once a stage if frozen, once an epoch if asked for."""
        if not self._reads_text:
            return
        if not self._text_learns:
            self._bank = self.text_bank() if self._bank is None else self._bank
        elif self.config.text == "epoch":
            # A resumed epoch must see the texts of its own beginning.
            if self.state.step == 0 or self.state.bank is None:
                self.state.bank = self.text_bank()
            self._bank = self.state.bank.to(self.device)

    def _forward_backward(
        self, epoch: int, number: int, next_batch: Callable[[], Step], group: int
    ) -> None:
        # Anything that draws from the global generator (dropout) repeats after a resume.
        torch.manual_seed(derive_seed(self.seed, 2, epoch, number))
        batch = next_batch()
        outputs = StepOutputs(
            self.model,
            batch,
            bank=self._bank,
            text_learns=self._text_learns,
            states=cast(Mapping[str, LossState], dict(self.states.items())),
            epoch=epoch,
            views=self.config.views,
        )
        with forward_precision(self.precision, self.device):
            parts = None if self.domains is None else dict(self.domains.split(outputs))
            loss, terms, each = self._losses(outputs, parts)
        (loss / group).backward()
        size = len(batch.labels)
        values = torch.stack([loss.detach(), *terms.values()]) * size
        counts = torch.stack([*self._counts(outputs, parts), *each]).to(values.dtype)
        assert self.state.sums is not None
        self.state.sums += torch.cat([values, counts])
        self.state.images += size
        self.progress.advance(size)

    def _losses(
        self, outputs: StepOutputs, parts: DomainParts | None
    ) -> tuple[Tensor, dict[str, Tensor], list[Tensor]]:
        """Return the loss, each term, and each domain's loss times the images of the batch."""
        if self.domains is None or parts is None:
            return *total_loss(outputs, self.config.losses), []
        found = {number: total_loss(part, self.config.losses) for number, part in parts.items()}
        share = 1 / len(found) if self.domains.reduce == "mean" else 1.0
        loss = torch.stack([one for one, _ in found.values()]).sum() * share
        terms = {
            name: torch.stack([terms[name] for _, terms in found.values()]).sum() * share
            for name in self._terms
        }
        none = torch.zeros((), device=loss.device)
        numbers = range(len(self.domains.names))
        each = [found[n][0].detach() if n in found else none for n in numbers]
        return loss, terms, [value * len(outputs.labels) for value in each]

    @torch.no_grad()
    def _counts(self, outputs: StepOutputs, parts: DomainParts | None) -> list[Tensor]:
        """Return images classified right, images classified, and pairs of image and own text."""
        if parts is None:
            return self._counts_of(outputs)
        rows = [torch.stack(self._counts_of(part)) for part in parts.values()]
        return list(torch.stack(rows).sum(0))

    def _counts_of(self, outputs: StepOutputs | DomainOutputs) -> list[Tensor]:
        labels = outputs.labels
        zero = torch.zeros((), device=labels.device)
        pairs = zero
        if {"supcon_i2t", "supcon_t2i"} & set(self._terms):
            pairs = zero + (labels[:, None] == labels[None, :]).sum()
        scores = self._class_scores(outputs)
        if scores is None:
            return [zero, zero, pairs]
        right = scores.argmax(1) == labels
        if outputs.clean is None:
            return [zero + right.sum(), zero + len(labels), pairs]
        return [zero + (right & outputs.clean).sum(), zero + outputs.clean.sum(), pairs]

    def _class_scores(self, outputs: StepOutputs | DomainOutputs) -> Tensor | None:
        """Return (B, C) scores, by text where all texts are read, else by the first classifier."""
        terms = self.config.losses.active()
        if "i2t" in terms:
            normalize = self.config.losses.i2t is not None and self.config.losses.i2t.normalize
            return image_text_logits(outputs.projected, outputs.identity_texts, normalize=normalize)
        kinds = [term.classifier for term in terms.values() if term.classifier is not None]
        return outputs.scores(kinds[0])[0] if kinds else None

    def _apply(self) -> None:
        if self.config.clip_norm is not None:
            nn.utils.clip_grad_norm_((p for _, p in self.parameters), self.config.clip_norm)
        self._optimizer.step()
        for state in self.states.children():
            cast(LossState, state).after_step(self.model)
        if self.average is not None:
            self.average.update()

    def _close_epoch(self, epoch: int, rate: float) -> None:
        state = self.state
        assert state.sums is not None
        means = (state.sums / max(state.images, 1)).tolist()
        loss, terms = means[0], means[1 : 1 + len(self._terms)]
        correct, judged, pairs, *each = means[1 + len(self._terms) :]
        if not torch.isfinite(state.sums).all():
            raise RunError(
                f"The loss of stage {self.config.name} is {loss} in epoch {epoch}. Lower "
                f"stages.{self.config.name}.optimizer.lr, set "
                f"stages.{self.config.name}.clip_norm=1, or try precision=fp32."
            )
        row: dict[str, Any] = {
            "stage": self.config.name,
            "epoch": epoch,
            "steps": state.step,
            "images": state.images,
            "seconds": round(state.epoch_seconds, 3),
            "lr": rate,
            "loss": loss,
            **{f"loss_{name}": value for name, value in zip(self._terms, terms, strict=True)},
            "accuracy": correct / judged if judged > 0 else "",
        }
        if {"supcon_i2t", "supcon_t2i"} & set(self._terms):
            row["positives"] = pairs
        if self.domains is not None:
            row |= {f"domain_{n}": v for n, v in zip(self.domains.names, each, strict=True)}
        state.seconds += state.epoch_seconds
        state.epoch, state.step, state.sums, state.bank = epoch + 1, 0, None, None
        state.images, state.epoch_seconds = 0, 0.0
        self.after_epoch(row)
