"""Run a recipe: its stages in order, checkpoints on the way, the best one at the end."""

from __future__ import annotations

import contextlib
import threading
from typing import Any

import torch

from promptreid.config.schema import Recipe
from promptreid.config.stage import StageConfig
from promptreid.data.batches.samplers import Indices
from promptreid.inference.embedder import Embedder
from promptreid.inference.run_context import RunContext
from promptreid.losses.loss_state import StateSetting
from promptreid.losses.terms import build_states
from promptreid.models.checkpoint_info import CheckpointInfo
from promptreid.models.reid import ReIDModel
from promptreid.progress import epoch_line
from promptreid.runs.run_folder import RunFolder
from promptreid.seeds import derive_seed
from promptreid.tracking.tracker_group import Trackers
from promptreid.training.batches.stage_sources import StageSources
from promptreid.training.run.training_data import TrainingData
from promptreid.training.stage.checkpoint_writer import CheckpointWriter
from promptreid.training.stage.early_stopping import EarlyStopping
from promptreid.training.stage.ema import WeightAverage
from promptreid.training.stage.learning_parts import set_learning, set_modes
from promptreid.training.stage.stage import StageRunner
from promptreid.training.stage.step_outputs import Domains
from promptreid.training.stage.stop_signals import Interrupted, StopSignals
from promptreid.training.stage.training_state import TrainingState
from promptreid.training.stage.validation_scores import fewest_identities, validation_scores
from promptreid.training.step.batch_parts import check_parts


