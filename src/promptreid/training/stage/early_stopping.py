"""When a stage ends before its last epoch: validation no longer rises."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from promptreid.config.scoring import ValidationConfig
from promptreid.errors import ConfigError, EvaluationError
from promptreid.evaluation.metrics import METRICS, Metric, metric_by_key, validated_metrics

if TYPE_CHECKING:  # a recipe is checked without PyTorch
    from promptreid.training.stage.training_state import TrainingState


def validation_metric(config: ValidationConfig) -> Metric:
    """Look up the metric that chooses the best checkpoint.

    Raises:
        ConfigError: Validation computes no such metric.
    """
    try:
        return metric_by_key(config.metric, among=validated_metrics())
    except EvaluationError as error:
        raise ConfigError(f"validation.metric: {error}") from None


@dataclass(frozen=True)
class EarlyStopping:
    """Counts validations in a row without a better score, stage by stage.

    The count and the score to beat are kept in the training state, so that a resumed run ends at
    the same epoch. The score to beat is that of the stage alone, while the best checkpoint is that
    of the whole run.

    Attributes:
        patience: Validations without a better score after which the stage ends; None for never.
        min_delta: A score is better when it is so by more than this.
        metric: What validation goes by.
        every: Epochs between two validations, for the message.
    """

    patience: int | None = None
    min_delta: float = 0.0
    metric: Metric = METRICS["mAP"]
    every: int = 1

    @classmethod
    def of(cls, config: ValidationConfig) -> EarlyStopping:
        """Read the settings of a recipe; raises what `validation_metric` does."""
        return cls(config.patience, config.min_delta, validation_metric(config), config.every)

    def note(self, state: TrainingState, score: float) -> None:
        """Take the score of a validation into account."""
        if state.to_beat is None or self.metric.improves(
            score, state.to_beat, margin=self.min_delta
        ):
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
        moved = "fallen" if self.metric.lower_is_better else "risen"
        return (
            f"stage {stage} ends early, after epoch {epoch} of {epochs}: validation "
            f"{self.metric.key} has not {moved}{more} for {times}{apart} (validation.patience)"
        )
