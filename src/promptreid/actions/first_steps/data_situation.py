"""What an inspection and this machine say about which recipe suits."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from promptreid.config.recipe_choice import Situation


def explain_untrainable(inspection: Mapping[str, Any]) -> str:
    """Say why nobody can be told apart by these pictures; empty where it can be tried.

    Args:
        inspection: What `promptreid data inspect --json` gave.
    """
    training = _split(inspection, "train")
    protocol = inspection["protocol"]
    if training is not None and training["per_identity"][2] < 2:
        return (
            "Each individual has a single picture, and what makes two pictures of one individual "
            "alike can only be learned from two. Add pictures, best from other days or cameras: "
            "two or more for each of some ten individuals are a beginning."
        )
    if protocol is not None and protocol["total_queries"] == (
        protocol["absent"] + protocol["same_camera_only"]
    ):
        return (
            "No picture of the test has another of the same individual to be found, so nothing "
            "could be said about how good a training was. Add pictures, best from other days or "
            "cameras: two or more for each individual."
        )
    return ""


def describe_situation(
    inspection: Mapping[str, Any], *, subject: str | None, device: str | None
) -> Situation:
    """Put together what decides on a recipe; asks the network only where there is a card.

    Raises:
        ConfigError: The device is unknown or not there.
    """
    from promptreid.inference.device import pick_device
    from promptreid.models.weights.pretrained import can_reach_weights

    kind = pick_device(device).type
    training = _split(inspection, "train")
    sizes = inspection["sizes"]
    return Situation(
        identities=0 if training is None else training["identities"],
        images=0 if training is None else training["images"],
        height_by_width=1.0 if sizes is None else sizes["height_by_width"],
        cameras=len(inspection["cameras"]),
        device=kind,
        weights=kind != "cpu" and can_reach_weights("ViT-B-16"),
        subject=subject or "",
    )


def _split(inspection: Mapping[str, Any], name: str) -> Mapping[str, Any] | None:
    return next((split for split in inspection["splits"] if split["split"] == name), None)
