"""Learning rate per epoch, as plain functions of the epoch number."""

from __future__ import annotations

import math

from promptreid.config.optimize import ScheduleConfig
from promptreid.errors import ConfigError


def learning_rate(schedule: ScheduleConfig, base: float, *, epoch: int, epochs: int) -> float:
    """Return the learning rate of one epoch.

    The rate changes at the start of an epoch and epochs count from 1, as in CLIP-ReID.

    - cosine: below `warmup_epochs` a line from `warmup_lr`, then
      `lr_min + (base - lr_min) (1 + cos(pi e / E)) / 2`. The cosine clock counts the warm-up epochs
      and the last epoch runs at `lr_min` (SGDR, Loshchilov and Hutter, ICLR 2017).
    - multistep: `base * gamma ** (milestones <= e)`, times a line from `warmup_factor` to 1 below
      `warmup_epochs`.
    - constant: `base`, with the same warm-up as multistep.

    Args:
        schedule: Kind and options.
        base: Learning rate of the optimizer.
        epoch: e, from 1 to `epochs`.
        epochs: E, length of the stage.

    Raises:
        ConfigError: `epoch` is outside 1..epochs.
    """
    if not 1 <= epoch <= epochs:
        raise ConfigError(f"Epoch {epoch} is outside 1..{epochs}.")
    warm = schedule.warmup_epochs
    if schedule.name == "cosine":
        if epoch < warm:
            start = schedule.warmup_lr if schedule.warmup_lr is not None else 0.0
            return start + epoch * (base - start) / warm
        half = 0.5 * (1 + math.cos(math.pi * epoch / epochs))
        return schedule.lr_min + (base - schedule.lr_min) * half
    rate = base
    if schedule.name == "multistep":
        rate *= schedule.gamma ** sum(milestone <= epoch for milestone in schedule.milestones)
    if epoch < warm:
        start = schedule.warmup_factor if schedule.warmup_factor is not None else 0.0
        rate *= start * (1 - epoch / warm) + epoch / warm
    return rate
