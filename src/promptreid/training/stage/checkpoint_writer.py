"""The checkpoints that a training writes: the last, the best, and those of every so many epochs."""

from __future__ import annotations

import time

from promptreid.config.checkpoints import CheckpointConfig
from promptreid.models.checkpoint import save_model
from promptreid.models.checkpoint_info import CheckpointInfo, EpochRecord
from promptreid.models.reid import ReIDModel
from promptreid.runs.run_folder import RunFolder
from promptreid.runs.run_records import BestRecord
from promptreid.training.stage.training_state import TrainingState

# A checkpoint is due when this many times its own writing time has passed since the last one, so
# that saving costs a few percent at most; and never later than this many seconds.
_SAVE_SHARE, _SAVE_SECONDS = 20.0, 300.0


class CheckpointWriter:
    """Writes the weights that a model has now into its run, and says when it is time to."""

    def __init__(
        self, run: RunFolder, model: ReIDModel, info: CheckpointInfo, config: CheckpointConfig
    ) -> None:
        """Begin to count the time from now.

        Args:
            run: Where checkpoints go.
            model: The model in training.
            info: Saved with the weights.
            config: How often a checkpoint of an epoch is kept, and how many stay.
        """
        self._run, self._model, self._info, self._config = run, model, info, config
        self._saved_at, self._save_cost = time.monotonic(), 0.0

    def due(self) -> bool:
        """Tell whether so much time has passed that the last checkpoint is to be written anew."""
        if not self._run.writes:
            return False
        waited = time.monotonic() - self._saved_at
        return waited >= min(_SAVE_SHARE * self._save_cost, _SAVE_SECONDS)

    def write_last(self, state: TrainingState) -> None:
        """Write what a stopped run goes on from, and the table of its epochs."""
        begun = time.monotonic()
        self._run.check_own()
        save_model(self._run.last, self._model, self._info, training=state.pack())
        self._run.write_metrics(state.table)
        self._saved_at = time.monotonic()
        self._save_cost = self._saved_at - begun

    def write_best(self, score: float | None, *, chosen_at: str) -> None:
        """Write the weights of the best validation score."""
        if not self._run.writes:
            return
        best = BestRecord(score=score, chosen_at=chosen_at)
        self._run.check_own()
        save_model(self._run.best, self._model, self._info.updated(best=best))

    def epoch_due(self, epochs: int) -> bool:
        """Tell whether a checkpoint is to be kept after this many epochs of the run."""
        if not self._run.writes:
            return False
        return self._config.every is not None and epochs % self._config.every == 0

    def write_epoch(self, epochs: int, *, stage: str, epoch: int) -> None:
        """Keep the weights of an epoch, and remove those that are too old.

        Args:
            epochs: Epochs of the run so far, over all stages, as in its metrics table.
            stage: Name of the stage.
            epoch: Epoch of the stage, from 1.
        """
        info = self._info.updated(epoch=EpochRecord(of_run=epochs, stage=stage, epoch=epoch))
        self._run.check_own()
        save_model(self._run.epoch_checkpoint(epochs), self._model, info)
        if self._config.keep is not None:
            for path in self._run.epoch_checkpoints()[: -self._config.keep]:
                path.unlink(missing_ok=True)
