"""Send numbers that the host knows to a device, without waiting for what the device still computes.

A card works through a queue, and the host that fills it should never have to wait: not for a result
(`item`, `unique`, `nonzero`, an index of truth values), and not for a plain copy either, which
returns when everything queued before it is done.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor


def send(values: Tensor, device: torch.device) -> Tensor:
    """Return values on a device; those of the host are queued behind what the device does now.

    Args:
        values: Any tensor; on the device already, it stays as it is.
        device: Where it is wanted.
    """
    if values.device == device or device.type == "cpu":
        return values.to(device)
    if device.type == "cuda" and values.device.type == "cpu":
        values = values.pin_memory()  # only such memory does a card fetch by itself
    return values.to(device, non_blocking=True)


@dataclass(frozen=True, eq=False)
class HostRows:
    """Numbers of rows that the host knows, sent to a device once, when they are first needed there.

    Attributes:
        numbers: (R,) int64 on the CPU.
    """

    numbers: Tensor
    _sent: dict[torch.device, Tensor] = field(default_factory=dict, init=False, repr=False)

    @classmethod
    def where(cls, mask: Tensor) -> HostRows:
        """Take the rows at which a mask, (N,) bool on the CPU, is True."""
        return cls(mask.nonzero()[:, 0])

    def __len__(self) -> int:
        """Return R, which the host knows, too."""
        return len(self.numbers)

    def on(self, device: torch.device) -> Tensor:
        """Return the numbers on a device, (R,) int64."""
        if device not in self._sent:
            self._sent[device] = send(self.numbers, device)
        return self._sent[device]

    def of(self, values: Tensor) -> Tensor:
        """Return these rows of values (N, ...), on whatever device they lie."""
        return values[self.on(values.device)]
