"""Market-1501 (Zheng et al., ICCV 2015).

`Market-1501-v15.09.15/{bounding_box_train,query,bounding_box_test}/0002_c1s1_000451_03.jpg`:
identity 0002, camera 1. Identity -1 is junk and left out; 0000 are distractors of the gallery.
Where some of these folders are missing, lists named `images_train.txt` and so on say which images
there are, as Datumaro and CVAT export them.
"""

from __future__ import annotations

from pathlib import Path

from promptreid.data.dataset import DataSet
from promptreid.data.folders.market_file_names import make_market_data, read_market_layout
from promptreid.data.folders.market_lists import find_market_lists, list_listed_samples
from promptreid.data.readers.reader_options import CameraOptions

Options = CameraOptions


def read(root: Path, options: Options) -> DataSet:
    """Read the folders of Market-1501, or lists of images that are named alike.

    Raises:
        DataError: When neither is there, an image is missing, or a name cannot be read.
    """
    lists = find_market_lists(root)
    if lists:
        samples, notes = list_listed_samples(root, lists)
        return make_market_data(root, samples, options, name="market1501", notes=notes)
    return read_market_layout(
        root,
        options,
        name="market1501",
        nested=("Market-1501-v15.09.15", "market1501/Market-1501-v15.09.15", "market1501"),
    )
