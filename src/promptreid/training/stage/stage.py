"""Run one stage: epochs of steps over a batch source, whatever the method."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from promptreid.config.stage import StageConfig
from promptreid.errors import RunError
from promptreid.inference.run_context import RunContext
from promptreid.models.reid import ReIDModel
from promptreid.progress.counted_task import counting
from promptreid.training.batches.stage_batches import BatchSource
from promptreid.training.stage.ema import WeightAverage
from promptreid.training.stage.optimizer import build_optimizer, set_learning_rate
from promptreid.training.stage.schedule import learning_rate
from promptreid.training.stage.step_losses import empty_sums, mean_values
from promptreid.training.stage.step_outputs import Domains
from promptreid.training.stage.training_state import (
    TrainingState,
    optimizer_tensors,
    restore_optimizer,
)
from promptreid.training.step.training_step import StepReport, TrainingStep


@dataclass
class StageRunner:
    """One stage over a model whose learning parts are already set.

    Attributes:
        config: Losses, optimizer, schedule, length.
        model: The model, on its device.
        parameters: Names and parameters that learn.
        source: Batches.
        states: What loss terms remember between steps, by term name.
        average: Average of the weights that learn; None when none is wanted.
        domains: How losses are taken within domains; None for all classes together.
        state: Where to start; kept up to date, so that a checkpoint of it is always valid.
        context: Where and how to compute, with the seed of this stage.
        after_step: Called after each optimizer step, when a checkpoint would be valid.
        after_epoch: Called with the epoch's row before it joins the table.
        over: Tells whether the stage is to end before its last epoch.
    """

    config: StageConfig
    model: ReIDModel
    parameters: list[tuple[str, nn.Parameter]]
    source: BatchSource
    states: nn.ModuleDict
    average: WeightAverage | None
    domains: Domains | None
    state: TrainingState
    context: RunContext
    after_step: Callable[[], None]
    after_epoch: Callable[[dict[str, Any]], None]
    over: Callable[[], bool]

    def __post_init__(self) -> None:
        self._names = {id(parameter): name for name, parameter in self.parameters}
        self._optimizer = build_optimizer(
            self.parameters,
            self.config.optimizer,
            tower=self.model.backbone.image,
            scaled=self.context.scales_losses,
        )
        restore_optimizer(self._optimizer, self._names, self.state.optimizer)
        if self.state.losses:
            self.states.load_state_dict(self.state.losses)
        if self.average is not None and self.state.average:
            self.average.restore(self.state.average)
        self._step = TrainingStep(
            self.config,
            self.model,
            [parameter for _, parameter in self.parameters],
            optimizer=self._optimizer,
            states=self.states,
            average=self.average,
            domains=self.domains,
            context=self.context,
        )
        self._step.scaling.restore(self.state.scaling)
        self._step.memory.restore(self.state.parts)
        self._prompt = self.model.identity_prompt
        terms = self.config.losses.active().values()
        self._reads_texts = any("prompt" in term.needs for term in terms)
        self._text_learns = bool({"prompt", "text"} & set(self.config.learns))
        self._bank: Tensor | None = None

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
        state.scaling, state.parts = {}, 0

    def capture(self) -> None:
        """Put what optimizer, loss scale, losses and average hold into the state."""
        self.state.optimizer = optimizer_tensors(self._optimizer, self._names)
        self.state.losses = dict(self.states.state_dict())
        self.state.average = self.average.tensors() if self.average is not None else {}
        self.state.scaling = self._step.scaling.state()
        self.state.parts = self._step.memory.parts

    def _epoch(self, epoch: int) -> None:
        config, state = self.config, self.state
        sizes = self.source.sizes(epoch)
        count = len(sizes)
        if state.sums is None:
            state.sums = empty_sums(config.losses, self.domains)
        state.sums = state.sums.to(self.context.device)
        self._refresh_texts()
        left = sum(sizes[state.step :])
        title = f"{config.name} {epoch}/{config.epochs}"
        begun, earlier = time.monotonic(), state.epoch_seconds
        batches = self.source.epoch(epoch, start=state.step)
        rate = self._rate(epoch, min(state.step, count - 1), count)
        with counting(self.context.progress, title, left, "images"):
            while state.step < count:
                # Steps that were left out do not count for the schedule.
                rate = self._rate(epoch, state.step - state.skipped, count)
                set_learning_rate(self._optimizer, rate)
                numbers = range(state.step, min(state.step + config.accumulate, count))
                report = self._step.take(epoch, numbers, lambda: next(batches), bank=self._bank)
                self._note(report, batches=len(numbers))
                state.epoch_seconds = earlier + time.monotonic() - begun
                if state.step < count:
                    self.after_step()
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
        if self._prompt is None or not self._reads_texts:
            return
        if not self._text_learns:
            self._bank = self._prompt.bank() if self._bank is None else self._bank
        elif self.config.text == "epoch":
            # A resumed epoch must see the texts of its own beginning.
            if self.state.step == 0 or self.state.bank is None:
                self.state.bank = self._prompt.bank()
            self._bank = self.state.bank.to(self.context.device)

    def _note(self, report: StepReport, *, batches: int) -> None:
        """Count a step and its losses; those of a step that was left out mean nothing."""
        state = self.state
        assert state.sums is not None
        state.step += batches
        if report.taken:
            for sums in report.sums:
                state.sums += sums
            state.images += report.images
        else:
            state.skipped += batches
        self.context.progress.advance(report.images)

    def _close_epoch(self, epoch: int, rate: float) -> None:
        config, state = self.config, self.state
        assert state.sums is not None
        values = mean_values(state.sums, state.images, config.losses, self.domains)
        if state.skipped == state.step:
            raise RunError(
                f"Every step of stage {config.name} overflowed in fp16 in epoch {epoch}, so that "
                "nothing was learned. Set hardware.precision=bf16 where the device has it, else "
                "hardware.precision=fp32."
            )
        if not torch.isfinite(state.sums).all():
            raise RunError(
                f"The loss of stage {config.name} is {values['loss']} in epoch {epoch}. Lower "
                f"stages.{config.name}.optimizer.lr, set stages.{config.name}.clip_norm=1, or try "
                "hardware.precision=fp32."
            )
        row: dict[str, Any] = {
            "stage": config.name,
            "epoch": epoch,
            "steps": state.step,
            "images": state.images,
            "seconds": round(state.epoch_seconds, 3),
            "lr": rate,
            **values,
            **({"skipped": state.skipped} if self._step.scaling.enabled else {}),
        }
        state.seconds += state.epoch_seconds
        state.epoch, state.step, state.sums, state.bank = epoch + 1, 0, None, None
        state.images, state.skipped, state.epoch_seconds = 0, 0, 0.0
        self.after_epoch(row)
