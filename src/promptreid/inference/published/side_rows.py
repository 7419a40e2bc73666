"""Rows of cameras and views in published files, and what they stand for."""

from __future__ import annotations

from torch import Tensor

from promptreid.errors import WeightsError
from promptreid.models.sie import SideInformation


def read_side_rows(table: Tensor, *, views: int, coefficient: float) -> SideInformation:
    """Build an empty table as large as that of a file.

    Args:
        table: (rows, width) of the file.
        views: How many views it distinguishes, beside cameras; the file only holds their product.
        coefficient: Factor on the rows.

    Raises:
        WeightsError: There are not as many rows for each camera.
    """
    rows, width = table.shape
    if views and rows % views:
        raise WeightsError(
            f"The side-information table has {rows} rows, which {views} views do not divide. "
            "Leave `views` out, or give the number of views in the training data."
        )
    return SideInformation(
        cameras=rows // (views or 1), views=views, width=width, coefficient=coefficient
    )


def name_side_rows(sie: SideInformation | None) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Name cameras "1", "2", ... and views "0", "1", ..., as the published data sets do.

    The names stayed with the training data; the readers of these data sets count without a gap.

    Returns:
        Names of the cameras, and of the views; none without a table.
    """
    if sie is None:
        return (), ()
    return number_names(sie.cameras, first=1), number_names(sie.views, first=0)


def number_names(count: int, *, first: int) -> tuple[str, ...]:
    """Return so many numbers as names, from the first on."""
    return tuple(str(number) for number in range(first, first + count))
