"""Columns of a table that hold boxes, as tools for detection and re-identification write them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from promptreid.data.images.boxes import BOX_COLUMN, Box
from promptreid.data.tables.table_messages import quote_cell
from promptreid.data.tables.table_reader import Table
from promptreid.errors import DataError
from promptreid.text.lists import shorten_list

_LISTS = {
    "bbox": False,
    "box": False,
    "boundingbox": False,
    "bboxxywh": False,
    "boxxywh": False,
    "bboxxyxy": True,
    "boxxyxy": True,
}
"""Names of columns with four numbers in a cell; whether the last two are edges."""

_EDGES = (
    ("x1", "y1", "x2", "y2"),
    ("xmin", "ymin", "xmax", "ymax"),
    ("minx", "miny", "maxx", "maxy"),
    ("x0", "y0", "x1", "y1"),
    ("xtl", "ytl", "xbr", "ybr"),
    ("left", "top", "right", "bottom"),
)
_SIZES = (
    ("left", "top", "width", "height"),
    ("xmin", "ymin", "width", "height"),
    ("x", "y", "w", "h"),
    ("x", "y", "width", "height"),
)
_VAGUE = frozenset((("x", "y", "w", "h"), ("x", "y", "width", "height")))
"""Columns that may as well be a place and the size of the picture, unless a prefix says box."""

_PREFIX = re.compile(r"(bounding[ _-]?box|bbox|box|bb|roi)[ _.-]+(?=.)")
_SEPARATORS = re.compile(r"[ _.-]+")
_BETWEEN = re.compile(r"[,;\s]+")
_WAY_OUT = "The option boxes=ignore leaves boxes out."


@dataclass(frozen=True)
class BoxColumns:
    """Columns that hold boxes together.

    Attributes:
        names: One column with four numbers in a cell; or four, left, top, and right and bottom or
            width and height.
        edges: The last two numbers are edges, not sizes.
        sure: They can hardly mean anything else.
    """

    names: tuple[str, ...]
    edges: bool
    sure: bool

    def __str__(self) -> str:
        """Name the columns and how they are read."""
        last = "right, lower edge" if self.edges else "width, height"
        plural = "s" if len(self.names) > 1 else ""
        return f"column{plural} {', '.join(self.names)} (left, upper edge, {last} in pixels)"


def take_boxes(table: Table, *, wanted: str) -> tuple[Table, list[Box | None], str]:
    """Read the boxes of a table out of its columns.

    Args:
        table: Rows without space around their cells; unknown cells are empty.
        wanted: "auto" reads boxes where columns can hardly mean anything else, "cut" wherever they
            can be meant, "ignore" never.

    Returns:
        The table without the columns that were read; a box for each row, None for the whole
        picture; and a hint for messages about images that are listed again, which is empty
        unless columns may hold boxes and were not read.

    Raises:
        DataError: A cell is no box (file, line and column are named); or boxes are wanted and no
            columns hold them, or several do.
    """
    whole: list[Box | None] = [None] * len(table.lines)
    if wanted == "ignore":
        return _drop_columns(table, (BOX_COLUMN,)), whole, ""
    candidates = [one for one in find_box_columns(list(table.columns)) if _holds_boxes(table, one)]
    sure = [one for one in candidates if one.sure or wanted == "cut"]
    if wanted == "cut" and len(sure) != 1:
        reason = _explain_not_one(sure, list(table.columns))
        raise DataError(f"{table.file}: boxes=cut was asked for, but {reason}")
    if len(sure) != 1:
        if not candidates:
            return table, whole, ""
        names = "; or ".join(map(str, candidates))
        way = (
            "boxes=cut reads them as boxes, so that each is an image of its own"
            if len(candidates) == 1
            else "take out all but one kind of column, so that it is clear which holds the boxes"
        )
        hint = f"{table.file.name}: {names} may hold boxes, which are not cut out; {way}."
        return table.with_columns(table.columns, (hint,)), whole, hint
    (columns,) = sure
    try:
        boxes = _read_boxes(table, columns)
    except DataError as error:
        raise DataError(f"{error} {_WAY_OUT}") from error
    cut = sum(box is not None for box in boxes)
    note = (
        f"{table.file.name}: {cut:,} of {len(boxes):,} images are cut out of their pictures by "
        f"{columns}; boxes=ignore uses whole pictures."
    )
    return _drop_columns(table, columns.names, (note,)), boxes, ""


def require_boxes(table: Table) -> tuple[Table, list[Box | None]]:
    """Read the boxes of a table whose rows are boxes.

    Returns:
        The table without the columns that were read, and a box for each row, None for an empty
        cell.

    Raises:
        DataError: A cell is no box (file, line and column are named), or not exactly one kind of
            columns holds boxes.
    """
    candidates = [one for one in find_box_columns(list(table.columns)) if _holds_boxes(table, one)]
    if len(candidates) != 1:
        raise DataError(f"{table.file}: {_explain_not_one(candidates, list(table.columns))}")
    return _drop_columns(table, candidates[0].names), _read_boxes(table, candidates[0])


def _drop_columns(table: Table, names: Sequence[str], notes: tuple[str, ...] = ()) -> Table:
    others = {name: cells for name, cells in table.columns.items() if name not in names}
    return table.with_columns(others, notes)


def find_box_columns(names: Sequence[str]) -> list[BoxColumns]:
    """Find the columns that may hold boxes by their names."""
    plain = {name: _plain(name) for name in names}
    candidates = [
        BoxColumns((name,), _LISTS[word], sure=True)
        for name in names
        if (word := _SEPARATORS.sub("", name.lower())) in _LISTS
    ]
    for kinds, edges in ((_EDGES, True), (_SIZES, False)):
        for kind in kinds:
            for prefixed in (True, False):
                by_word = {word: name for name, (word, has) in plain.items() if has is prefixed}
                if all(word in by_word for word in kind):
                    columns = tuple(by_word[word] for word in kind)
                    candidates.append(BoxColumns(columns, edges, prefixed or kind not in _VAGUE))
    return candidates


def _plain(name: str) -> tuple[str, bool]:
    """Return a name without case, separators and prefix, and whether it has the prefix."""
    lower = name.lower()
    prefix = _PREFIX.match(lower)
    return _SEPARATORS.sub("", lower[prefix.end() :] if prefix else lower), prefix is not None


def _holds_boxes(table: Table, columns: BoxColumns) -> bool:
    """Say whether a first filled row reads as a box; otherwise the columns mean something else."""
    cells = zip(*(table.columns[name] for name in columns.names), strict=True)
    filled = next((row for row in cells if any(row)), None)
    return filled is not None and _numbers(filled) is not None


def _numbers(cells: Sequence[str]) -> list[float] | None:
    """Read four numbers out of one cell or four; None when there are none."""
    if len(cells) == 1:
        text = cells[0].strip()
        for opens, closes in ("[]", "()", "{}"):
            if text.startswith(opens) and text.endswith(closes):
                text = text[1:-1].strip()
        cells = _BETWEEN.split(text)
    try:
        numbers = [float(cell) for cell in cells]
    except ValueError:
        return None
    return numbers if len(numbers) == 4 else None


def _read_boxes(table: Table, columns: BoxColumns) -> list[Box | None]:
    rows = list(zip(*(table.columns[name] for name in columns.names), strict=True))
    read = [_read_row(table, columns, row, cells) for row, cells in enumerate(rows)]
    _check_pixels(table, columns, read)
    boxes: list[Box | None] = []
    for row, numbers in enumerate(read):
        if numbers is None:
            boxes.append(None)
            continue
        left, top, third, fourth = numbers
        right, bottom = (third, fourth) if columns.edges else (left + third, top + fourth)
        try:
            boxes.append(Box.of_edges(left, top, right, bottom))
        except ValueError as error:
            where = table.at(row, ", ".join(columns.names))
            raise DataError(
                f"{where}: the box {quote_cell(', '.join(rows[row]))} {error}."
            ) from error
    return boxes


def _read_row(
    table: Table, columns: BoxColumns, row: int, cells: Sequence[str]
) -> list[float] | None:
    if not any(cells):
        return None
    numbers = _numbers(cells)
    if numbers is None:
        wanted, at = "four numbers", 0
        if len(cells) > 1:
            wanted = "a number"
            at = next(at for at, cell in enumerate(cells) if _numbers([cell] * 4) is None)
        where = table.at(row, columns.names[at])
        raise DataError(f"{where}: {quote_cell(cells[at])} is not {wanted}.")
    return numbers


def _check_pixels(table: Table, columns: BoxColumns, read: Sequence[list[float] | None]) -> None:
    """Refuse boxes in fractions of the picture, which would be empty in pixels."""
    values = [number for numbers in read if numbers is not None for number in numbers]
    if values and max(map(abs, values)) <= 1 and any(value % 1 for value in values):
        row = next(row for row, numbers in enumerate(read) if numbers is not None)
        raise DataError(
            f"{table.at(row, ', '.join(columns.names))}: the boxes look like fractions of the "
            "picture; write them in pixels."
        )


def _explain_not_one(candidates: Sequence[BoxColumns], names: Sequence[str]) -> str:
    if candidates:
        kinds = "; and ".join(map(str, candidates))
        return f"several columns hold boxes: {kinds}. Keep one kind."
    return (
        "no columns hold boxes. Known are bbox as [x, y, width, "
        "height], and x_1, y_1, x_2, y_2; xmin, ymin, xmax, ymax; left, top, right, bottom; left, "
        f"top, width, height; x, y, w, h. The columns are {shorten_list(names, limit=12)}."
    )
