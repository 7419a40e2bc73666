"""Occluded-Duke (Miao et al., ICCV 2019).

DukeMTMC-reID split anew so that all queries are occluded; same folders, same file names.
"""

from __future__ import annotations

from pathlib import Path

from promptreid.data.dataset import DataSet
from promptreid.data.folders.market_file_names import read_market_layout
from promptreid.data.readers.reader_options import CameraOptions


class Options(CameraOptions):
    """Options of `occluded_duke`."""


def read(root: Path, options: Options) -> DataSet:
    """Read Occluded-Duke.

    Args:
        root: The folder with bounding_box_train, query and bounding_box_test, or one around it.
        options: Checked options.

    Raises:
        DataError: When the layout is not found or a file name cannot be read.
    """
    return read_market_layout(
        root,
        name="occluded_duke",
        same_camera=options.same_camera,
        nested=("Occluded_Duke", "dukemtmcreid/Occluded_Duke", "Occluded-DukeMTMC-reID"),
    )
