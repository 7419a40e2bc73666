"""In how many parts a batch passes the towers, and what is said when memory does not suffice."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from promptreid.config.hardware import HardwareConfig
from promptreid.config.stage import StageConfig
from promptreid.errors import ConfigError, first_line
from promptreid.inference.run_context import RunContext
from promptreid.models.reid import ReIDModel
from promptreid.text.lists import counted


def has_batch_statistics(tower: nn.Module) -> bool:
    """Tell whether what a tower gives of an image depends on the others of its batch."""
    return any(isinstance(part, _BatchNorm) and part.training for part in tower.modules())


def check_parts(
    model: ReIDModel, stage: StageConfig, hardware: HardwareConfig, processes: int = 1
) -> None:
    """Refuse to split the batches of a tower with batch norms of its own.

    Args:
        model: In the modes of the stage.
        stage: Its name and parts are read.
        hardware: Its `accumulate` and `auto_batch` are read.
        processes: How many processes share the images of a batch out.

    Raises:
        ConfigError: Batches are to be split, and the image tower norms by their statistics; or each
            of several processes is to find its own number of parts.
    """
    if processes > 1 and has_batch_statistics(model.backbone.image):
        raise ConfigError(
            f"There are {processes} processes, but the image tower of {model.backbone.name} norms "
            f"by the statistics of the whole batch while it learns in stage {stage.name}, and the "
            "share of a process has others. Train it in one process, or take a vision transformer."
        )
    if processes > 1 and hardware.auto_batch:
        raise ConfigError(
            f"hardware.auto_batch finds a number of parts by itself, but {processes} processes "
            "have to split alike. Set hardware.auto_batch=false, and hardware.accumulate to the "
            "number of parts."
        )
    if hardware.accumulate > 1 and has_batch_statistics(model.backbone.image):
        raise ConfigError(
            f"hardware.accumulate is {hardware.accumulate}, but the image tower of "
            f"{model.backbone.name} norms by the statistics of the whole batch while it learns in "
            f"stage {stage.name}, and parts of a batch have others. Set hardware.accumulate=1 and "
            f"make stages.{stage.name}.batch smaller, or take a vision transformer."
        )


class BatchParts:
    """The number of parts in which batches pass the towers; it grows when memory does not suffice.

    Attributes:
        parts: Their number now.
    """

    def __init__(self, config: StageConfig, model: ReIDModel, context: RunContext) -> None:
        """Begin with the number that the recipe gives.

        Args:
            config: The stage, for what is said.
            model: Its towers are told how many parts there are.
            context: Says how many parts there are at first, and whether they may become more.
        """
        self._config, self._model, self._context = config, model, context
        self.parts = 0
        self._set(context.hardware.accumulate)

    @property
    def may_grow(self) -> bool:
        """Whether batches are split further when memory does not suffice."""
        return self._context.hardware.auto_batch and not has_batch_statistics(
            self._model.backbone.image
        )

    def can_grow(self, images: int) -> bool:
        """Tell whether a batch of some images may be split further, and has anything to split."""
        return self.may_grow and self.parts < images

    def restore(self, parts: int) -> None:
        """Go on with the number of a checkpoint, unless the recipe asks for more; 0 for none."""
        self._set(max(parts, self.parts))

    def grow(self, images: int) -> None:
        """Double the number of parts, and say so.

        Args:
            images: Images of the batch that did not fit.
        """
        self._set(min(2 * self.parts, images))
        if self._context.device.type == "cuda":
            torch.cuda.empty_cache()
        self._context.progress.message(
            f"stage {self._config.name}: a batch of {images} images does not fit into the memory "
            f"of {self._context.device}; from here on it is computed in {self.parts} parts of at "
            f"most {-(-images // self.parts)} images (hardware.accumulate={self.parts}), with the "
            "loss and the gradient of the whole batch"
        )

    def explain(self, images: int, error: BaseException) -> str:
        """Say what did not fit, and what to set."""
        name, hardware = self._config.name, self._context.hardware
        height, width = self._model.backbone.image.image_size
        ways = []
        if not has_batch_statistics(self._model.backbone.image) and self.parts < images:
            ways.append(
                f"set hardware.accumulate={2 * self.parts}, which computes each batch in parts "
                "with the same loss and gradient"
            )
            if not hardware.auto_batch:
                ways.append("set hardware.auto_batch=true, which finds the number of parts")
        if not hardware.checkpointing:
            ways.append(
                "set hardware.checkpointing=true, which computes blocks again instead of holding "
                "what they computed"
            )
        ways.append(f"make stages.{name}.batch smaller")
        return (
            f"Stage {name} needs more memory than {self._context.device} has "
            f"({first_line(error)}). A batch is {images} images of {height} x {width} pixels for "
            f"{self._model.backbone.name}, computed in {counted(self.parts, 'part')}. To go on, "
            f"{', or '.join(ways)}."
        )

    def _set(self, parts: int) -> None:
        self.parts = parts
        self._model.backbone.image.parts = self._model.backbone.text.parts = parts
