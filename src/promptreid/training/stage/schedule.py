"""Learning rate of an epoch or a step, as plain functions of their numbers."""

from __future__ import annotations

import math

from promptreid.config.optimize import ScheduleConfig
from promptreid.errors import ConfigError


def learning_rate(
    schedule: ScheduleConfig,
    base: float,
    *,
    epoch: int,
    epochs: int,
    step: int = 0,
    steps: int = 1,
) -> float:
    """Return the learning rate of one step.

    With `per: epoch` the rate changes at the start of an epoch only, and its clock is t = e, the
    number of the epoch from 1, as in CLIP-ReID. With `per: step` it changes at each step, and the
    clock is t = e - 1 + (s + 1) / S: the last step of an epoch has the rate that `per: epoch` gives
    the whole epoch.

    - cosine: for t < `warmup_epochs` a line from `warmup_lr`, then
      `lr_min + (base - lr_min) (1 + cos(pi t / E)) / 2`. The cosine clock counts the warm-up epochs
      and the last epoch (step) runs at `lr_min` (SGDR, Loshchilov and Hutter, ICLR 2017).
    - multistep: `base * gamma ** (milestones <= e)`, times a line from `warmup_factor` to 1 for
      t < `warmup_epochs`. Milestones count whole epochs, also with `per: step`.
    - onecycle: half a cosine from `base / start_divisor` up to `base` and another one down to
      `base / start_divisor / end_divisor` (Smith and Topin, 2017; torch's `OneCycleLR`). With
      n = E S steps (E with `per: epoch`), step i from 0 rises to i = `rise` n - 1 and falls to
      i = n - 1. Where S differs between epochs, each epoch places itself by its own S. Momentum
      stays as it is, and so does the rate of parameter groups relative to each other.
    - constant: `base`, with the same warm-up as multistep.

    Args:
        schedule: Kind and options.
        base: Learning rate of the optimizer; the largest one of onecycle.
        epoch: e, from 1 to `epochs`.
        epochs: E, length of the stage.
        step: s, batches of this epoch that are done; not read with `per: epoch`.
        steps: S, batches of this epoch.

    Raises:
        ConfigError: `epoch` is outside 1..epochs, or `step` outside 0..steps - 1.
    """
    if not 1 <= epoch <= epochs:
        raise ConfigError(f"Epoch {epoch} is outside 1..{epochs}.")
    if not 0 <= step < steps:
        raise ConfigError(f"Step {step} is outside 0..{steps - 1}, the steps of epoch {epoch}.")
    if schedule.per == "epoch":
        step, steps = 0, 1
    if schedule.name == "onecycle":
        done, total = (epoch - 1) * steps + step, epochs * steps
        return _one_cycle(schedule, base, done=done, total=total)
    # The whole part apart, so that the end of an epoch is its number exactly.
    clock = epoch if step + 1 == steps else epoch - 1 + (step + 1) / steps
    warm = schedule.warmup_epochs
    if schedule.name == "cosine":
        if clock < warm:
            start = schedule.warmup_lr if schedule.warmup_lr is not None else 0.0
            return start + clock * (base - start) / warm
        return _half_cosine(base, schedule.lr_min, math.pi * clock / epochs)
    rate = base
    if schedule.name == "multistep":
        rate *= schedule.gamma ** sum(milestone <= epoch for milestone in schedule.milestones)
    if clock < warm:
        start = schedule.warmup_factor if schedule.warmup_factor is not None else 0.0
        rate *= start * (1 - clock / warm) + clock / warm
    return rate


def _one_cycle(schedule: ScheduleConfig, base: float, *, done: int, total: int) -> float:
    start = base / schedule.start_divisor
    top, last = schedule.rise * total - 1, total - 1
    if done < top:
        return _half_cosine(start, base, math.pi * done / top)
    if done == last:
        return start / schedule.end_divisor
    return _half_cosine(base, start / schedule.end_divisor, math.pi * (done - top) / (last - top))


def _half_cosine(first: float, last: float, angle: float) -> float:
    """Go from `first` to `last` as the angle goes from 0 to pi."""
    return last + (first - last) * (0.5 * (1 + math.cos(angle)))
