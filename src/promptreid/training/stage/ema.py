"""A running average of the weights, which often scores better than the weights themselves."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from promptreid.errors import ConfigError, RunError

_UPDATES = "updates"
_WEIGHTS = "weights/"


class WeightAverage:
    """Exponential moving average of what a model learns (Polyak and Juditsky, 1992).

    After update number t, counted from 0, `average = d * average + (1 - d) * weights` with
    `d = min(decay, (1 + t) / (10 + t))`: at first the average follows quickly, so that it does not
    remember weights from before training. It starts at the weights at hand.

    Parameters that require gradients at the start and all floating-point buffers, such as the
    statistics of batch normalisation, are averaged; whole-number buffers are counters, of which the
    model keeps the latest. Frozen parameters are their own average and cost nothing. Averages of
    half-precision weights are kept in float32, where small steps are not lost.
    """

    def __init__(self, model: nn.Module, decay: float) -> None:
        """Start at the model's weights.

        Args:
            model: On its device, its learning parts set; kept, not copied.
            decay: d in the long run.

        Raises:
            ConfigError: `decay` is not between 0 and 1.
        """
        if not 0 <= decay < 1:
            raise ConfigError(
                f"The decay of the weight average is {decay}; it must be at least 0 and below 1."
            )
        self._decay = decay
        self._updates = 0
        self._inside = False
        self._parameters = {
            name: parameter
            for name, parameter in model.named_parameters()
            if parameter.requires_grad
        }
        self._model = model
        self._averages = {name: _copy(value) for name, value in self._live().items()}

    @torch.no_grad()
    def update(self) -> None:
        """Take in the model's weights; call once after each optimizer step.

        Raises:
            RuntimeError: The averages are in the model.
        """
        if self._inside:
            raise RuntimeError("The model holds its averages; there is nothing new to take in.")
        decay = min(self._decay, (1 + self._updates) / (10 + self._updates))
        self._updates += 1
        names = list(self._parameters)
        averages = [self._averages[name] for name in names]
        values = [self._parameters[name].detach() for name in names]
        if averages:
            values = [v.to(a.dtype) for v, a in zip(values, averages, strict=True)]
            torch._foreach_lerp_(averages, values, 1 - decay)
        for name, buffer in self._buffers().items():
            average = self._averages[name]
            value = buffer.to(average.dtype)
            # Equal values stay; infinite ones, as in attention masks, would give no number.
            average.copy_(torch.where(value == average, average, average.lerp(value, 1 - decay)))

    @contextmanager
    def applied(self) -> Generator[None]:
        """Put the averages into the model; when the context ends, the weights come back unchanged.

        Raises:
            RuntimeError: They are in it already.
        """
        if self._inside:
            raise RuntimeError("The model holds its averages already.")
        live = self._live()
        weights = {name: value.clone() for name, value in live.items()}
        self._inside = True
        try:
            _fill(live, self._averages)
            yield
        finally:
            _fill(live, weights)
            self._inside = False

    def keep(self) -> None:
        """Put the averages into the model for good.

        Raises:
            RuntimeError: They are in it for a while already.
        """
        if self._inside:
            raise RuntimeError("The model holds its averages already.")
        _fill(self._live(), self._averages)

    def tensors(self) -> dict[str, Tensor]:
        """Return copies on the CPU of all averages and of the number of updates, by name."""
        saved = {
            f"{_WEIGHTS}{name}": value.to("cpu", copy=True)
            for name, value in self._averages.items()
        }
        return {_UPDATES: torch.tensor(self._updates), **saved}

    def restore(self, tensors: dict[str, Tensor]) -> None:
        """Go on from what `tensors` gave.

        Raises:
            RunError: The tensors belong to another model, or other parts of it were learning.
        """
        saved = {
            name.removeprefix(_WEIGHTS): value
            for name, value in tensors.items()
            if name.startswith(_WEIGHTS)
        }
        strangers = sorted(set(saved) ^ set(self._averages)) + sorted(
            name
            for name in set(saved) & set(self._averages)
            if saved[name].shape != self._averages[name].shape
        )
        if strangers or _UPDATES not in tensors:
            raise RunError(
                "The checkpoint's average of the weights does not fit this stage; they differ in "
                f"{strangers[0] if strangers else _UPDATES!r}. The recipe was changed; start a new "
                "run."
            )
        _fill(self._averages, saved)
        self._updates = int(tensors[_UPDATES])

    def _live(self) -> dict[str, Tensor]:
        """Return the model's own tensors that have an average."""
        return {name: p.detach() for name, p in self._parameters.items()} | self._buffers()

    def _buffers(self) -> dict[str, Tensor]:
        buffers = self._model.named_buffers()
        return {name: value for name, value in buffers if value.is_floating_point()}


def _copy(value: Tensor) -> Tensor:
    value = value.detach().clone()
    return value.float() if value.dtype in (torch.float16, torch.bfloat16) else value


@torch.no_grad()
def _fill(targets: dict[str, Tensor], values: dict[str, Tensor]) -> None:
    for name, target in targets.items():
        target.copy_(values[name])
