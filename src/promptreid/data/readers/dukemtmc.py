"""DukeMTMC-reID layout (Zheng et al., ICCV 2017).

`DukeMTMC-reID/{bounding_box_train,query,bounding_box_test}/0001_c2_f0046182.jpg`: identity 0001,
camera 2. The authors withdrew the images; the layout lives on in other sets.
"""

from __future__ import annotations

from pathlib import Path

from promptreid.data.dataset import DataSet
from promptreid.data.folders.market_file_names import read_market_layout
from promptreid.data.readers.reader_options import CameraOptions


class Options(CameraOptions):
    """Options of `dukemtmc`."""


def read(root: Path, options: Options) -> DataSet:
    """Read a data set in the DukeMTMC-reID layout.

    Args:
        root: The folder with bounding_box_train, query and bounding_box_test, or one around it.
        options: Checked options.

    Raises:
        DataError: When the layout is not found or a file name cannot be read.
    """
    return read_market_layout(
        root,
        name="dukemtmc",
        same_camera=options.same_camera,
        nested=("DukeMTMC-reID", "dukemtmcreid/DukeMTMC-reID", "dukemtmc-reid/DukeMTMC-reID"),
    )
