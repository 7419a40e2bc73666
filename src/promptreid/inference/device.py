"""Pick the device, and tell which number types it computes fast."""

from __future__ import annotations

import torch

from promptreid.errors import ConfigError
from promptreid.text.device_words import refuse_other_word


def pick_device(name: str | None = None) -> torch.device:
    """Return the device to run on.

    Args:
        name: A torch device such as "cuda:1"; None picks CUDA, then MPS, then the CPU.

    Raises:
        ConfigError: The device is unknown or not there.
    """
    if name is None:
        best = "mps" if torch.backends.mps.is_available() else "cpu"
        return torch.device("cuda" if torch.cuda.is_available() else best)
    refuse_other_word(name)
    try:
        device = torch.device(name)
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError) as error:
        reason = str(error).splitlines()[0].rstrip(".")
        if reason.startswith("Expected one of"):  # torch lists two dozen kinds
            reason = "there is no such kind of device"
        raise ConfigError(
            f"Device {name!r} cannot be used here ({reason}). "
            "Leave --device out to take the best one there is, or give cpu."
        ) from error
    return device


def is_bf16_native(device: torch.device) -> bool:
    """Tell whether bfloat16 matrix products run in hardware on the device."""
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    if device.type == "cpu":
        probes = ("_is_amx_tile_supported", "_is_avx512_bf16_supported")
        return any(getattr(torch.cpu, name, bool)() for name in probes)
    return False


def resolve_precision(precision: str, device: torch.device) -> str:
    """Turn `auto` into `bf16` where it is native, else `fp16` on CUDA, else `fp32`."""
    if precision != "auto":
        return precision
    if is_bf16_native(device):
        return "bf16"
    return "fp16" if device.type == "cuda" else "fp32"
