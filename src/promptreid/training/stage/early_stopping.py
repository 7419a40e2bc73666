"""When a stage ends before its last epoch: validation no longer rises."""

from __future__ import annotations

from dataclasses import dataclass

from promptreid.config.scoring import ValidationConfig
from promptreid.training.stage.training_state import TrainingState


@dataclass(frozen=True)
class EarlyStopping:
    """Counts validations in a row without a better score, stage by stage.

    The count and the score to beat are kept in the training state, so that a resumed run ends at
    the same epoch. The score to beat is that of the stage alone, while the best checkpoint is that
    of the whole run.

    Attributes:
        patience: Validations without a better score after which the stage ends; None for never.
        min_delta: A score is better when it exceeds the one to beat by more than this.
        metric: Name of the score, for the message.
        every: Epochs between two validations, for the message.
    """

    patience: int | None = None
    min_delta: float = 0.0
    metric: str = "mAP"
    every: int = 1

    @classmethod
    def of(cls, config: ValidationConfig) -> EarlyStopping:
        """Read the settings of a recipe."""
        return cls(config.patience, config.min_delta, config.metric, config.every)

    def note(self, state: TrainingState, score: float) -> None:
        """Take the score of a validation into account."""
        if state.to_beat is None or score > state.to_beat + self.min_delta:
            state.to_beat, state.waited = score, 0
        else:
            state.waited += 1

    def is_over(self, state: TrainingState) -> bool:
        """Tell whether the running stage is to end now."""
        return self.patience is not None and state.waited >= self.patience

    def message(self, stage: str, epoch: int, epochs: int) -> str:
        """Say that a stage ends early, and why."""
        times = "1 validation" if self.patience == 1 else f"{self.patience} validations in a row"
        apart = "" if self.every == 1 else f", one every {self.every} epochs"
        more = f" by more than {self.min_delta:g}" if self.min_delta else ""
        return (
            f"stage {stage} ends early, after epoch {epoch} of {epochs}: validation {self.metric} "
            f"has not risen{more} for {times}{apart} (validation.patience)"
        )
