"""Manifests as CSV and Parquet files."""

from __future__ import annotations

import csv
import os
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

from promptreid.data.manifest import CORE_COLUMNS, Manifest, Sample
from promptreid.errors import DataError


@dataclass(frozen=True)
class Table:
    """A text table as read: cells by column, and the line that each row came from.

    Attributes:
        file: The file that was read.
        columns: Column name to one cell per row.
        lines: 1-based line of the file for each row, for messages.
    """

    file: Path
    columns: dict[str, list[str]]
    lines: list[int]


def read_table(file: Path) -> Table:
    """Read a comma-separated file with a header line.

    Args:
        file: UTF-8 text, with or without a byte-order mark.

    Returns:
        The table; blank lines are left out.

    Raises:
        DataError: When the file cannot be read, a column is named twice, or a line has too few or
            too many cells (the line is named).
    """
    try:
        with file.open(newline="", encoding="utf-8-sig") as stream:
            reader = csv.reader(stream)
            header = [cell.strip() for cell in next(reader, [])]
            _check_header(file, header)
            columns: dict[str, list[str]] = {name: [] for name in header}
            lines: list[int] = []
            for cells in reader:
                if not any(cell.strip() for cell in cells):
                    continue
                if len(cells) != len(header):
                    raise DataError(
                        f"{file}, line {reader.line_num}: {len(cells)} cells, but the header names "
                        f"{len(header)} columns ({', '.join(header)})."
                    )
                for name, cell in zip(header, cells, strict=True):
                    columns[name].append(cell)
                lines.append(reader.line_num)
    except OSError as error:
        raise DataError(f"{file} cannot be read: {error.strerror or error}.") from error
    except UnicodeDecodeError as error:
        raise DataError(
            f"{file} is not UTF-8 text (byte {error.start}); save it as UTF-8."
        ) from error
    except csv.Error as error:
        raise DataError(f"{file} is not a CSV file: {error}.") from error
    return Table(file, columns, lines)


def write_csv(manifest: Manifest, path: Path, *, absolute: bool = False) -> None:
    """Write a manifest as CSV, whole or not at all.

    Args:
        manifest: The table.
        path: File to write; its folder must exist.
        absolute: Write absolute image paths, so that the file can be read from any folder.

    Raises:
        DataError: When the file cannot be written.
    """
    columns = _columns(manifest, absolute=absolute)

    def fill(temporary: Path) -> None:
        with temporary.open("w", newline="", encoding="utf-8") as stream:
            writer = csv.writer(stream, lineterminator="\n")
            writer.writerow(columns)
            writer.writerows(
                ["" if cell is None else cell for cell in row]
                for row in zip(*columns.values(), strict=True)
            )

    _write_whole(path, fill)


def read_csv(path: Path, *, name: str | None = None, root: Path | None = None) -> Manifest:
    """Read a manifest that `write_csv` wrote.

    Args:
        path: The file.
        name: Name of the manifest; the file's stem when not given.
        root: Folder that relative image paths start from; the file's folder when not given.

    Returns:
        The manifest, equal in all rows to what was written.

    Raises:
        DataError: When the file is no such table; the line is named.
    """
    table = read_table(path)
    _check_core(path, table.columns)

    def number(column: str, row: int) -> int | None:
        cell = table.columns[column][row]
        if cell and not cell.isdecimal():
            raise DataError(
                f"{path}, line {table.lines[row]}: {column} is {cell!r}, not a whole number."
            )
        return int(cell) if cell else None

    return Manifest.of(
        name or path.stem,
        root or path.parent,
        (
            Sample(
                path=table.columns["path"][row],
                identity=table.columns["identity"][row],
                split=table.columns["split"][row],
                camera=number("camera", row),
                view=number("view", row),
                domain=table.columns["domain"][row],
                attributes={
                    key: cells[row]
                    for key, cells in table.columns.items()
                    if key not in CORE_COLUMNS
                },
            )
            for row in range(len(table.lines))
        ),
    )


