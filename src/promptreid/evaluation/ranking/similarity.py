"""Cosine similarity in full float32, one block of queries at a time."""

from __future__ import annotations

import functools
from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack, contextmanager

import torch
from torch import Tensor

# Elements of one block of queries x gallery: 16 MiB of float32.
BLOCK_ELEMENTS = 2**22
MAX_BLOCK_ROWS = 1024
# With fewer rows, reading a large gallery from memory takes longer than multiplying with it.
MIN_BLOCK_ROWS = 64
# Matrix products with a multiple of 16 rows round each dot product alike whatever the number of
# rows; other numbers may take a kernel whose sums differ in the last bit. Measured on x86 with
# oneMKL and oneDNN for 32 to 1,280 dimensions.
ROW_STEP = 16


def block_rows(columns: int, block: int | None = None) -> int:
    """Say how many queries one block holds.

    Args:
        columns: Size of the gallery.
        block: Wanted number of queries; None picks one that keeps a block near 16 MiB, or 64
            where that would be fewer.

    Returns:
        A multiple of 16, so that results do not depend on it.
    """
    if block is None:
        fitting = BLOCK_ELEMENTS // max(columns, 1)
        block = min(max(fitting, MIN_BLOCK_ROWS), MAX_BLOCK_ROWS)
    return max(ROW_STEP, block // ROW_STEP * ROW_STEP)


@contextmanager
def full_float32(device: torch.device) -> Generator[None]:
    """Compute products in true float32, without TF32, bfloat16 or autocast, whatever is set.

    The settings are put back on leaving.
    """
    with ExitStack() as settings:
        if hasattr(torch.backends.cuda.matmul, "fp32_precision"):
            matmul = getattr(torch.backends.mkldnn, "matmul")  # noqa: B009
            for library in (torch.backends.cuda.matmul, matmul):
                settings.callback(setattr, library, "fp32_precision", library.fp32_precision)
                library.fp32_precision = "ieee"
        else:  # before torch 2.9 one setting speaks for both libraries
            before = torch.get_float32_matmul_precision()
            settings.callback(torch.set_float32_matmul_precision, before)
            torch.set_float32_matmul_precision("highest")
        settings.enter_context(torch.autocast(device.type, enabled=False))
        yield


def similarity_blocks(
    query: Tensor, gallery: Tensor, *, block: int | None = None
) -> Iterator[tuple[slice, Tensor]]:
    """Stream the cosine similarity of every query to the whole gallery.

    The last block is padded with zero rows for the product, so that the values do not depend on
    the block size.

    Args:
        query: (Q, D) float32 unit rows.
        gallery: (G, D) float32 unit rows on the same device.
        block: Queries per block, rounded down to a multiple of 16; None for a 16 MiB block.

    Yields:
        The queries of the block, and their (B, G) similarities, which may be changed in place.
    """
    rows = block_rows(len(gallery), block)
    with full_float32(gallery.device), torch.no_grad():
        product = _product_with(gallery)
    for start in range(0, len(query), rows):
        part = query[start : start + rows]
        padding = -len(part) % ROW_STEP
        padded = torch.nn.functional.pad(part, (0, 0, 0, padding)) if padding else part
        with full_float32(query.device), torch.no_grad():
            values = product(padded)
        yield slice(start, start + len(part)), values[: len(part)]


def _product_with(gallery: Tensor) -> Callable[[Tensor], Tensor]:
    """Give the function that multiplies (B, D) rows with a (G, D) gallery to (B, G).

    On the CPU that is oneDNN. It uses the widest vector instructions of every maker's processors;
    the library behind the matrix product of plain tensors does not and takes 2.5 times as long on
    some of them.
    """
    if gallery.device.type != "cpu" or not torch.backends.mkldnn.is_available():
        return lambda query: query @ gallery.T
    direct = _direct_product()
    if direct is not None:
        return lambda query: direct(query, gallery)
    packed = gallery.to_mkldnn()
    return lambda query: torch.nn.functional.linear(query.to_mkldnn(), packed).to_dense()


@functools.cache
def _direct_product() -> Callable[[Tensor, Tensor], Tensor] | None:
    """Give oneDNN's product as torch's compiler calls it, None where this torch has none.

    It reads and writes plain tensors; the public way copies the gallery and each result.
    """

    def product(query: Tensor, gallery: Tensor) -> Tensor:
        return torch.ops.mkldnn._linear_pointwise(query, gallery, None, "none", [], "")

    probe = torch.eye(ROW_STEP)
    try:
        squared = product(probe, probe)
    except (AttributeError, RuntimeError, TypeError, NotImplementedError):
        return None
    return product if torch.equal(squared, probe) else None