class Trainer:
    """Trains one model by one recipe into one run folder."""

    def __init__(
        self,
        run: RunFolder,
        recipe: Recipe,
        model: ReIDModel,
        data: TrainingData,
        *,
        state: TrainingState,
        info: CheckpointInfo,
        trackers: Trackers,
        context: RunContext,
    ) -> None:
        """Take everything ready-made; see `promptreid.training.run.train` for putting it together.

        Args:
            run: Where checkpoints and metrics go.
            recipe: Stages to run.
            model: On the CPU or on the context's device.
            data: Training rows and validation.
            state: Where to start.
            info: Saved with the weights; says how images are prepared, too.
            trackers: What gets each row of the metrics table, too.
            context: Where and how to train.
        """
        self.run, self.recipe, self.data, self.info = run, recipe, data, info
        self.model, self.state = model.to(context.device), state
        self.trackers, self.context, self.progress = trackers, context, context.progress
        model.backbone.run_blocks(
            compiled=context.hardware.compile,
            checkpointed=context.hardware.checkpointing,
            say=context.progress.message,
        )
        model.backbone.share_rows(context.processes)
        self._patience = EarlyStopping.of(recipe.validation)
        self._checkpoints = CheckpointWriter(run, self.model, info, recipe.checkpoints)
        self._sources = StageSources(
            self.model,
            data,
            info,
            cache=run.cache,
            context=context,
        )
        self._runner: StageRunner | None = None
        self._stop = threading.Event()

    def fit(self) -> None:
        """Run all stages that are not done yet.

        Raises:
            Interrupted: A signal asked for a stop; the state is saved.
            ConfigError: The batches of a stage cannot be computed in parts.
            DataError: A stage's batches cannot be made from the data.
            RunError: A loss is not finite, or memory does not suffice.
        """
        if self.recipe.validation.patience is not None and not self.data.validations:
            self.progress.message(
                "validation.patience has nothing to wait for: there are no validation images, so "
                "all epochs are trained"
            )
        for stage in self.recipe.stages[self.state.stage :]:
            set_modes(self.model, stage.learns, blocks=stage.blocks)
            check_parts(self.model, stage, self.context.hardware, self.context.processes.count)
        # Of several processes none ends by itself: they agree after the next step.
        grouped = self.context.processes.grouped
        with StopSignals(self._stop, waits=lambda: grouped or self._runner is not None):
            for index in range(self.state.stage, len(self.recipe.stages)):
                self._run_stage(index)
            if self.state.best is None:
                self._save_best(None, "the last epoch; there are no validation images")
            if not self.run.last.is_file():
                self._save_last()

    def _run_stage(self, index: int) -> None:
        stage = self.recipe.stages[index]
        seed = derive_seed(self.context.seed, index)
        # Taking features puts the model in eval mode, so the modes are set after it.
        source = self._sources.batches(stage, seed, self._rows(stage))
        parameters = set_learning(self.model, stage.learns, blocks=stage.blocks)
        setting = StateSetting(
            widths=self.model.widths,
            classes=len(self.data.classes),
            model=self.model,
            generator=torch.Generator().manual_seed(derive_seed(seed, 3)),
        )
        self._runner = StageRunner(
            config=stage,
            model=self.model,
            parameters=parameters,
            source=source,
            states=build_states(stage.losses, setting),
            domains=_domains(stage, self.data),
            average=WeightAverage(self.model, stage.ema) if stage.ema is not None else None,
            state=self.state,
            context=self.context.seeded(seed),
            after_step=self._after_step,
            after_epoch=self._after_epoch,
            over=lambda: self._patience.is_over(self.state),
        )
        self._runner.run()
        self._runner = None
        self.state.stage, self.state.epoch, self.state.step = index + 1, 1, 0
        self.state.to_beat, self.state.waited = None, 0
        self._save_last()
        self._stop_if(self._stops())

    def _rows(self, stage: StageConfig) -> Indices | None:
        """Return the training images a stage learns from; None for all."""
        if stage.hardest is None:
            return None
        if self.state.rows is None:
            rows = self.context.processes.of_first(self._sources.hardest(stage.hardest))
            self.state.rows = torch.from_numpy(rows)
            self.progress.message(
                f"stage {stage.name} learns from the {len(rows)} hardest of {len(self.data)} images"
            )
        return self.state.rows.numpy()

    def _after_step(self) -> None:
        stops = self._stops()
        if stops or self._checkpoints.due():
            self._save_last()
        self._stop_if(stops)

    def _after_epoch(self, row: dict[str, Any]) -> None:
        stage = next(stage for stage in self.recipe.stages if stage.name == row["stage"])
        epoch, table = row["epoch"], self.state.table
        row |= self._validate(stage, epoch)
        table.append(row)
        validated = self.data.validations
        shown = {"val_identities": fewest_identities(validated)} if validated else {}
        self.progress.detail(epoch_line(row | shown, stage.epochs))
        self.run.write_metrics(table)
        self.trackers.log(row, len(table))
        if self._checkpoints.epoch_due(len(table)):
            with self._averaged():  # the weights that validation sees
                self._checkpoints.write_epoch(len(table), stage=stage.name, epoch=epoch)
        if epoch < stage.epochs:
            if self._patience.is_over(self.state):
                self.state.ended_early[stage.name] = epoch
                self.progress.detail(self._patience.message(stage.name, epoch, stage.epochs))
            stops = self._stops()
            if stops or self._checkpoints.due():
                self._save_last()
                self._stop_if(stops)

    def _validate(self, stage: StageConfig, epoch: int) -> dict[str, Any]:
        """Score the validation images when the embedding has changed and it is time to."""
        last = epoch == stage.epochs
        wanted = epoch % self.recipe.validation.every == 0 or last
        if not self.data.validations or not stage.moves_embedding or not wanted:
            return {}
        with self._averaged():
            embedder = Embedder(self.model, self.info, device=self.context.device)
            scores = self.context.processes.of_first(
                validation_scores(embedder, self.data.validations, progress=self.progress)
            )
            score = scores[self._patience.metric.key]
            if self.state.best is None or self._patience.metric.improves(score, self.state.best):
                self._save_best(score, f"stage {stage.name}, epoch {epoch}")
        set_modes(self.model, stage.learns, blocks=stage.blocks)
        self._patience.note(self.state, score)
        waited = {} if self._patience.patience is None else {"waited": self.state.waited}
        return {f"val_{name}": value for name, value in scores.items()} | waited

    def _averaged(self) -> contextlib.AbstractContextManager[object]:
        """Put the average of the weights into the model for a while, where one is kept."""
        average = self._runner.average if self._runner is not None else None
        return average.applied() if average is not None else contextlib.nullcontext()

    def _stops(self) -> bool:
        """Tell whether a signal asked any of the processes for a stop, which is then for all."""
        return self.context.processes.any(self._stop.is_set())

    def _stop_if(self, asked: bool) -> None:
        if asked:
            raise Interrupted(str(self.run.path))

    def _save_last(self) -> None:
        if not self.run.writes:
            return
        if self._runner is not None:
            self._runner.capture()
        self._checkpoints.write_last(self.state)

    def _save_best(self, score: float | None, chosen_at: str) -> None:
        self.state.best, self.state.best_at = score, chosen_at
        self._checkpoints.write_best(score, chosen_at=chosen_at)


def _domains(stage: StageConfig, data: TrainingData) -> Domains | None:
    if stage.domains == "joint":
        return None
    return Domains(data.domains, torch.from_numpy(data.class_domains), stage.domains)
