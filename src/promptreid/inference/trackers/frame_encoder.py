"""One object with the method names by which trackers ask for appearance."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from promptreid.inference.embedder import Embedder
from promptreid.inference.embedding_loop import BATCH_SIZE
from promptreid.inference.named_sides import Name


class FrameEncoder:
    """Embeds the detections of a frame, as BoxMOT, trackers, reid and Deep SORT ask for it.

    Every method takes a frame (H, W, 3) with blue first, as OpenCV reads it, and gives (N, width)
    float32 rows of length 1; a box that holds no pixel gets a row of zeros, which is like nothing.

    Attributes:
        model: The model.
        empty: How many boxes held no pixel so far.
    """

    def __init__(
        self,
        model: Embedder,
        *,
        bgr: bool = True,
        camera: Name = None,
        view: Name = None,
        batch_size: int = BATCH_SIZE,
    ) -> None:
        """Take a model, and what all frames have in common.

        Args:
            model: The model.
            bgr: Whether frames have blue first.
            camera: The camera, for a model with camera embeddings; None where unknown.
            view: The view, likewise.
            batch_size: Images per forward pass.
        """
        self.model, self.empty = model, 0
        self._options: dict[str, Any] = {
            "bgr": bgr, "camera": camera, "view": view, "batch_size": batch_size
        }  # fmt: skip

    def get_features(self, xyxy: ArrayLike, frame: np.ndarray) -> NDArray[np.float32]:
        """Embed boxes (N, 4), as BoxMOT's `reid_model` does."""
        vectors = self.model.embed_boxes(frame, xyxy, **self._options).numpy()
        self.empty += int((~vectors.any(axis=1)).sum())
        return vectors

    def extract_features(self, detections: Any, frame: np.ndarray) -> NDArray[np.float32]:
        """Embed detections of supervision, as trackers of `trackers` do."""
        return self.get_features(detections.xyxy, frame)

    def extract_embeddings(
        self, detections: Any, frame: np.ndarray, *, batch_size: int | None = None
    ) -> NDArray[np.float32]:
        """Embed detections of supervision, as `reid.ReIDModel` does."""
        if batch_size is not None:
            self._options["batch_size"] = batch_size
        return self.get_features(detections.xyxy, frame)
