"""Run one stage: epochs of steps over a batch source, whatever the method."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from promptreid.config.schema import StageConfig
from promptreid.data.samplers import derive_seed
from promptreid.errors import RunError
from promptreid.losses.terms import total_loss
from promptreid.models.reid import ReIDModel
from promptreid.progress import Progress
from promptreid.training.batches import BatchSource, Step
from promptreid.training.device import forward_precision
from promptreid.training.optimizer import build_optimizer, set_learning_rate
from promptreid.training.outputs import StepOutputs
from promptreid.training.schedule import learning_rate
from promptreid.training.state import TrainingState, optimizer_tensors, restore_optimizer


@dataclass
class StageRunner:
    """One stage over a model whose learning parts are already set.

    Attributes:
        config: Losses, optimizer, schedule, length.
        model: The model, on its device.
        parameters: Names and parameters that learn.
        source: Batches.
        bank: (C, d) text features of all identities when prompts are frozen and read, else None.
        state: Where to start; kept up to date, so that a checkpoint of it is always valid.
        precision: "fp32" or "bf16".
        device: Where the model is.
        seed: Seed of this stage.
        progress: Where to report.
        after_step: Called after each optimizer step, when a checkpoint would be valid.
        after_epoch: Called with the epoch's row before it joins the table.
    """

    config: StageConfig
    model: ReIDModel
    parameters: list[tuple[str, nn.Parameter]]
    source: BatchSource
    bank: Tensor | None
    state: TrainingState
    precision: str
    device: torch.device
    seed: int
    progress: Progress
    after_step: Callable[[], None]
    after_epoch: Callable[[dict[str, Any]], None]

    def __post_init__(self) -> None:
        self._names = {id(parameter): name for name, parameter in self.parameters}
        self._terms = list(self.config.losses.active())
        self._optimizer = build_optimizer(self.parameters, self.config.optimizer)
        restore_optimizer(self._optimizer, self._names, self.state.optimizer)

    def run(self) -> None:
        """Run the stage from the state's epoch and step to its end."""
        while self.state.epoch <= self.config.epochs:
            self._epoch(self.state.epoch)
        self.state.optimizer = {}

    def capture(self) -> None:
        """Put the optimizer's tensors into the state, for a checkpoint."""
        self.state.optimizer = optimizer_tensors(self._optimizer, self._names)

    def _epoch(self, epoch: int) -> None:
        config, state = self.config, self.state
        rate = learning_rate(
            config.schedule, config.optimizer.lr, epoch=epoch, epochs=config.epochs
        )
        set_learning_rate(self._optimizer, rate)
        count = self.source.count(epoch)
        sums = state.sums if state.sums is not None else torch.zeros(len(self._terms) + 2)
        state.sums = sums.to(self.device)
        self.progress.start(
            f"{config.name} {epoch}/{config.epochs}",
            (count - state.step) * config.batch.total,
            "images",
        )
        begun, earlier = time.monotonic(), state.epoch_seconds
        batches = self.source.epoch(epoch, start=state.step)
        while state.step < count:
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

    def _forward_backward(
        self, epoch: int, number: int, next_batch: Callable[[], Step], group: int
    ) -> None:
        # Anything that draws from the global generator (dropout) repeats after a resume.
        torch.manual_seed(derive_seed(self.seed, 2, epoch, number))
        batch = next_batch()
        outputs = StepOutputs(self.model, batch.labels, batch.projected, batch.features, self.bank)
        with forward_precision(self.precision, self.device):
            loss, terms = total_loss(outputs, self.config.losses)
        (loss / group).backward()
        size = len(batch.labels)
        correct = _correct(outputs)
        values = torch.stack([loss.detach(), *terms.values()]) * size
        assert self.state.sums is not None
        self.state.sums += torch.cat([values, correct[None].to(values.dtype)])
        self.state.images += size
        self.progress.advance(size)

    def _apply(self) -> None:
        if self.config.clip_norm is not None:
            nn.utils.clip_grad_norm_((p for _, p in self.parameters), self.config.clip_norm)
        self._optimizer.step()

    def _close_epoch(self, epoch: int, rate: float) -> None:
        state = self.state
        assert state.sums is not None
        loss, *terms, correct = (state.sums / max(state.images, 1)).tolist()
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
            "accuracy": correct if correct >= 0 else "",
        }
        state.seconds += state.epoch_seconds
        state.epoch, state.step, state.sums = epoch + 1, 0, None
        state.images, state.epoch_seconds = 0, 0.0
        self.after_epoch(row)


@torch.no_grad()
def _correct(outputs: StepOutputs) -> Tensor:
    """Count images whose own identity scores highest, by text where it is read, else by classifier.

    Minus one per image where there are no scores over identities.
    """
    scores = outputs.__dict__.get("text_logits")
    if scores is None:
        logits = outputs.__dict__.get("logits")
        scores = logits[0] if logits else None
    if scores is None:
        return torch.tensor(-float(len(outputs.labels)), device=outputs.labels.device)
    return (scores.argmax(1) == outputs.labels).sum()
