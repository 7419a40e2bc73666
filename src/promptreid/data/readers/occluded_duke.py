"""Occluded-Duke (Miao et al., ICCV 2019).

DukeMTMC-reID split anew so that all queries are occluded; same folders, same file names.
"""

from __future__ import annotations

from functools import partial

from promptreid.data.folders.market_file_names import read_market_layout
from promptreid.data.readers.reader_options import CameraOptions

Options = CameraOptions

read = partial(
    read_market_layout,
    name="occluded_duke",
    nested=("Occluded_Duke", "dukemtmcreid/Occluded_Duke", "Occluded-DukeMTMC-reID"),
)
