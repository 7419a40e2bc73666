"""Checkpoints that are kept every so many epochs, beside the best and the last one."""

from __future__ import annotations

from dataclasses import dataclass

from promptreid.config.checkpoints import CheckpointConfig
from promptreid.runs.run_folder import RunFolder


@dataclass(frozen=True)
class EpochCheckpoints:
    """Says when a checkpoint is due and which ones stay.

    Epochs are counted over all stages of a run, as the rows of its metrics table are.

    Attributes:
        run: Where they lie.
        config: How often, and how many stay.
    """

    run: RunFolder
    config: CheckpointConfig

    def due(self, epochs: int) -> bool:
        """Tell whether one is due after this many epochs of the run."""
        return self.config.every is not None and epochs % self.config.every == 0

    def prune(self) -> None:
        """Remove all but the newest ones that are to stay."""
        if self.config.keep is None:
            return
        for path in self.run.epoch_checkpoints()[: -self.config.keep]:
            path.unlink(missing_ok=True)
