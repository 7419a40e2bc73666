"""Which cameras and views an exported model knows: one for all images, or one with each image."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from promptreid.data.manifest.name_order import UNKNOWN
from promptreid.data.side_information import Side, named_rows
from promptreid.errors import ConfigError
from promptreid.inference.exporting.export_options import INPUT, MEAN, ExportOptions
from promptreid.models.checkpoint_info import CheckpointInfo
from promptreid.models.reid import ReIDModel

_SHOWN = 8


@dataclass(frozen=True)
class SideChoice:
    """Rows of the tables of cameras and views that go with all images.

    Attributes:
        camera: Row of the camera table, -1 for an unknown camera; None where it is an input.
        view: Likewise of the view table.
    """

    camera: int | None = UNKNOWN
    view: int | None = UNKNOWN

    @property
    def inputs(self) -> tuple[str, ...]:
        """Names of what is given with each image."""
        named = {"cameras": self.camera, "views": self.view}
        return tuple(name for name, row in named.items() if row is None)


def choose_sides(model: ReIDModel, info: CheckpointInfo, options: ExportOptions) -> SideChoice:
    """Find the rows that options name.

    Raises:
        ConfigError: The model has no such table, or did not train with such a camera or view.
        DataError: A name alone is that of several data sets.
    """
    sides, table = info.sides, model.sie
    cameras, views = (0, 0) if table is None else (table.cameras, table.views)
    return SideChoice(
        _find_row(options.camera, sides.cameras, cameras, "camera"),
        _find_row(options.view, sides.views, views, "view"),
    )


def _find_row(choice: str, values: Sequence[Side], rows: int, word: str) -> int | None:
    if choice == MEAN:
        return UNKNOWN
    if not rows:
        raise ConfigError(
            f"This model has no {word} embeddings, so --{word} {choice} means nothing to it. Leave "
            f"--{word} out."
        )
    if choice == INPUT:
        return None
    texts = [":".join(value) if isinstance(value, tuple) else value for value in values]
    if choice in texts:
        return texts.index(choice)
    row = int(named_rows([choice], values, word)[0])
    if row == UNKNOWN:
        more = f" and {len(texts) - _SHOWN} more" if len(texts) > _SHOWN else ""
        raise ConfigError(
            f"This model did not train with a {word} named {choice!r}. It knows "
            f"{', '.join(texts[:_SHOWN])}{more}; {MEAN} stands for an unknown {word}, and {INPUT} "
            f"lets each image say its own."
        )
    return row
