"""Which library multiplies float32 tokens with weight matrices, by processor.

torch hands float32 products to MKL; oneDNN, which is in torch as well, is the other one. Which is
faster depends on the processor and on the kind of product, see `promptreid bench products` and
`docs/processors.md`. The choice follows from what the processor is, never from a timing, so that
the same machine gives the same bits from run to run.
"""

from __future__ import annotations

import platform
from collections.abc import Generator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache

import torch

from promptreid.errors import ConfigError
from promptreid.processor import X86, Processor, describe_processor
from promptreid.runs.run_records import ProductChoice

_ZEN_3_AND_4 = 25

TORCH = ProductChoice(forward="torch", to_input="torch", to_weight="torch")
ONEDNN = ProductChoice(forward="onednn", to_input="onednn", to_weight="onednn")
ONEDNN_CONTIGUOUS = ProductChoice(
    forward="onednn", to_input="onednn-contiguous", to_weight="onednn-contiguous"
)
ZEN_4 = ProductChoice(forward="onednn", to_input="onednn", to_weight="torch")
"""AMD's first processors with AVX-512, whose units are half as wide: there MKL is no slower, and
its gradients to weights are faster."""


def choose_products(setting: str, processor: Processor) -> ProductChoice:
    """Decide who multiplies.

    On processors of Intel oneDNN takes operands in another order than row by row slowly, so that
    `onednn` copies them first there.

    Args:
        setting: "auto" for what is fastest on the processor, "torch", or "onednn".
        processor: The processor that computes.

    Raises:
        ConfigError: oneDNN is asked for and not there.
    """
    intel = processor.vendor == "GenuineIntel"
    if setting == "torch":
        return TORCH
    if setting == "onednn":
        if not (processor.is_x86 and has_onednn()):
            raise ConfigError(
                f"hardware.products=onednn needs an x86 processor and a torch built with oneDNN; "
                f"this is {processor.machine} {processor.name}, with torch {torch.__version__}. "
                "Set hardware.products to auto or torch."
            )
        return ONEDNN_CONTIGUOUS if intel else ONEDNN
    if intel or not (processor.is_x86 and has_onednn()):
        return TORCH
    zen_4 = processor.family == _ZEN_3_AND_4 and "avx512f" in processor.flags
    return ZEN_4 if processor.vendor == "AuthenticAMD" and zen_4 else ONEDNN


@cache
def own_choice() -> ProductChoice:
    """Return what `auto` is on this machine."""
    return choose_products("auto", describe_processor())


def has_onednn() -> bool:
    """Tell whether torch has oneDNN's product here, and it is switched on."""
    return (
        platform.machine() in X86
        and torch.backends.mkldnn.is_available()
        and bool(getattr(torch.backends.mkldnn, "enabled", True))
        and hasattr(torch.ops.mkldnn, "_linear_pointwise")
    )


_CHOSEN: ContextVar[ProductChoice | None] = ContextVar("chosen products", default=None)


def current_choice() -> ProductChoice:
    """Return the choice that products follow here: that of `multiply_by`, or the machine's own."""
    return _CHOSEN.get() or own_choice()


@contextmanager
def multiply_by(choice: ProductChoice) -> Generator[None]:
    """Let the products of the block follow a choice, with the gradients of what it computes."""
    token = _CHOSEN.set(choice)
    try:
        yield
    finally:
        _CHOSEN.reset(token)
