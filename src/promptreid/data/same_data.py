"""Data sets by name and place, to tell whether two readings are of the same one."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import permutations
from pathlib import Path

from promptreid.data.data_set_names import Place
from promptreid.data.data_spec import parse_spec
from promptreid.data.dataset import DataSet
from promptreid.data.images.boxes import ImageSource
from promptreid.data.manifest.sample_columns import TEST_SPLITS, TRAINING_SPLITS
from promptreid.errors import DataError
from promptreid.files import full_path


@dataclass(frozen=True)
class DataSource:
    """A data set by name.

    Attributes:
        name: Name of its manifest, such as "market1501" or "hands11k-dorsal_right".
        root: Absolute folder or file; of a table with the option root, that too.
        options: What stands behind the `?` of its spec; empty for none.
        all_images: Whether its test images train too.
    """

    name: str
    root: str
    options: str = ""
    all_images: bool = False

    @property
    def place(self) -> Place:
        """What two readings of one data set have in common."""
        return self.name, self.root


def source_of(spec: str, name: str) -> DataSource:
    """Name a data set by the spec that it was loaded by and the name of its manifest."""
    parsed = parse_spec(spec)
    root = str(full_path(parsed.root))
    if "root" in parsed.options:  # a table of pictures that lie elsewhere is of those pictures
        root += f"?root={full_path(parsed.options['root'])}"
    _, _, options = spec.partition("?")
    return DataSource(name, root, options.strip(), parsed.options.get("use") == "all")


def check_distinct(datasets: Sequence[DataSet]) -> None:
    """Refuse data sets that train together and are the same, or have images in common.

    They are the same when name and place are, whatever their other options, or when their images
    are. An image that trained as two classes would be pushed away from itself, and one that trains
    in one data set and is tested in another would be known.

    Args:
        datasets: What trains together, in order.

    Raises:
        DataError: When two are the same or share an image; the images are counted.
    """
    places = [source_of(dataset.spec, dataset.manifest.name).place for dataset in datasets]
    learned = [_files(dataset, TRAINING_SPLITS) for dataset in datasets]
    tested = [_files(dataset, TEST_SPLITS) for dataset in datasets]
    for one, other in permutations(range(len(datasets)), 2):
        first, second = datasets[one].spec, datasets[other].spec
        same = bool(learned[one]) and learned[one] == learned[other]
        if same or places[one] == places[other]:
            raise DataError(f"One data set is given twice: {first}, {second}.")
        if one < other and (shared := learned[one] & learned[other]):
            raise DataError(
                f"{first} and {second} have {len(shared):,} images for training in common, for "
                f"example {min(shared)}; an image would train as two identities. Give each image "
                "once."
            )
        if shared := learned[one] & tested[other]:
            raise DataError(
                f"{len(shared):,} images train in {first} and are tested in {second}, for example "
                f"{min(shared)}. Test on images that do not train."
            )


def _files(dataset: DataSet, splits: Sequence[str]) -> set[str]:
    manifest = dataset.manifest
    rows, images = manifest.indices(*splits), manifest.images()
    return {
        str(ImageSource(Path(os.path.normpath(images[row].path)), images[row].box)) for row in rows
    }
