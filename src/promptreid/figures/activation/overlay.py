"""Activation maps laid over the pictures they belong to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from promptreid.figures.activation.relevance_maps import enlarge
from promptreid.figures.extra import need
from promptreid.figures.style import LIGHT, Theme, themed_figure
from promptreid.text.short import ending, folded

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_COLOURS = "inferno"  # lightness grows with the value, for every eye and in grey print
_CLIP = 0.995
_LEAST_SPAN = 0.5  # in even shares
_CONTOUR = 0.5  # of the colour scale; a line there also tells in grey print
_HEIGHT = 1.35  # inches of a picture
_BAR = 0.07  # width of a colour bar, in pictures
_LONGEST_CAPTION = 16
_LABEL = 19  # letters beside a picture of that height


@dataclass(frozen=True, eq=False)
class MapRow:
    """One row of the figure: the maps of one run, of one kind.

    Attributes:
        name: Name of the run.
        title: Title of the kind.
        maps: (B, rows, columns), 1 being an even share.
        stride: Distance between patches, as a share of height and width.
        patch: Side of a patch, likewise.
    """

    name: str
    title: str
    maps: Tensor
    stride: tuple[float, float]
    patch: tuple[float, float]

    def over(self, number: int, size: tuple[int, int]) -> NDArray[np.float32]:
        """Spread the map of one image over (height, width) pixels."""
        stride, patch = (
            (share[0] * size[0], share[1] * size[1]) for share in (self.stride, self.patch)
        )
        enlarged = enlarge(self.maps[number : number + 1], size, stride=stride, patch=patch)
        return enlarged[0].numpy()


def colour_scale(rows: Sequence[MapRow]) -> tuple[float, float]:
    """Return the ends of the colour scale that rows and all their images share.

    The few strongest patches of all are cut off: single outliers, which transformers have, would
    leave everything else dark. Maps that are nearly even stay so: the scale has a least span.
    """
    values = torch.cat([row.maps.flatten() for row in rows])
    low, high = float(values.min()), float(torch.quantile(values, _CLIP))
    return low, max(high, low + _LEAST_SPAN)


def blend(
    picture: NDArray[np.uint8], values: NDArray[np.float32], colours: Any
) -> NDArray[np.float64]:
    """Lay colours over a picture, the more opaque the higher the value.

    Args:
        picture: (H, W, 3).
        values: (H, W) in [0, 1].
        colours: Matplotlib's colour map.

    Returns:
        (H, W, 3) in [0, 1]. The picture shows through in grey, so that all colour is the map's.
    """
    grey = (picture.astype(np.float64) / 255) @ np.array([0.299, 0.587, 0.114])
    grey = np.repeat((0.08 + 0.8 * grey)[..., None], 3, axis=2)
    weight = (0.15 + 0.65 * values)[..., None]
    return (1 - weight) * grey + weight * colours(values)[..., :3]


def activation_figure(
    pictures: Sequence[NDArray[np.uint8]],
    captions: Sequence[str],
    rows: Sequence[MapRow],
    *,
    data: str = "",
    theme: Theme = LIGHT,
) -> Figure:
    """Draw pictures, (H, W, 3) each, in a first row, and a row of overlays for each run and kind.

    A caption stands above each picture, such as its identity, and the name of the data above all.

    Raises:
        ConfigError: Matplotlib is missing.
    """
    shape = np.mean([picture.shape[1] / picture.shape[0] for picture in pictures])
    width = max(4.0, len(pictures) * (_HEIGHT * float(np.clip(shape, 0.4, 1.8)) + 0.1) + 1.2)
    size = width, (_HEIGHT + 0.1) * (1 + len(rows)) + 0.3
    with themed_figure(theme, size, data=data) as figure:
        # The colour bars have a column of their own, so that the rows stay aligned.
        widths = [1.0] * len(pictures) + [_BAR]
        grid = figure.subplots(1 + len(rows), len(widths), squeeze=False, width_ratios=widths)
        grid[0, -1].set_axis_off()
        for axes, picture, caption in zip(grid[0, :-1], pictures, captions, strict=True):
            axes.imshow(picture)
            axes.set_title(ending(caption, _LONGEST_CAPTION), fontsize=8, fontweight="normal")
        for line, row in zip(grid[1:], rows, strict=True):
            alike = [other for other in rows if other.title == row.title]
            _draw_row(figure, line, row, pictures, colour_scale(alike), bar=row is alike[0])
        for axes in grid[:, :-1].flat:
            axes.set(xticks=[], yticks=[])
    return figure


def activation_alt(captions: Sequence[str], rows: Sequence[MapRow], data: str) -> str:
    """Say in words what the figure shows."""
    lines = "; ".join(
        f"{row.title} of {row.name}, strongest patch {float(row.maps.max()):.1f} times an even "
        "share"
        for row in rows
    )
    return (
        f"{len(captions)} images of {data} ({', '.join(captions)}), and below each where the model "
        f"looks, as colours from dark (little) to light (much). {lines}. Attention is no proof "
        "of what a decision rests on."
    )


def _draw_row(
    figure: Figure,
    line: Any,
    row: MapRow,
    pictures: Sequence[NDArray[np.uint8]],
    scale: tuple[float, float],
    *,
    bar: bool,
) -> None:
    """Draw one row; rows of one kind share a scale, so that the first alone has a colour bar."""
    matplotlib, cm = need("matplotlib"), need("matplotlib.cm")
    colours = matplotlib.colormaps[_COLOURS]
    norm = need("matplotlib.colors").Normalize(*scale, clip=True)
    for number, (axes, picture) in enumerate(zip(line[:-1], pictures, strict=True)):
        height, width = picture.shape[:2]
        values = norm(row.over(number, (height, width))).filled(0)
        axes.imshow(blend(picture, values, colours))
        if values.min() < _CONTOUR < values.max():
            for width, colour in ((1.6, "black"), (0.7, "white")):
                axes.contour(values, levels=[_CONTOUR], colors=colour, linewidths=width)
    line[0].set_ylabel(f"{folded(row.name, _LABEL)}\n{row.title}", fontsize=8)
    if not bar:
        line[-1].set_axis_off()
        return
    drawn = figure.colorbar(cm.ScalarMappable(norm, colours), cax=line[-1], extend="max")
    drawn.ax.axhline(norm.inverse(_CONTOUR), color="white", linewidth=0.9)
    drawn.set_label("1 = uniform", fontsize=7)
    drawn.ax.tick_params(labelsize=7)
