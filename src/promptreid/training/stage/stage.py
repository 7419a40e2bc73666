"""Run one stage: epochs of steps over a batch source, whatever the method."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, cast

import torch
from torch import Tensor, nn

from promptreid.config.stage import StageConfig
from promptreid.errors import RunError
from promptreid.inference.run_context import RunContext
from promptreid.losses.loss_inputs import BatchFeatures
from promptreid.losses.loss_state import LossState
from promptreid.models.reid import ReIDModel
from promptreid.seeds import derive_seed
from promptreid.training.batches.stage_batches import BatchSource
from promptreid.training.stage.ema import WeightAverage
from promptreid.training.stage.optimizer import build_optimizer, set_learning_rate
from promptreid.training.stage.schedule import learning_rate
from promptreid.training.stage.step_losses import empty_sums, mean_values, step_losses
from promptreid.training.stage.step_outputs import Domains, StepOutputs
from promptreid.training.stage.training_state import (
    TrainingState,
    optimizer_tensors,
    restore_optimizer,
)


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
            self.parameters, self.config.optimizer, tower=self.model.backbone.image
        )
        restore_optimizer(self._optimizer, self._names, self.state.optimizer)
        if self.state.losses:
            self.states.load_state_dict(self.state.losses)
        if self.average is not None and self.state.average:
            self.average.restore(self.state.average)
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

    def capture(self) -> None:
        """Put the tensors of optimizer, losses and average into the state, for a checkpoint."""
        self.state.optimizer = optimizer_tensors(self._optimizer, self._names)
        self.state.losses = dict(self.states.state_dict())
        self.state.average = self.average.tensors() if self.average is not None else {}

    def _epoch(self, epoch: int) -> None:
        config, state = self.config, self.state
        sizes = self.source.sizes(epoch)
        count = len(sizes)
        if state.sums is None:
            state.sums = empty_sums(config.losses, self.domains)
        state.sums = state.sums.to(self.context.device)
        self._refresh_texts()
        left = sum(sizes[state.step :])
        self.context.progress.start(f"{config.name} {epoch}/{config.epochs}", left, "images")
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
        self.context.progress.finish()
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

    def _forward_backward(
        self, epoch: int, number: int, next_batch: Callable[[], BatchFeatures], group: int
    ) -> None:
        # Anything that draws from the global generator (dropout) repeats after a resume.
        torch.manual_seed(derive_seed(self.context.seed, 2, epoch, number))
        batch = next_batch()
        outputs = StepOutputs(
            batch=batch,
            prompt=self._prompt,
            head=self.model.head,
            bank=self._bank,
            text_learns=self._text_learns,
            states=cast(Mapping[str, LossState], dict(self.states.items())),
            epoch=epoch,
            views=self.config.views,
        )
        with self.context.forward():
            losses = step_losses(outputs, self.config.losses, self.domains)
        (losses.loss / group).backward()
        size = len(batch.labels)
        assert self.state.sums is not None
        self.state.sums += losses.sums(size)
        self.state.images += size
        self.context.progress.advance(size)

    def _apply(self) -> None:
        if self.config.clip_norm is not None:
            nn.utils.clip_grad_norm_((p for _, p in self.parameters), self.config.clip_norm)
        self._optimizer.step()
        for state in self.states.children():
            cast(LossState, state).after_step(self.model)
        if self.average is not None:
            self.average.update()

    def _close_epoch(self, epoch: int, rate: float) -> None:
        config, state = self.config, self.state
        assert state.sums is not None
        values = mean_values(state.sums, state.images, config.losses, self.domains)
        if not torch.isfinite(state.sums).all():
            raise RunError(
                f"The loss of stage {config.name} is {values['loss']} in epoch {epoch}. Lower "
                f"stages.{config.name}.optimizer.lr, set stages.{config.name}.clip_norm=1, or try "
                "precision=fp32."
            )
        row: dict[str, Any] = {
            "stage": config.name,
            "epoch": epoch,
            "steps": state.step,
            "images": state.images,
            "seconds": round(state.epoch_seconds, 3),
            "lr": rate,
            **values,
        }
        state.seconds += state.epoch_seconds
        state.epoch, state.step, state.sums, state.bank = epoch + 1, 0, None, None
        state.images, state.epoch_seconds = 0, 0.0
        self.after_epoch(row)
