"""Layouts of published data sets, told by the names of their files and folders."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType

from promptreid.data.folders.layout import has_all
from promptreid.data.folders.listing import list_folder
from promptreid.errors import DataError

_MARKET = ("bounding_box_train", "query", "bounding_box_test")
_DUKE_NAME = re.compile(r"\d+_c\d+_f\d+.*")
_CUHK01_NAME = re.compile(r"\d{7}\.(?:png|jpg|bmp)", re.IGNORECASE)


def _is_named(folder: Path, pattern: re.Pattern[str]) -> bool:
    """Tell whether the first image of a folder is named by a pattern."""
    return any(pattern.fullmatch(name) for name in list_folder(folder).images[:1])


def _is_duke(folder: Path) -> bool:
    return has_all(*_MARKET)(folder) and _is_named(folder / _MARKET[0], _DUKE_NAME)


def _is_occluded_duke(folder: Path) -> bool:
    return _is_duke(folder) and "occluded" in folder.name.lower()


def _is_cuhk03(folder: Path) -> bool:
    names = [
        name
        for kind in ("labeled", "detected")
        for name in (f"images_{kind}", f"{kind}/{_MARKET[0]}", "cuhk-03.mat")
    ]
    return any((folder / name).exists() for name in names)


def _is_cuhk01(folder: Path) -> bool:
    return has_all("campus")(folder) and _is_named(folder / "campus", _CUHK01_NAME)


LAYOUTS: Mapping[str, Callable[[Path], bool]] = MappingProxyType(
    {
        "hands11k": has_all("HandInfo.csv", "Hands"),
        "msmt17": has_all("list_train.txt", "list_query.txt", "list_gallery.txt"),
        "veri776": has_all("image_train", "image_query", "image_test"),
        "vehicleid": has_all("image", "train_test_split"),
        "cuhk03": _is_cuhk03,
        "cuhk01": _is_cuhk01,
        "hd_hands": has_all("1-501", "502-712"),
        "occluded_duke": _is_occluded_duke,
        "dukemtmc": _is_duke,
        "market1501": has_all(*_MARKET),
    }
)
"""Name of the reader to what its folder looks like; the first that fits counts."""


def find_reader(folder: Path) -> str:
    """Name the reader whose published layout a folder has; empty for all others."""
    try:
        return next((name for name, fits in LAYOUTS.items() if fits(folder)), "")
    except (DataError, OSError):  # it may not be looked into
        return ""
