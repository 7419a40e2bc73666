"""Writing figures, each with its description inside the file."""

from __future__ import annotations

import contextlib
import io
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

from promptreid.errors import ConfigError
from promptreid.figures.extra import need
from promptreid.figures.lettering import spelled_out
from promptreid.files import replacing

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FORMATS = ("png", "svg", "pdf")
_DPI = 200
SHOWN_DPI = 80
"""Pixels of a page for each inch of a figure."""
_DESCRIPTION = {"png": "Description", "svg": "Description", "pdf": "Subject"}


def check_format(path: Path) -> str:
    """Return the format that a file's name asks for.

    Raises:
        ConfigError: It asks for none of `FORMATS`.
    """
    suffix = path.suffix.lower().removeprefix(".")
    if suffix not in FORMATS:
        raise ConfigError(
            f"{path} does not end in .{', .'.join(FORMATS)}. Name the file so, for example "
            f"{path.stem or 'figure'}.png."
        )
    return suffix


def save_figure(figure: Figure, path: Path, *, alt: str) -> None:
    r"""Write a figure in one step; the same figure gives the same bytes.

    Letters that the figure's own font lacks stay letters in SVG and are written as `\uXXXX` in PNG
    and PDF. The ending of the path says the format, and its folder is made. What the figure shows,
    in words for those who do not see it, is stored as the description of the file.

    Raises:
        ConfigError: The ending names no format that is written.
    """
    kind = check_format(path)
    with replacing(path) as temporary:
        _write(figure, temporary, kind, alt=alt, dpi=_DPI)


def draw_png(figure: Figure, *, alt: str) -> bytes:
    """Return a figure as a PNG for a screen with two dots for each pixel of the page."""
    content = io.BytesIO()
    _write(figure, content, "png", alt=alt, dpi=2 * SHOWN_DPI)
    return content.getvalue()


def _write(figure: Figure, to: Path | io.BytesIO, kind: str, *, alt: str, dpi: int) -> None:
    metadata: dict[str, str | None] = {_DESCRIPTION[kind]: alt}
    if kind != "png":
        metadata["Date" if kind == "svg" else "CreationDate"] = None
    # Letters stay text in SVG, and its names do not change from one time to the next.
    settings = {"svg.fonttype": "none", "svg.hashsalt": "promptreid"}
    # In SVG the reader's fonts draw the letters; elsewhere there is the one font of the figure.
    letters = contextlib.nullcontext() if kind == "svg" else spelled_out(figure)
    with need("matplotlib").rc_context(settings), warnings.catch_warnings(), letters:
        if kind == "svg":
            warnings.filterwarnings("ignore", r"Glyph \d+")
        # Saved in its own colours, whatever the settings are by now.
        paper = figure.get_facecolor()
        figure.savefig(to, format=kind, dpi=dpi, metadata=metadata, facecolor=paper)
