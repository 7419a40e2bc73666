"""Data sets as CLIP-ReID names them."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

FOLDERS: Mapping[str, str] = MappingProxyType(
    {
        "market1501": "market1501:{root}/Market-1501-v15.09.15",
        "msmt17": "msmt17:{root}/MSMT17",
        "dukemtmc": "dukemtmc:{root}/dukemtmcreid/DukeMTMC-reID",
        "occ_duke": "occluded_duke:{root}/dukemtmcreid/Occluded_Duke",
        "veri": "veri776:{root}/VeRi?views=drop",
        "VehicleID": "vehicleid:{root}/VehicleID_V1.0",
    }
)
"""The data SPEC of each, with the place of its root."""

VEHICLES = ("veri", "VehicleID")
WITHOUT_VIEWS = ("occ_duke", "VehicleID")
"""Data sets on which the original fails with `SIE_VIEW`."""


def data_spec(name: str, root: str) -> str:
    """Return the data SPEC of a data set; of VeRi-776 without views, which only SIE looks at.

    Raises:
        KeyError: There is no such data set.
    """
    return FOLDERS[name].format(root=root.rstrip("/") or ".")
