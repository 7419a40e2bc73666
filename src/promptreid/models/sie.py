"""Side information: camera and view embeddings (SIE)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from promptreid.errors import ConfigError
from promptreid.models.model_part import PartShape


class SideShape(PartShape):
    """What a table of side information is built of, beside the width of the class token.

    Attributes:
        cameras: Number of cameras, 0 when the camera does not matter.
        views: Number of views, 0 when the view does not matter.
        coefficient: Factor on the looked-up vector.
    """

    cameras: int
    views: int
    coefficient: float


class SideInformation(nn.Module):
    """A learned vector per camera, per view, or per pair of both, added to the class token.

    The row of camera c and view v is `c * views + v`, as in CLIP-ReID. An unknown camera or view
    (-1, or a number outside the table) gets the mean of the rows it could be: the mean over all
    cameras of that view, over all views of that camera, or over everything. So an unseen camera is
    handled, not a crash.

    Attributes:
        shape: Numbers of cameras and views, and the factor on the looked-up vector.
        embed: (rows, width) the table, from a normal of deviation 0.02 cut at 2.
    """

    def __init__(
        self,
        *,
        cameras: int = 0,
        views: int = 0,
        width: int,
        coefficient: float = 1.0,
        generator: torch.Generator | None = None,
    ) -> None:
        """Build the table for a class token of a width; numbers and coefficient as in `SideShape`.

        It is drawn from the generator; None for one with seed 0.

        Raises:
            ConfigError: There is neither a camera nor a view.
        """
        super().__init__()
        if min(cameras, views) < 0 or max(cameras, views) < 1:
            raise ConfigError(
                f"Side information needs cameras or views, got {cameras} cameras and {views} "
                "views. The data may not name any; switch side information off then."
            )
        self.cameras, self.views, self.width = cameras, views, width
        self.shape = SideShape(cameras=cameras, views=views, coefficient=coefficient)
        generator = generator or torch.Generator().manual_seed(0)
        self.embed = nn.Parameter(torch.empty(max(cameras, 1) * max(views, 1), width))
        nn.init.trunc_normal_(self.embed, std=0.02, generator=generator)

    def forward(self, count: int, cameras: Tensor | None, views: Tensor | None) -> Tensor:
        """Look vectors up.

        Args:
            count: Number of images.
            cameras: (count,) camera numbers, -1 where unknown; None when all are.
            views: (count,) view numbers, -1 where unknown; None when all are.

        Returns:
            (count, width) vectors times the coefficient.
        """
        table = self.table_with_means()
        row = self._row_numbers(cameras, self.cameras, count)
        column = self._row_numbers(views, self.views, count)
        return self.shape.coefficient * table[row, column]

    def table_with_means(self) -> Tensor:
        """Return all vectors by camera and view, those of unknown ones last, without coefficient.

        Returns:
            (cameras + 1, views + 1, width); a side that does not matter counts as one.
        """
        table = self.embed.unflatten(0, (max(self.cameras, 1), max(self.views, 1)))
        table = torch.cat([table, table.mean(dim=0, keepdim=True)], dim=0)
        return torch.cat([table, table.mean(dim=1, keepdim=True)], dim=1)

    def _row_numbers(self, numbers: Tensor | None, size: int, count: int) -> Tensor:
        """Replace numbers outside 0..size-1 by the index of the mean."""
        unknown = max(size, 1)
        if numbers is None or size == 0:
            return torch.full((count,), unknown, dtype=torch.long, device=self.embed.device)
        numbers = numbers.to(self.embed.device)
        return torch.where((numbers >= 0) & (numbers < size), numbers, unknown)
