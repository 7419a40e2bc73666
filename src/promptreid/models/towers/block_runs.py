"""How the blocks of towers are run while a model learns: compiled, or computed again for gradients.

A tower calls its blocks as it always does; a block that was given a `BlockRuns` leaves its own run
to it. Weights, their names and the results stay what they are, but for rounding.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import contextmanager
from functools import partial
from types import MethodType
from typing import Any, TypeVar

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.torch_version import TorchVersion
from torch.utils.checkpoint import checkpoint

from promptreid.errors import first_line, is_out_of_memory
from promptreid.models.towers.recomputing import is_recomputing, recompute

Result = TypeVar("Result")

_RUNS = "block_runs"

_MOVES_STATISTICS_TWICE = TorchVersion(torch.__version__) < "2.15"
"""Whether compiled code that is computed again moves the statistics of batch norms both times, as
it does in torch 2.4.1 and 2.6, and does not in 2.15."""


class BlockRuns:
    """Runs blocks while there are gradients; without them, blocks run as they are.

    One object serves all blocks of a tower: what is compiled takes the block as its input, so that
    blocks of one shape share it, and copies of a block compute with weights of their own.
    """

    def __init__(self, *, compiled: bool, checkpointed: bool, say: Callable[[str], None]) -> None:
        """Compile nothing yet; that happens when a block is first run.

        Args:
            compiled: Compile what a block computes, for the sizes that come.
            checkpointed: Hold a block's input only, and compute the block again for its gradient.
            say: Takes the sentence that tells why nothing is compiled, where the compiler fails.
        """
        self._compiles, self._checkpointed, self._say = compiled, checkpointed, say
        self._compiled: dict[Callable[..., Any], Callable[..., Any]] = {}

    def __deepcopy__(self, memo: dict[int, Any]) -> BlockRuns:
        """Serve the copy of a block, too."""
        return self

    def __call__(
        self, step: Callable[..., Result], block: nn.Module, *inputs: Any, **named: Any
    ) -> Result:
        """Run a step of a block.

        Args:
            step: Takes the block and the inputs; a function of a module, not a closure.
            block: The block.
            inputs: What goes in.
            named: What goes in by name.
        """
        if not torch.is_grad_enabled():
            return step(block, *inputs, **named)
        if self._compiles and not is_recomputing() and not self._loses_statistics(block):
            try:
                return self._compile(step)(block, *inputs, **named)
            except Exception as error:
                if is_out_of_memory(error):
                    raise
                self._give_up(error)
        if not self._checkpointed:
            return step(block, *inputs, **named)
        again = partial(_resting_statistics, block)
        return recompute(step, block, *inputs, again=again, **named)

    def _loses_statistics(self, block: nn.Module) -> bool:
        """Tell whether a block has to be computed again as it is, for its batch norms' sake."""
        if not (self._checkpointed and _MOVES_STATISTICS_TWICE):
            return False
        return any(isinstance(part, _BatchNorm) and part.training for part in block.modules())

    def _compile(self, step: Callable[..., Any]) -> Callable[..., Any]:
        if step not in self._compiled:
            # What is computed again must be within what is compiled; see `is_recomputing`.
            whole = _recomputing(step) if self._checkpointed else step
            self._compiled[step] = torch.compile(whole, dynamic=False)
        return self._compiled[step]

    def _give_up(self, error: Exception) -> None:
        self._compiles = False
        reason = getattr(error, "inner_exception", None) or error.__cause__ or error
        self._say(
            f"hardware.compile is on, but blocks cannot be compiled here ({first_line(reason)}); "
            "they run as they are, with the same results"
        )


def _recomputing(step: Callable[..., Result]) -> Callable[..., Result]:
    """Return a step that a compiler sees as one to be computed again for its gradient."""

    def run(block: nn.Module, *inputs: Any, **named: Any) -> Result:
        return checkpoint(step, block, *inputs, use_reentrant=False, **named)

    return run


def run_by_block(
    step: Callable[..., Result], block: nn.Module, *inputs: Any, **named: Any
) -> Result:
    """Run a step of a block by its `BlockRuns`, or as it is where it has none."""
    runs = block.__dict__.get(_RUNS)
    if runs is None:
        return step(block, *inputs, **named)
    return runs(step, block, *inputs, **named)


def give_runs(block: nn.Module, runs: BlockRuns, *, called: bool) -> None:
    """Let a block run by a `BlockRuns`.

    Args:
        block: Changed in place.
        runs: Runs it from now on.
        called: Whether its tower calls the block itself, and not by `run_by_block`.
    """
    setattr(block, _RUNS, runs)
    if called:
        block.forward = MethodType(_forward, block)  # a bound method goes along with copies


def _forward(block: nn.Module, *inputs: Any, **named: Any) -> Any:
    return run_by_block(type(block).forward, block, *inputs, **named)


@contextmanager
def _resting_statistics(block: nn.Module) -> Generator[None]:
    """Let batch norms keep their running statistics while a block is computed a second time."""
    norms = [part for part in block.modules() if isinstance(part, _BatchNorm) and part.training]
    kept = [(norm.momentum, norm.num_batches_tracked) for norm in norms]
    for norm in norms:
        norm.momentum = 0.0
        if norm.num_batches_tracked is not None:
            norm.num_batches_tracked = norm.num_batches_tracked.clone()
    try:
        yield
    finally:
        for norm, (momentum, count) in zip(norms, kept, strict=True):
            norm.momentum, norm.num_batches_tracked = momentum, count
