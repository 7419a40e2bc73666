"""How a run uses the hardware it computes on."""

from __future__ import annotations

from typing import Literal

from promptreid.config.base import Strict


class HardwareConfig(Strict):
    """Settings that decide how fast a run computes, and its last bits, but not what it computes."""

    products: Literal["auto", "torch", "onednn"] = "auto"
    """Who multiplies float32 tokens with matrices on a processor: what is fastest on its make,
    torch's own library, or oneDNN."""
