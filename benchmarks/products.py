"""`products`: float32 products by each library that could make them, for each kind of product."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from benchmarks.compare import Check, Comparison, Settings
from promptreid.models.towers.product_choice import has_onednn, own_choice
from promptreid.models.towers.products import multiply
from promptreid.runs.run_records import Library
from promptreid.torch_threads import torch_threads

LIBRARIES: Mapping[str, tuple[Library, ...]] = {
    "forward": ("torch", "onednn"),  # its operands lie row by row already
    "to_input": ("torch", "onednn", "onednn-contiguous"),
    "to_weight": ("torch", "onednn", "onednn-contiguous"),
}
"""Who can make each kind of product."""

_CLOSE = 1e-5


@dataclass(frozen=True)
class ProductSize:
    """Tokens times a matrix, and the two gradients of that.

    Attributes:
        rows: Tokens of a batch.
        inner: Width of a token.
        outer: Width of the result.
    """

    rows: int
    inner: int
    outer: int

    @property
    def operations(self) -> int:
        """Multiplications and additions, the same for all kinds."""
        return 2 * self.rows * self.inner * self.outer

    def __str__(self) -> str:
        return f"{self.rows:,} tokens {self.inner:,} to {self.outer:,}"


Rates = Mapping[Library, Mapping[ProductSize, float]]
"""Operations a second by library and size."""


def product_sizes(settings: Settings) -> tuple[ProductSize, ...]:
    """Return the products of a block of ViT-B/16 for 16 images, and of `tiny` for 32 images."""
    towers = ((16 * 129, 768), (32 * 65, 192)) if not settings.quick else ((24 * 65, 192),)
    shapes = ((1, 3), (1, 1), (1, 4), (4, 1))  # queries, keys and values; their joint; the MLP
    return tuple(
        ProductSize(rows, inner * width, outer * width)
        for rows, width in towers
        for inner, outer in shapes
    )


def products(settings: Settings) -> Iterator[Comparison]:
    """Compare the library that is chosen for each kind of product with the best other one.

    All sizes are multiplied one after the other. Without oneDNN, and on cards, there is no choice
    and so no row.
    """
    if settings.device.type != "cpu" or not has_onednn():
        return
    sizes = product_sizes(settings)
    for kind, libraries in LIBRARIES.items():
        chosen: Library = getattr(own_choice(), kind)
        operands = {size: product_operands(kind, size) for size in sizes}
        rates = measure_rates(operands, libraries, settings)
        others = [library for library in libraries if library != chosen]
        best = min(others, key=lambda library: _seconds(rates[library]))
        yield Comparison(
            f"products {kind}",
            partial(_multiply_all, operands, best),
            partial(_multiply_all, operands, chosen),
            partial(_checks, operands),
            note=partial(_note, rates, chosen, best),
        )


def product_operands(kind: str, size: ProductSize) -> tuple[Tensor, Tensor]:
    """Return random factors as the tower has them: gradients to weights take transposed views."""
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(size.rows, size.inner, generator=generator)
    weight = torch.randn(size.outer, size.inner, generator=generator)
    gradient = torch.randn(size.rows, size.outer, generator=generator)
    return {
        "forward": (x, weight.t()),
        "to_input": (gradient, weight),
        "to_weight": (gradient.t(), x),
    }[kind]


def measure_rates(
    operands: Mapping[ProductSize, tuple[Tensor, Tensor]],
    libraries: Sequence[Library],
    settings: Settings,
) -> Rates:
    """Time products by the libraries in turns; the median of some rounds counts.

    Args:
        operands: Factors by size.
        libraries: Who multiplies them.
        settings: Threads; few rounds where sizes are small.
    """
    rounds = 2 if settings.quick else 9
    with torch_threads(settings.threads):
        return {
            library: {size: size.operations / seconds for size, seconds in times.items()}
            for library, times in _time_in_turns(operands, libraries, rounds).items()
        }


def _time_in_turns(
    operands: Mapping[ProductSize, tuple[Tensor, Tensor]],
    libraries: Sequence[Library],
    rounds: int,
) -> dict[Library, dict[ProductSize, float]]:
    times: dict[Library, dict[ProductSize, float]] = {library: {} for library in libraries}
    for size, (left, right) in operands.items():
        measured: dict[Library, list[float]] = {library: [] for library in libraries}
        for number in range(rounds + 1):
            for library in libraries if number % 2 else libraries[::-1]:
                begun = time.perf_counter()
                multiply(left, right, library)
                if number:
                    measured[library].append(time.perf_counter() - begun)
        for library in libraries:
            times[library][size] = statistics.median(measured[library])
    return times


def _seconds(rates: Mapping[ProductSize, float]) -> float:
    return sum(size.operations / rate for size, rate in rates.items())


def _multiply_all(
    operands: Mapping[ProductSize, tuple[Tensor, Tensor]], library: Library
) -> list[Tensor]:
    return [multiply(left, right, library) for left, right in operands.values()]


def _checks(
    operands: Mapping[ProductSize, tuple[Tensor, Tensor]], plain: list[Tensor], ours: list[Tensor]
) -> tuple[Check, ...]:
    """Compare both sides with products of 64 bits."""
    apart = [0.0, 0.0]
    for number, (left, right) in enumerate(operands.values()):
        exact = left.double() @ right.double()
        for side, results in enumerate((plain, ours)):
            error = (results[number] - exact).norm() / exact.norm()
            apart[side] = max(apart[side], error.item())
    return (
        Check("chosen library, relative to 64 bits", apart[1], _CLOSE),
        Check("best other library, relative to 64 bits", apart[0], _CLOSE),
    )


def _note(rates: Rates, chosen: Library, best: Library, slow: float, fast: float) -> str:
    """Give GFLOP/s by size and library, one line a size, and say whether the choice is right."""
    lines = [
        f"{size}: " + ", ".join(f"{library} {rates[library][size] / 1e9:.0f}" for library in rates)
        for size in rates[chosen]
    ]
    verdict = "the fastest here" if fast <= slow else f"here slower than {best}"
    return "\n".join([*lines, f"GFLOP/s; {chosen} is chosen, {verdict}"])