def write_parquet(manifest: Manifest, path: Path, *, absolute: bool = False) -> None:
    """Write a manifest as Parquet, whole or not at all.

    Args:
        manifest: The table.
        path: File to write; its folder must exist.
        absolute: Write absolute image paths, so that the file can be read from any folder.

    Raises:
        DataError: When the file cannot be written or pyarrow is not installed.
    """
    arrow, parquet = _pyarrow()
    numbers = {"camera", "view"}
    columns = {
        key: arrow.array(cells, arrow.int64() if key in numbers else arrow.string())
        for key, cells in _columns(manifest, absolute=absolute).items()
    }
    _write_whole(path, lambda temporary: parquet.write_table(arrow.table(columns), temporary))


def read_parquet(path: Path, *, name: str | None = None, root: Path | None = None) -> Manifest:
    """Read a manifest that `write_parquet` wrote.

    Args:
        path: The file.
        name: Name of the manifest; the file's stem when not given.
        root: Folder that relative image paths start from; the file's folder when not given.

    Returns:
        The manifest, equal in all rows to what was written.

    Raises:
        DataError: When the file is no such table or pyarrow is not installed.
    """
    arrow, parquet = _pyarrow()
    try:
        columns = parquet.read_table(path).to_pydict()
    except (OSError, arrow.ArrowException) as error:
        raise DataError(f"{path} cannot be read as Parquet: {error}.") from error
    _check_core(path, columns)
    return Manifest(
        name=name or path.stem,
        root=root or path.parent,
        paths=tuple(columns["path"]),
        identities=tuple(columns["identity"]),
        cameras=tuple(columns["camera"]),
        views=tuple(columns["view"]),
        domains=tuple(columns["domain"]),
        splits=tuple(columns["split"]),
        attributes={key: tuple(cells) for key, cells in columns.items() if key not in CORE_COLUMNS},
    )


def _columns(manifest: Manifest, *, absolute: bool) -> dict[str, tuple[str | int | None, ...]]:
    root = manifest.root.absolute()
    paths = tuple((root / path).as_posix() for path in manifest.paths)
    return {
        "path": paths if absolute else manifest.paths,
        "identity": manifest.identities,
        "camera": manifest.cameras,
        "view": manifest.views,
        "domain": manifest.domains,
        "split": manifest.splits,
        **manifest.attributes,
    }


def _check_header(file: Path, header: list[str]) -> None:
    if not header:
        raise DataError(f"{file} is empty; its first line must name the columns.")
    twice = next((name for name in header if header.count(name) > 1), None)
    if twice is not None:
        raise DataError(f"{file} names the column {twice!r} more than once.")
    if len(header) == 1 and any(mark in header[0] for mark in ";\t"):
        raise DataError(f"{file} separates its columns by semicolons or tabs; use commas.")


def _check_core(path: Path, columns: dict[str, list[str]]) -> None:
    missing = [name for name in CORE_COLUMNS if name not in columns]
    if missing:
        raise DataError(
            f"{path} lacks the columns {', '.join(missing)}; it has {', '.join(columns)}. "
            "Tables that were not written by promptreid are read as data set 'csv'."
        )


def _pyarrow() -> tuple[ModuleType, ModuleType]:
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError as error:
        raise DataError(
            "Parquet files need pyarrow: pip install 'promptreid[parquet]', or use CSV."
        ) from error
    return pyarrow, pyarrow.parquet


def _write_whole(path: Path, fill: Callable[[Path], None]) -> None:
    try:
        with _replacing(path) as temporary:
            fill(temporary)
    except OSError as error:
        raise DataError(f"{path} cannot be written: {error.strerror or error}.") from error


@contextmanager
def _replacing(path: Path) -> Generator[Path]:
    """Yield a temporary neighbour that takes the place of `path` when all went well."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        yield temporary
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
