"""Market-1501 (Zheng et al., ICCV 2015).

`Market-1501-v15.09.15/{bounding_box_train,query,bounding_box_test}/0002_c1s1_000451_03.jpg`:
identity 0002, camera 1. Identity -1 is junk and left out; 0000 are distractors of the gallery.
"""

from __future__ import annotations

from pathlib import Path

from promptreid.data.dataset import DataSet
from promptreid.data.folders.market_file_names import read_market_layout
from promptreid.data.readers.reader_options import CameraOptions


class Options(CameraOptions):
    """Options of `market1501`."""


def read(root: Path, options: Options) -> DataSet:
    """Read Market-1501.

    Args:
        root: The folder with bounding_box_train, query and bounding_box_test, or one around it.
        options: Checked options.

    Raises:
        DataError: When the layout is not found or a file name cannot be read.
    """
    return read_market_layout(
        root,
        name="market1501",
        same_camera=options.same_camera,
        nested=("Market-1501-v15.09.15", "market1501/Market-1501-v15.09.15", "market1501"),
    )
