"""One optimizer step: forward and backward over its batches, then the weights move."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor, nn

from promptreid.config.stage import StageConfig
from promptreid.errors import RunError, is_out_of_memory
from promptreid.inference.run_context import RunContext
from promptreid.losses.loss_state import LossState
from promptreid.models.reid import ReIDModel
from promptreid.processes.gradient_sums import sum_gradients
from promptreid.seeds import derive_seed
from promptreid.training.batches.stage_batches import DrawnBatch
from promptreid.training.stage.ema import WeightAverage
from promptreid.training.stage.step_losses import step_losses
from promptreid.training.stage.step_outputs import Domains, StepOutputs
from promptreid.training.step.batch_parts import BatchParts
from promptreid.training.step.loss_scaling import LossScaling
from promptreid.training.step.step_undo import StepUndo


@dataclass(frozen=True)
class StepReport:
    """What a step did.

    Attributes:
        taken: Whether the weights moved; they do not when a gradient overflowed in fp16.
        sums: What `StepLosses.sums` gave for each batch.
        images: Images of all batches.
    """

    taken: bool
    sums: list[Tensor]
    images: int


class TrainingStep:
    """Takes the optimizer steps of a stage.

    A step that overflowed in fp16 leaves nothing behind but a smaller scale: neither weights nor
    their average move, and batch norms and loss terms are as they were before it. The same holds
    for passes that ran out of memory, before they are computed again in more parts.

    Attributes:
        scaling: Scale of the loss in fp16.
        memory: In how many parts batches pass the towers.
    """

    def __init__(
        self,
        config: StageConfig,
        model: ReIDModel,
        parameters: Sequence[nn.Parameter],
        *,
        optimizer: torch.optim.Optimizer,
        states: nn.ModuleDict,
        average: WeightAverage | None,
        domains: Domains | None,
        context: RunContext,
    ) -> None:
        """Take what a step needs beside its batches.

        Args:
            config: Losses and clipping.
            model: The model, its learning parts set.
            parameters: Those that learn.
            optimizer: Moves the parameters.
            states: What loss terms remember between steps, by term name.
            average: Average of the weights; None when none is wanted.
            domains: How losses are taken within domains; None for all classes together.
            context: Where and how to compute, with the seed of the stage.
        """
        self._config, self._model, self._parameters = config, model, parameters
        self._optimizer, self._states, self._average = optimizer, states, average
        self._domains, self._context = domains, context
        self._text_learns = bool({"prompt", "text"} & set(config.learns))
        self.scaling = LossScaling(optimizer, context)
        self.memory = BatchParts(config, model, context)
        self._images = config.batch.count * config.views

    def take(
        self, epoch: int, numbers: range, draw: Callable[[], DrawnBatch], *, bank: Tensor | None
    ) -> StepReport:
        """Take one step over some batches of an epoch, by the mean of their losses.

        Args:
            epoch: Number of the epoch, from 1.
            numbers: Places of the batches in the epoch.
            draw: Gives the next batch.
            bank: (V, C, d) text features of all identities where they are kept; else None.

        Raises:
            RunError: Memory does not suffice, and batches may not be split any further.
        """
        drawn: dict[int, DrawnBatch] = {}
        keeps = self.scaling.enabled or self.memory.may_grow
        undo = StepUndo(self._model, self._states) if keeps else None
        while True:
            self._optimizer.zero_grad(set_to_none=True)
            try:
                sums, images = self._accumulate(epoch, numbers, draw, drawn, bank)
                sum_gradients(self._parameters, self._context.processes)
                break
            except Exception as error:
                if not is_out_of_memory(error):
                    raise
                if undo is None or not self.memory.can_grow(self._images):
                    raise RunError(self.memory.explain(self._images, error)) from error
            # Only here, behind the error, is the memory free that its frames held.
            undo.undo()
            self.memory.grow(self._images)
        taken = self._move()
        if not taken and undo is not None:
            undo.undo()
        return StepReport(taken, sums, images)

    def _accumulate(
        self,
        epoch: int,
        numbers: range,
        draw: Callable[[], DrawnBatch],
        drawn: dict[int, DrawnBatch],
        bank: Tensor | None,
    ) -> tuple[list[Tensor], int]:
        """Add up the gradients of batches; return what each measured, and the number of images.

        Args:
            epoch: Number of the epoch, from 1.
            numbers: Places of the batches in the epoch.
            draw: Gives the next batch.
            drawn: Batches that were drawn already, by place; kept where they may be needed again.
            bank: Kept text features of all identities, or None.
        """
        sums, images = [], 0
        for number in numbers:
            # Anything that draws from the global generator (dropout) repeats after a resume.
            torch.manual_seed(derive_seed(self._context.seed, 2, epoch, number))
            batch = drawn[number] if number in drawn else self._draw(draw)
            if self.memory.may_grow:
                drawn[number] = batch
            self._images = batch.images
            outputs = self._outputs(batch, epoch, bank)
            with self._context.forward():
                losses = step_losses(outputs, self._config.losses, self._domains)
            self.scaling.backward(losses.loss / (len(numbers) * self._context.processes.count))
            sums.append(losses.sums(batch.images))
            images += batch.images
        return sums, images

    def _draw(self, draw: Callable[[], DrawnBatch]) -> DrawnBatch:
        try:
            return draw()
        except Exception as error:
            if is_out_of_memory(error):  # nothing was computed, so there is nothing to split
                raise RunError(self.memory.explain(self._images, error)) from error
            raise

    def _move(self) -> bool:
        """Move the weights and all that follows them; return whether the step was taken."""
        try:
            taken = self.scaling.step(self._parameters, clip_norm=self._config.clip_norm)
        except Exception as error:
            if is_out_of_memory(error):  # weights may have moved in part: too late to split
                raise RunError(self.memory.explain(self._images, error)) from error
            raise
        if taken:
            for state in self._states.children():
                cast(LossState, state).after_step(self._model)
            if self._average is not None:
                self._average.update()
        return taken

    def _outputs(self, batch: DrawnBatch, epoch: int, bank: Tensor | None) -> StepOutputs:
        return StepOutputs(
            batch=batch.features(),
            prompt=self._model.identity_prompt,
            head=self._model.head,
            bank=bank,
            text_learns=self._text_learns,
            states={name: cast(LossState, state) for name, state in self._states.items()},
            epoch=epoch,
            views=self._config.views,
        )
