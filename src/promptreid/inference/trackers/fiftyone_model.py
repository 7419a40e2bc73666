"""A model that FiftyOne computes embeddings with."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from promptreid.errors import ConfigError
from promptreid.inference.embedder import Embedder


class _Behaviour:
    """What `fiftyone.Model` and its `EmbeddingsMixin` ask of a model; images are RGB arrays."""

    media_type = "image"
    has_logits = False
    has_embeddings = True
    ragged_batches = False
    transforms = None

    def __init__(self, embedder: Embedder) -> None:
        self._embedder, self._preprocess = embedder, False
        self._vectors: NDArray[np.float32] | None = None

    @property
    def preprocess(self) -> bool:
        """Whether FiftyOne prepares images; this model does it itself."""
        return self._preprocess

    @preprocess.setter
    def preprocess(self, value: bool) -> None:
        self._preprocess = value

    def predict(self, image: np.ndarray) -> NDArray[np.float32]:
        """Embed one image: (D,)."""
        return self.predict_all([image])[0]

    def predict_all(self, images: Sequence[np.ndarray]) -> NDArray[np.float32]:
        """Embed images and remember the vectors: (N, D)."""
        self._vectors = self._embedder.embed([np.asarray(image) for image in images]).numpy()
        return self._vectors

    def get_embeddings(self) -> NDArray[np.float32]:
        """Return the vectors of the last images: (N, D)."""
        if self._vectors is None:
            raise ConfigError("No image was embedded yet; call predict, or embed, first.")
        return self._vectors

    def embed(self, image: np.ndarray) -> NDArray[np.float32]:
        """Embed one image: (D,)."""
        return self.predict(image)

    def embed_all(self, images: Sequence[np.ndarray]) -> NDArray[np.float32]:
        """Embed images: (N, D)."""
        return self.predict_all(images)


def for_fiftyone(embedder: Embedder) -> Any:
    """Return a model for `compute_embeddings` and `compute_patch_embeddings` of FiftyOne.

    Raises:
        ConfigError: FiftyOne is not installed.

    Example:
        dataset.compute_patch_embeddings(for_fiftyone(model), patches_field="people")
    """
    try:
        models = importlib.import_module("fiftyone.core.models")
    except ModuleNotFoundError as error:
        raise ConfigError("FiftyOne is not installed: pip install fiftyone") from error
    bases = (_Behaviour, models.Model, models.EmbeddingsMixin)
    return type("ReIDForFiftyOne", bases, {})(embedder)
