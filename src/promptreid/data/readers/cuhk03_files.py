"""The files of CUHK03: splits in three formats, and the images inside `cuhk-03.mat`."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

from promptreid.data.tables.table_messages import list_columns, quote_cell
from promptreid.data.tables.table_reader import read_table
from promptreid.errors import DataError

if TYPE_CHECKING:
    import numpy as np

ROLES = ("train", "query", "gallery")
ARCHIVES = ("cuhk-03.mat", "cuhk03_release/cuhk-03.mat")
EXTRA = "pip install 'promptreid[cuhk03]'"


def find_archive(home: Path) -> Path | None:
    """Return the .mat file with the images, if it lies in a folder."""
    return next((home / name for name in ARCHIVES if (home / name).is_file()), None)


def find_split(home: Path, kind: str) -> Path | None:
    """Return the split file of a kind of boxes: CSV or JSON before .mat, which needs scipy."""
    names = (
        f"splits_new_{kind}.csv",
        f"splits_new_{kind}.json",
        f"cuhk03_new_protocol_config_{kind}.mat",
    )
    return next((home / name for name in names if (home / name).is_file()), None)


def read_split(file: Path) -> list[tuple[str, str]]:
    """Read file name and split of every image, in order, from a file whose ending tells its format.

    Raises:
        DataError: When the file cannot be read as what its ending says.
    """
    readers = {".csv": _read_csv, ".json": _read_json, ".mat": _read_mat}
    return readers[file.suffix](file)


def _read_csv(file: Path) -> list[tuple[str, str]]:
    table = read_table(file, keys=("name", "split")).stripped()
    for column in ("name", "split"):
        if column not in table.columns:
            raise DataError(
                f"{file} needs the columns name and split; it has "
                f"{list_columns(list(table.columns))}."
            )
    rows = list(zip(table.columns["name"], table.columns["split"], strict=True))
    for row, (_, split) in enumerate(rows):
        if split not in ROLES:
            raise DataError(
                f"{table.at(row, 'split')}: {quote_cell(split)} must be one of {', '.join(ROLES)}."
            )
    return rows


def _read_json(file: Path) -> list[tuple[str, str]]:
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
        split = content[0] if isinstance(content, list) else content
        return [
            (str(row[0]).replace("\\", "/").rsplit("/", 1)[-1], role)
            for role in ROLES
            for row in split[role]
        ]
    except OSError as error:
        raise DataError(f"{file} cannot be read: {error.strerror}.") from error
    except (ValueError, KeyError, IndexError, TypeError) as error:
        raise DataError(
            f"{file} must hold lists of [path, identity, camera] under train, query and gallery; "
            f"{type(error).__name__}: {error}."
        ) from error


def _read_mat(file: Path) -> list[tuple[str, str]]:
    try:
        from scipy.io import loadmat
        from scipy.io.matlab import MatReadError
    except ImportError as error:
        raise DataError(
            f"Reading {file.name} needs scipy: {EXTRA}, or give the split as "
            f"{file.name.replace('cuhk03_new_protocol_config', 'splits_new')[:-4]}.csv."
        ) from error
    try:
        content: dict[str, Any] = loadmat(str(file))
        names = [str(cell[0]) for cell in content["filelist"].flatten()]
        return [
            (names[int(index) - 1], role)
            for role in ROLES
            for index in content[f"{role}_idx"].flatten()
        ]
    except (
        OSError,
        ValueError,
        KeyError,
        IndexError,
        TypeError,
        NotImplementedError,
        MatReadError,
    ) as error:
        raise DataError(
            f"{file} is not the new-protocol split (filelist, train_idx, query_idx, gallery_idx): "
            f"{type(error).__name__}: {error}."
        ) from error


def extract_images(archive: Path, kind: str, folder: Path) -> int:
    """Write the images of `cuhk-03.mat` as PNG files, all or none.

    The file holds five camera pairs; each is a table of people with ten cells: five images of the
    first view, five of the second, empty where there is none.

    Args:
        archive: The MATLAB 7.3 file.
        kind: "labeled" or "detected".
        folder: Folder to create.

    Returns:
        How many images there are.

    Raises:
        DataError: When h5py is missing, the file is not as expected, or nothing can be written.
    """
    try:
        import h5py
    except ImportError as error:
        raise DataError(f"Reading {archive.name} needs h5py: {EXTRA}.") from error
    partial = folder.with_name(f".{folder.name}.{os.getpid()}")
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        partial.mkdir()
        with h5py.File(archive, "r") as content:
            count = sum(
                _write_pair(content, reference, number, partial)
                for number, reference in enumerate(content[kind][0], start=1)
            )
        partial.rename(folder)
    except (OSError, KeyError, ValueError) as error:
        raise DataError(
            f"The images of {archive} could not be extracted into {folder}: {error}. "
            "The option cache=DIR chooses another folder."
        ) from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return count


def _write_pair(content: Any, reference: Any, pair: int, folder: Path) -> int:
    """Write one camera pair; HDF5 stores MATLAB arrays with the axes in reverse order."""
    from PIL import Image

    count = 0
    for person, cells in enumerate(content[reference][()].T, start=1):
        for number, cell in enumerate(cells, start=1):
            pixels: np.ndarray = content[cell][()].T
            if pixels.ndim != 3:
                continue  # an empty cell is stored as its size, a short vector
            view = 1 if number <= 5 else 2
            name = f"{pair}_{person:03d}_{view}_{number:02d}.png"
            Image.fromarray(pixels).save(folder / name)
            count += 1
    return count
