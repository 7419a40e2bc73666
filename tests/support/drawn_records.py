"""Records of entries whose vectors are drawn, in clusters, for tests of indexes."""

from __future__ import annotations

import numpy as np
from record_stores import SETTINGS, make_entry

from promptreid.gallery.records.record_rows import ModelRow

WIDTH = 48
MODEL = ModelRow("d" * 64, WIDTH, {"source": "drawn"})


def draw_vectors(count: int, *, seed: int = 0, spread: float = 0.2) -> np.ndarray:
    """Draw (count, 48) rows of length 1 around ten centres."""
    rng = np.random.default_rng(seed)
    centres = np.random.default_rng(7).normal(size=(10, WIDTH))
    vectors = centres[rng.integers(0, 10, count)] + spread * rng.normal(size=(count, WIDTH))
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def fill_records(records, vectors: np.ndarray) -> list[int]:
    """Enrol vectors, each with a camera of three and an identity of its own number of fifty."""
    with records.writing():
        if records.model() is None:
            records.set_model(MODEL)
        start = records.count_entries()
        return records.add(
            [
                make_entry(
                    1000 * start + number + 1,
                    identity=f"person {number % 50}",
                    camera=("gate", "yard", "door")[number % 3],
                    crop=None,
                    vector=vector,
                )
                for number, vector in enumerate(vectors)
            ]
        )


__all__ = ["MODEL", "SETTINGS", "WIDTH", "draw_vectors", "fill_records"]
