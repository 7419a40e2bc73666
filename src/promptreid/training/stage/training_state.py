"""Everything a run needs to go on exactly where it stopped.

Randomness needs no state of its own: each batch, each augmentation and each step draws from a
generator made from (seed, stage, epoch, batch number), so those numbers are the random state.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Any

import torch
from torch import Tensor

from promptreid.errors import RunError
from promptreid.models.checkpoint import SavedTraining

_SINGLE = ("rows", "bank", "sums")
_TENSORS = ("optimizer", "losses", "average", *_SINGLE)


@dataclass
class TrainingState:
    """Position in the recipe and what was measured so far.

    Attributes:
        stage: Index of the stage to run next.
        epoch: Epoch to run next, from 1.
        step: Batches of that epoch already done.
        table: Rows of the metrics table of finished epochs.
        best: Score of the best checkpoint so far; None before the first validation.
        best_at: Stage and epoch of the best checkpoint, in words.
        to_beat: Validation score that the running stage has to beat; None before its first.
        waited: Validations of the running stage since that score.
        ended_early: Last epoch of each stage that ended before its time, by name.
        seconds: Training time of all sessions, in seconds.
        skipped: Batches of the unfinished epoch whose step was left out, since it overflowed.
        parts: In how many parts batches of the running stage pass the towers; 0 before its first.
        scaling: Scale of the loss in fp16, and steps since it last changed; {} in other types.
        optimizer: State tensors by parameter name.
        losses: What loss terms remember, by name in the stage's states.
        average: Averaged weights of the running stage, by name.
        rows: Training images the running stage learns from; None for all.
        bank: Text features of all identities in the unfinished epoch, when taken once an epoch.
        sums: Sums over the batches of the unfinished epoch; None at an epoch's start.
        images: Images seen in the unfinished epoch.
        epoch_seconds: Time spent in the unfinished epoch.
    """

    stage: int = 0
    epoch: int = 1
    step: int = 0
    table: list[dict[str, Any]] = field(default_factory=list)
    best: float | None = None
    best_at: str = ""
    to_beat: float | None = None
    waited: int = 0
    ended_early: dict[str, int] = field(default_factory=dict)
    seconds: float = 0.0
    skipped: int = 0
    parts: int = 0
    scaling: dict[str, float] = field(default_factory=dict)
    optimizer: dict[str, dict[str, Tensor]] = field(default_factory=dict)
    losses: dict[str, Tensor] = field(default_factory=dict)
    average: dict[str, Tensor] = field(default_factory=dict)
    rows: Tensor | None = None
    bank: Tensor | None = None
    sums: Tensor | None = None
    images: int = 0
    epoch_seconds: float = 0.0

    def pack(self) -> SavedTraining:
        """Split the state into tensors and JSON values for a checkpoint file."""
        tensors = {
            f"optimizer/{name}/{key}": value
            for name, values in self.optimizer.items()
            for key, value in values.items()
        }
        for group in ("losses", "average"):
            for name, value in getattr(self, group).items():
                tensors[f"{group}/{name}"] = value
        for name in _SINGLE:
            value = getattr(self, name)
            if value is not None:
                tensors[name] = value
        plain = {
            field.name: getattr(self, field.name)
            for field in fields(self)
            if field.name not in _TENSORS
        }
        return SavedTraining(tensors, plain)

    @classmethod
    def unpack(cls, saved: SavedTraining) -> TrainingState:
        """Rebuild the state from what `pack` gave.

        Raises:
            RunError: The values are not a training state.
        """
        try:
            state = cls(**saved.values)
        except TypeError as error:
            raise RunError(f"The checkpoint holds no usable training state: {error}.") from error
        for name, value in saved.tensors.items():
            group, _, rest = name.partition("/")
            if name in _SINGLE:
                setattr(state, name, value)
            elif group in ("losses", "average"):
                getattr(state, group)[rest] = value
            elif name.startswith("optimizer/"):
                parameter, _, key = name.removeprefix("optimizer/").rpartition("/")
                state.optimizer.setdefault(parameter, {})[key] = value
        return state


def optimizer_tensors(
    optimizer: torch.optim.Optimizer, names: dict[int, str]
) -> dict[str, dict[str, Tensor]]:
    """Return the optimizer's state by parameter name.

    Args:
        optimizer: Any optimizer whose state is tensors and numbers.
        names: Parameter name by `id(parameter)`.
    """
    return {
        names[id(parameter)]: {
            key: value if isinstance(value, Tensor) else torch.tensor(value)
            for key, value in values.items()
            if value is not None
        }
        for parameter, values in optimizer.state.items()
    }


def restore_optimizer(
    optimizer: torch.optim.Optimizer,
    names: dict[int, str],
    saved: dict[str, dict[str, Tensor]],
) -> None:
    """Put saved state back, each tensor on its parameter's device.

    Raises:
        RunError: The state belongs to other parameters.
    """
    parameters = {names[id(p)]: p for group in optimizer.param_groups for p in group["params"]}
    strangers = sorted(set(saved) - set(parameters))
    if strangers:
        raise RunError(
            f"The checkpoint's optimizer knows {len(strangers)} parameters that this stage does "
            f"not train, such as {strangers[0]}. The recipe was changed; start a new run."
        )
    for name, values in saved.items():
        parameter = parameters[name]
        optimizer.state[parameter] = {
            # Adam keeps its step count on the CPU; where it is fused, so are the weights.
            key: value.clone() if key == "step" else value.to(parameter.device, copy=True)
            for key, value in values.items()
        }
