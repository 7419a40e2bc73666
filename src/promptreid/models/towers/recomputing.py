"""Less memory for the same gradient: parts of a pass are computed a second time on the way back."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from contextvars import ContextVar
from functools import partial
from typing import TypeVar

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

# In torch 2.4 it calls what it uses itself deprecated, in each process of a training.
warnings.filterwarnings("ignore", "", FutureWarning, r"torch\.utils\.checkpoint")

Result = TypeVar("Result")

_RECOMPUTING: ContextVar[bool] = ContextVar("recomputing", default=False)


def recompute(
    function: Callable[..., Result],
    *inputs: object,
    again: Callable[[], AbstractContextManager[None]] = nullcontext,
    **named: object,
) -> Result:
    """Apply a function whose intermediate results are computed again for the gradient, not held.

    The second pass draws the random numbers of the first one (dropout, stochastic depth), and runs
    under the same autocast (Chen et al., arXiv:1604.06174).

    Args:
        function: Applied to the inputs, twice where there are gradients.
        inputs: What it takes.
        again: Gives the context of the second pass.
        named: More of what it takes, by name.
    """
    return checkpoint(
        partial(_note_recomputing, function, named),
        *inputs,
        use_reentrant=False,
        context_fn=lambda: (nullcontext(), again()),
    )


def is_recomputing() -> bool:
    """Tell whether this is within a `recompute`, in either of its passes.

    torch does not run compiled code in the second pass, so the first one must do without it, too.
    """
    return _RECOMPUTING.get()


def _note_recomputing(
    function: Callable[..., Result], named: Mapping[str, object], *inputs: object
) -> Result:
    token = _RECOMPUTING.set(True)
    try:
        return function(*inputs, **named)
    finally:
        _RECOMPUTING.reset(token)


def run_in_parts(
    function: Callable[..., Result], *columns: Tensor | None, parts: int
) -> list[Result]:
    """Apply a function to a batch part by part, of which one at a time holds what backward needs.

    A loss of all results together has the gradient that it has of one pass over the batch: on the
    way back each part is computed a second time and meets its share of the gradient (GradCache, Gao
    et al., RepL4NLP 2021). The last part, which comes first on the way back, is computed once.

    Args:
        function: Takes some rows of each column; what it gives of a row must not depend on others.
        columns: Tensors with a row for each image or sentence; None is passed on.
        parts: Into how many parts the rows are split; without gradients all run at once.

    Returns:
        What the function gave for each part, in order.
    """
    count = next(len(column) for column in columns if column is not None)
    parts = min(parts, count) if torch.is_grad_enabled() else 1
    if parts <= 1:
        return [function(*columns)]
    split = [[None] * parts if column is None else column.tensor_split(parts) for column in columns]
    *earlier, last = zip(*split, strict=True)
    return [*(recompute(function, *part) for part in earlier), function(*last)]
