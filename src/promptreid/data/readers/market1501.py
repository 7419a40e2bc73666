"""Market-1501 (Zheng et al., ICCV 2015).

`Market-1501-v15.09.15/{bounding_box_train,query,bounding_box_test}/0002_c1s1_000451_03.jpg`:
identity 0002, camera 1. Identity -1 is junk and left out; 0000 are distractors of the gallery.
Where some of these folders are missing, folders named `bounding_box_SUBSET`, or lists named
`images_SUBSET.txt`, say which images there are, as Datumaro and CVAT export them.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from pydantic import Field

from promptreid.data.dataset import DataSet
from promptreid.data.folders.market_file_names import make_market_data, read_market_layout
from promptreid.data.folders.market_subsets import (
    find_market_subsets,
    list_subset_samples,
    read_given_roles,
)
from promptreid.data.readers.reader_options import CameraOptions
from promptreid.errors import ConfigError
from promptreid.text.lists import shorten_list


class Options(CameraOptions):
    """Options of `market1501`."""

    subsets: str = Field(
        "",
        description="roles of subsets that tools name otherwise, such as "
        "default:gallery,site2:train; by default these are of the gallery",
    )


def read(root: Path, options: Options) -> DataSet:
    """Read the folders of Market-1501, or subsets of images that are named alike.

    Raises:
        DataError: When neither is there, an image is missing, or a name cannot be read.
        ConfigError: Roles are given to subsets that are not there.
    """
    subsets = find_market_subsets(root, wanted=bool(options.subsets))
    if subsets:
        given = read_given_roles(options.subsets, subsets)
        samples, notes = list_subset_samples(root, subsets, given)
        return make_market_data(root, samples, options, name="market1501", notes=notes)
    if options.subsets:
        raise ConfigError(
            f"subsets={options.subsets} names roles of subsets, but {root} has none beside the "
            "folders of Market-1501. Leave the option out."
        )
    data = read_market_layout(
        root,
        options,
        name="market1501",
        nested=("Market-1501-v15.09.15", "market1501/Market-1501-v15.09.15", "market1501"),
    )
    others = set(find_market_subsets(data.manifest.root, wanted=True)) - {"train", "test", "query"}
    if not others:
        return data
    folders = shorten_list([f"bounding_box_{subset}" for subset in sorted(others)])
    words = f"{folders} beside the folders of Market-1501 left out; subsets={min(others)}:train"
    return replace(data, notes=(*data.notes, f"{words} reads it."))
