"""Market-1501 (Zheng et al., ICCV 2015).

`Market-1501-v15.09.15/{bounding_box_train,query,bounding_box_test}/0002_c1s1_000451_03.jpg`:
identity 0002, camera 1. Identity -1 is junk and left out; 0000 are distractors of the gallery.
"""

from __future__ import annotations

from functools import partial

from promptreid.data.folders.market_file_names import read_market_layout
from promptreid.data.readers.reader_options import CameraOptions

Options = CameraOptions

read = partial(
    read_market_layout,
    name="market1501",
    nested=("Market-1501-v15.09.15", "market1501/Market-1501-v15.09.15", "market1501"),
)
