"""DukeMTMC-reID layout (Zheng et al., ICCV 2017).

`DukeMTMC-reID/{bounding_box_train,query,bounding_box_test}/0001_c2_f0046182.jpg`: identity 0001,
camera 2. The authors withdrew the images; the layout lives on in other sets.
"""

from __future__ import annotations

from functools import partial

from promptreid.data.folders.market_file_names import read_market_layout
from promptreid.data.readers.reader_options import CameraOptions

Options = CameraOptions

read = partial(
    read_market_layout,
    name="dukemtmc",
    nested=("DukeMTMC-reID", "dukemtmcreid/DukeMTMC-reID", "dukemtmc-reid/DukeMTMC-reID"),
)
