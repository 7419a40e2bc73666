"""From what a user names to a table of images: a data set, a folder, a picture, or packed files."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

from promptreid.data.data_spec import parse_spec
from promptreid.data.images.image_formats import SUFFIXES
from promptreid.data.manifest.manifest import Manifest, Sample
from promptreid.data.packed.image_table import ImageTable, open_data_set
from promptreid.data.packed.parquet_pictures import open_parquets
from promptreid.data.packed.tar_pictures import open_tars
from promptreid.errors import ConfigError, DataError
from promptreid.files import full_path, name_entries

_PACKED: Mapping[str, Callable[[str, Path, Sequence[Path]], ImageTable]] = MappingProxyType(
    {"tar": open_tars, "parquet": open_parquets}
)


def open_table(spec: str) -> ImageTable:
    """Open the images that a spec or a path names; none is read yet.

    Args:
        spec: `NAME:ROOT[?key=value&…]` of a data set; `tar:PLACE` or `parquet:PLACE`, where the
            place is a file, a folder of such files, or a pattern such as `/data/crops-*.tar`; or
            the path of a folder of pictures, of one picture, or of one tar or Parquet file.

    Raises:
        ConfigError: The spec is wrong.
        DataError: What it names is not there or cannot be used.
    """
    if (full_path(spec) if spec.startswith("~") else Path(spec)).exists():
        return _open_path(spec, full_path(spec))
    parsed = parse_spec(spec)
    if parsed.name not in _PACKED:
        return open_data_set(spec)
    if parsed.options:
        raise ConfigError(f"{parsed.name}: takes no options, got {', '.join(parsed.options)}.")
    root, files = _list_packed(full_path(parsed.root), f".{parsed.name}")
    return _PACKED[parsed.name](spec, root, files)


def _open_path(spec: str, path: Path) -> ImageTable:
    """Open what lies at a path, by its kind and its name."""
    if path.is_dir():
        return open_data_set(f"images:{str(path).replace('?', '%3F')}")
    kind = path.suffix.lower()
    if kind.removeprefix(".") in _PACKED:
        return _PACKED[kind.removeprefix(".")](spec, path.parent, [path])
    if kind in SUFFIXES:
        sample = Sample(path.name, path.name, "gallery")
        manifest = Manifest.of(path.parent.name or "image", path.parent, [sample])
        return ImageTable.of_manifest(manifest, spec=spec)
    raise DataError(
        f"{path} is neither a folder, a picture, a tar file nor a Parquet file. A table of images "
        f"is csv:{path}."
    )


def _list_packed(place: Path, ending: str) -> tuple[Path, list[Path]]:
    """List the files that a place names, and the folder that their paths are written from."""
    if place.is_dir():
        root, files = place, sorted(place.glob(f"*{ending}"))
    elif place.is_file():
        root, files = place.parent, [place]
    else:
        root, files = place.parent, sorted(place.parent.glob(place.name))
    files = [file for file in files if file.is_file()]
    if not files:
        raise DataError(
            f"There is no file of {ending} at {place}; {root} holds {name_entries(root)}."
        )
    return root, files
