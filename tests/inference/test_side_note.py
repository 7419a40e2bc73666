from pathlib import Path

import pytest
from small_models import small_backbone

from promptreid.data.manifest.manifest import Manifest, Sample
from promptreid.inference.side_note import side_note
from promptreid.models.reid import ReIDModel
from promptreid.models.sie import SideInformation


def images(name, cameras, views=None):
    samples = [
        Sample(f"{row}.jpg", "1", "test", camera, view, attributes={"side": view or ""})
        for row, (camera, view) in enumerate(
            zip(cameras, views or [None] * len(cameras), strict=True)
        )
    ]
    return Manifest.of(name, Path("/data"), samples)


def model(**tables):
    return ReIDModel(small_backbone(), sie=SideInformation(width=128, **tables))


def test_cameras_that_did_not_train_are_counted():
    metadata = {"camera_values": ["gate6", "yard"]}
    manifest = images("a", ["gate6", "10", "9", None, "9"])
    assert side_note(model(cameras=2), manifest, metadata) == (
        "The camera of 3 of 5 images did not train (9, 10); the mean of all stands for it."
    )
    assert side_note(model(cameras=2), images("a", ["gate6", None]), metadata) == ""
    assert side_note(ReIDModel(small_backbone()), manifest, metadata) == ""


def test_a_camera_of_another_data_set_did_not_train():
    metadata = {"camera_values": [["north", "0"], ["south", "0"]]}
    assert side_note(model(cameras=2), images("south", ["0"]), metadata) == ""
    assert "1 of 1 images" in side_note(model(cameras=2), images("west", ["0"]), metadata)


@pytest.mark.parametrize("attribute", [None, "side"])
def test_views_likewise(attribute):
    metadata = {"view_values": ["front"], "recipe": {"sie": {"attribute": attribute}}}
    manifest = images("a", ["0", "0", "0"], ["front", "back", None])
    note = side_note(model(views=1), manifest, metadata)
    assert note.startswith(f"The {attribute or 'view'} of 1 of 3 images did not train (back)")
