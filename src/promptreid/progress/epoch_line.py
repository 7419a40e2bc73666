"""An epoch in words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

FEW_IDENTITIES = 20
"""Validation scores on fewer identities are called uncertain."""


def epoch_line(row: Mapping[str, Any], epochs: int) -> str:
    """Write one epoch of the metrics table as a line for people."""
    parts = [f"{row['stage']} {row['epoch']}/{epochs}", f"loss {row['loss']:.4f}"]
    parts += [
        f"{name.removeprefix('loss_')} {value:.4f}"
        for name, value in row.items()
        if name.startswith("loss_")
    ]
    if row.get("accuracy") not in (None, ""):
        parts.append(f"accuracy {row['accuracy']:.1%}")
    if "positives" in row:
        parts.append(f"positives {row['positives']:.2f}")
    if row.get("val_mAP") not in (None, ""):
        parts.append(f"val mAP {row['val_mAP']:.1%} rank-1 {row['val_rank1']:.1%}{_doubt(row)}")
    if row.get("waited"):
        parts.append(f"no better for {row['waited']}")
    parts.append(f"lr {row['lr']:.2e}")
    parts.append(f"{row['images'] / max(row['seconds'], 1e-9):.0f} images/s")
    return "  ".join(parts)


def _doubt(row: Mapping[str, Any]) -> str:
    identities = row.get("val_identities")
    if identities in (None, "") or int(identities) >= FEW_IDENTITIES:
        return ""
    return f" (uncertain: {identities} identities)"
