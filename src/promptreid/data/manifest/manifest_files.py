"""Manifests as CSV and Parquet files."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from promptreid.data.images.boxes import BOX_COLUMN, Box, parse_box
from promptreid.data.manifest.manifest import Manifest
from promptreid.data.manifest.sample_columns import CORE_COLUMNS, PLURALS
from promptreid.data.tables.arrow_import import import_pyarrow
from promptreid.data.tables.table_messages import list_columns, quote_cell
from promptreid.data.tables.table_reader import read_table
from promptreid.errors import DataError
from promptreid.files import replacing

_TAKEN = (*CORE_COLUMNS, BOX_COLUMN)
_NEEDS_QUOTES = re.compile(r'[,"\r\n]|^\s|\s$')


def write_manifest(manifest: Manifest, path: Path, *, absolute: bool = False) -> None:
    """Write a manifest, whole or not at all: as Parquet where the name ends so, else as CSV.

    Args:
        manifest: The table.
        path: File to write; its folder must exist.
        absolute: Write absolute image paths, so that the file can be read from any folder.

    Raises:
        DataError: When the file cannot be written, or pyarrow is needed and not installed.
    """
    columns = table_columns(manifest, absolute=absolute)
    fill = _fill_parquet if _is_parquet(path) else _fill_csv
    if not path.parent.is_dir():
        raise DataError(f"{path} cannot be written: there is no folder {path.parent}.")
    try:
        with replacing(path) as temporary:
            fill(temporary, columns)
    except OSError as error:
        raise DataError(f"{path} cannot be written: {error.strerror or error}.") from error
    except UnicodeEncodeError as error:
        raise DataError(
            f"{path} cannot be written: {quote_cell(str(error.object)[: error.end])} holds a "
            "character that no text file can hold."
        ) from error


def read_manifest(
    path: Path, *, name: str | None = None, root: Path | None = None, closed: bool = False
) -> Manifest:
    """Read a manifest that `write_manifest` wrote.

    Args:
        path: The file.
        name: Name of the manifest; the file's stem when not given.
        root: Folder that relative image paths start from; the file's folder when not given.
        closed: Test identities may be known from training.

    Returns:
        The manifest, equal in all rows to what was written.

    Raises:
        DataError: When the file is no such table (the line is named), or pyarrow is needed and not
            installed.
    """
    if _is_parquet(path):
        columns = _read_parquet(path)
    else:
        columns = read_table(path, keys=CORE_COLUMNS, exact=True).columns
        _check_core(path, columns)
    boxes = _read_boxes(path, columns)
    name = name or path.stem
    return Manifest(
        name=name,
        root=root or path.parent,
        paths=tuple(columns["path"]),
        identities=tuple(columns["identity"]),
        cameras=tuple(camera or None for camera in columns["camera"]),
        views=tuple(view or None for view in columns["view"]),
        domains=tuple(domain or name for domain in columns["domain"]),
        splits=tuple(columns["split"]),
        attributes={key: tuple(cells) for key, cells in columns.items() if key not in _TAKEN},
        boxes=tuple(boxes),
        closed=closed,
    )


def _is_parquet(path: Path) -> bool:
    return path.suffix.lower() == ".parquet"


def _fill_csv(temporary: Path, columns: Mapping[str, Sequence[str | None]]) -> None:
    # Bytes of file names that are no text are written as they are.
    with temporary.open("w", newline="", encoding="utf-8", errors="surrogateescape") as stream:
        stream.write(_line(columns))
        stream.writelines(_line(row) for row in zip(*columns.values(), strict=True))


def _fill_parquet(temporary: Path, columns: Mapping[str, Sequence[str | None]]) -> None:
    arrow, parquet = import_pyarrow(instead="use CSV")
    arrays = {key: arrow.array(cells, arrow.string()) for key, cells in columns.items()}
    parquet.write_table(arrow.table(arrays), temporary)


def _read_parquet(path: Path) -> Mapping[str, Sequence[str]]:
    arrow, parquet = import_pyarrow(instead="use CSV")
    try:
        columns = parquet.read_table(path).to_pydict()
    except (OSError, arrow.ArrowException) as error:
        raise DataError(f"{path} cannot be read as Parquet: {error}.") from error
    _check_core(path, columns)
    _check_text(path, columns)
    return columns


def _line(cells: Iterable[str | None]) -> str:
    """Write a row so that every space and line break in it comes back."""
    texts = (cell or "" for cell in cells)
    quoted = (
        '"' + text.replace('"', '""') + '"' if _NEEDS_QUOTES.search(text) else text
        for text in texts
    )
    return ",".join(quoted) + "\n"


def table_columns(
    manifest: Manifest, *, absolute: bool = False
) -> dict[str, tuple[str | None, ...]]:
    """Return the columns of a manifest by name, as texts, as its file holds them.

    Args:
        manifest: The table.
        absolute: Give absolute image paths.
    """
    columns = {name: getattr(manifest, plural) for name, plural in PLURALS.items()}
    if absolute:
        root = manifest.root.absolute()
        columns["path"] = tuple((root / path).as_posix() for path in manifest.paths)
    if any(manifest.boxes):
        columns[BOX_COLUMN] = tuple(None if box is None else str(box) for box in manifest.boxes)
    return columns | dict(manifest.attributes)


def _read_boxes(path: Path, columns: Mapping[str, Sequence[str | None]]) -> list[Box | None]:
    boxes = []
    for row, cell in enumerate(columns.get(BOX_COLUMN, ())):
        try:
            boxes.append(parse_box(cell or ""))
        except (ValueError, TypeError, RecursionError, OverflowError) as error:
            raise DataError(
                f"{path}: {BOX_COLUMN} of row {row + 1} is {quote_cell(str(cell))}, no box as "
                "[left, top, width, height]."
            ) from error
    return boxes


def _check_core(path: Path, columns: dict[str, list[str]]) -> None:
    missing = [name for name in CORE_COLUMNS if name not in columns]
    if missing:
        raise DataError(
            f"{path} lacks the columns {', '.join(missing)}; it has {list_columns(list(columns))}. "
            "Tables that were not written by promptreid are read as data set 'csv'."
        )


def _check_text(path: Path, columns: Mapping[str, Sequence[object]]) -> None:
    """Refuse columns of a Parquet file that hold other than text, or nothing where text must be."""
    for name, cells in columns.items():
        unknown = name in ("camera", "view", BOX_COLUMN)
        for row, cell in enumerate(cells, start=1):
            if not (isinstance(cell, str) or (cell is None and unknown)):
                raise DataError(
                    f"{path}: {name} of row {row} is {quote_cell(repr(cell))}, not text. Tables "
                    "that were not written by promptreid are read as data set 'csv'."
                )
