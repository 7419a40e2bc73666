"""What holds for every way of scoring: the camera rule, comparable sets, and where to compute."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from promptreid.errors import EvaluationError, unknown_name
from promptreid.evaluation.embeddings.embeddings import Embeddings

if TYPE_CHECKING:
    from promptreid.data.protocol import Protocol

SAME_CAMERA = ("auto", "exclude", "keep")


def camera_rule(same_camera: str, *parts: Embeddings) -> tuple[str, str]:
    """Decide whether the camera rule applies, and say what a reader should know about it.

    Args:
        same_camera: One of `SAME_CAMERA`.
        parts: The images that are scored.

    Returns:
        "exclude" or "keep", and a sentence or nothing.

    Raises:
        EvaluationError: The rule is unknown.
    """
    if same_camera not in SAME_CAMERA:
        raise EvaluationError(unknown_name("same-camera rule", same_camera, SAME_CAMERA))
    cameras = [camera for part in parts for camera in part.cameras or (None,) * len(part)]
    missing = cameras.count(None)
    if same_camera == "keep" or not missing:
        return "exclude" if same_camera == "auto" else same_camera, ""
    if missing == len(cameras):
        return "keep", "No image has a camera, so the same-camera rule does not apply."
    some = f"The camera of {missing} of {len(cameras)} images is not known, so "
    if same_camera == "auto":
        return "keep", some + "the same-camera rule is off."
    return "exclude", some + "the same-camera rule does not apply to them."


def protocol_rule(
    embeddings: Embeddings, protocol: Protocol, same_camera: str | None
) -> tuple[str, str]:
    """Decide once for all repeats of a protocol, over the images that any of them uses.

    Args:
        embeddings: One row per row that the protocol numbers.
        protocol: The protocol, with a rule and a note of its own.
        same_camera: One of `SAME_CAMERA` in place of the protocol's rule; None for that.

    Returns:
        "exclude" or "keep", and the protocol's note with what `camera_rule` says behind it.

    Raises:
        EvaluationError: The rule is unknown, or the protocol asks for rows that are not there.
    """
    used = [rows for repeat in protocol.repeats for rows in (repeat.query, repeat.gallery)]
    rule, note = camera_rule(
        protocol.same_camera if same_camera is None else same_camera,
        embeddings.select(np.unique(np.concatenate(used))),
    )
    return rule, " ".join(filter(None, (protocol.note, note)))


def check_comparable(query: Embeddings, gallery: Embeddings) -> None:
    """Refuse empty sets and sets of differing dimension.

    Raises:
        EvaluationError: A set is empty, or the dimensions differ.
    """
    for name, part in (("query", query), ("gallery", gallery)):
        if not len(part):
            raise EvaluationError(
                f"The {name} set is empty. Check how the data set is split into query and gallery."
            )
    if query.dim != gallery.dim:
        raise EvaluationError(
            f"The query vectors have {query.dim} dimensions, the gallery vectors {gallery.dim}. "
            "Both must come from the same model."
        )


def scoring_device(embeddings: Embeddings) -> torch.device:
    """Say where to compute; Apple's GPUs have no float64, which the averages need."""
    device = embeddings.vectors.device
    return device if device.type in ("cpu", "cuda") else torch.device("cpu")
