"""A model that was loaded: where it computes, its threshold, and how it is passed on."""

from __future__ import annotations

from collections.abc import Iterable
from copy import copy
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import torch

from promptreid.data.images.preprocess import Preprocess
from promptreid.errors import ConfigError, WeightsError
from promptreid.evaluation.thresholds.threshold import Threshold
from promptreid.inference.device import resolve_precision
from promptreid.models.checkpoint_info import CheckpointInfo
from promptreid.models.reid import ReIDModel
from promptreid.models.towers.precision import choose_precision, in_precision

if TYPE_CHECKING:
    from promptreid.inference.exporting.export_check import CheckImage
    from promptreid.inference.exporting.export_model import ExportedModel
    from promptreid.progress import Progress


class LoadedModel:
    """A trained model where it computes, with what its checkpoint says, and the ways to pass it on.

    Attributes:
        model: The model, in eval mode.
        info: What the checkpoint says of the model.
        device: Where it computes.
        precision: Number type of the matrices, "bf16", "fp16" or "fp32".
        threshold: From which score two images count as one identity, and what that rests on; None
            where none was chosen.
        source: The checkpoint that it was read from; None where it was made otherwise.
    """

    def __init__(
        self,
        model: ReIDModel,
        info: CheckpointInfo,
        *,
        device: str | torch.device = "cpu",
        precision: str = "fp32",
        source: Path | None = None,
    ) -> None:
        """Put a model where it computes.

        Raises:
            WeightsError: The threshold in `info` is damaged.
            ConfigError: The precision is unknown.
            ModelError: The architecture does not embed in 16 bits.
        """
        self.device = torch.device(device)
        automatic = resolve_precision("auto", self.device)
        self.precision = choose_precision(model, precision, automatic=automatic)
        self.model = in_precision(model, self.precision).to(self.device).eval()
        self.info, self.source = info, source
        self.threshold = _stored_threshold(info)

    @property
    def preprocess(self) -> Preprocess:
        """Size, pixel statistics and filter that its images need."""
        return self.info.preprocess

    @property
    def width(self) -> int:
        """Length of an embedding."""
        return self.model.embedding_width

    def with_threshold(self, threshold: Threshold | None) -> Self:
        """Return the same model with another threshold for the same identity, or with none."""
        other = copy(self)
        record = None if threshold is None else threshold.to_dict()
        other.info, other.threshold = self.info.updated(verification=record), threshold
        return other

    def export(
        self,
        path: str | Path,
        *,
        to: str | None = None,
        images: Iterable[str | CheckImage] = (),
        overwrite: bool = False,
        progress: Progress | None = None,
        **options: Any,
    ) -> ExportedModel:
        """Write the model as a file for other programs, compared with the model.

        Args:
            path: FILE.onnx, FILE.pt2, or FILE.pth for the layout of published CLIP-ReID.
            to: The format, where the name does not say it: "onnx", "pt2" or "clip-reid".
            images: Real images to compare the two on; drawn ones without.
            overwrite: Replace a file that is there.
            progress: Where to report; None for silence.
            options: Fields of `ExportOptions`, such as `consumer="boxmot"`, `camera="input"` or
                `half=True`.

        Returns:
            What was written, and how it compares.

        Raises:
            ConfigError: An option is unknown or does not fit, a file is there, a package is
                missing, or the model was loaded in 16 bits.
            ModelError: The model cannot be written so, or the file does not compute what it does.
        """
        from promptreid.inference.exporting.export_model import export_model
        from promptreid.inference.exporting.export_options import read_options

        if self.precision != "fp32":
            raise ConfigError(
                f"The model was loaded in {self.precision}, and is exported from float32. Load it "
                "with precision='fp32'; half=True writes 16 bits."
            )
        return export_model(
            self.model,
            self.info,
            Path(path),
            read_options(options),
            to=to,
            images=[Path(image) if isinstance(image, str) else image for image in images],
            overwrite=overwrite,
            progress=progress,
        )


def _stored_threshold(info: CheckpointInfo) -> Threshold | None:
    """Read the threshold of a checkpoint; raise `WeightsError` where it is damaged."""
    if info.verification is None:
        return None
    try:
        return Threshold.from_dict(info.verification)
    except ValueError as error:
        raise WeightsError(
            f"The threshold of this model is damaged: {info.verification!r}. It needs the numbers "
            "threshold, far and pairs."
        ) from error
