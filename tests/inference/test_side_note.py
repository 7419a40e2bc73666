from pathlib import Path

import pytest
from facts import lacking
from small_models import INFO, small_backbone

from promptreid.config.recipes import load_recipe
from promptreid.data.manifest.manifest import Manifest, Sample
from promptreid.inference.embedder import Embedder
from promptreid.inference.side_note import note_unknown_sides
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


def embedder(*, recipe=None, **values):
    sizes = {kind: len(values.get(f"{kind[:-1]}_values", ())) for kind in ("cameras", "views")}
    model = ReIDModel(small_backbone(), sie=SideInformation(width=128, **sizes))
    return Embedder(model, INFO.updated(recipe=recipe, **values))


def test_cameras_that_did_not_train_are_counted():
    known = embedder(camera_values=("gate6", "yard"))
    manifest = images("a", ["gate6", "10", "9", None, "9"])
    assert not lacking(note_unknown_sides(known, manifest), "camera", "3 of 5 images", "(9, 10)")
    assert note_unknown_sides(known, images("a", ["gate6", None])) == ""
    assert note_unknown_sides(Embedder(ReIDModel(small_backbone()), known.info), manifest) == ""


def test_a_camera_of_another_data_set_did_not_train():
    known = embedder(camera_values=(("north", "0"), ("south", "0")))
    assert note_unknown_sides(known, images("south", ["0"])) == ""
    assert "1 of 1 images" in note_unknown_sides(known, images("west", ["0"]))


@pytest.mark.parametrize("attribute", [None, "side"])
def test_views_likewise(attribute):
    overrides = [] if attribute is None else [f"sie.attribute={attribute}"]
    known = embedder(view_values=("front",), recipe=load_recipe("clip-reid", overrides))
    note = note_unknown_sides(known, images("a", ["0", "0", "0"], ["front", "back", None]))
    assert note.startswith(f"The {attribute or 'view'} of 1 of 3 images did not train (back)")
