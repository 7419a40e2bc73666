"""Models by fingerprint, in memory or where they lie."""

from pathlib import Path

import pytest
from gallery_model import PixelModel

from promptreid.errors import WeightsError
from promptreid.gallery.vector_model import describe_model
from promptreid.serve.served_models import ServedModel, ServedModels

HELD, WANTED = PixelModel(0), PixelModel(7)


@pytest.fixture
def wanted(tmp_path):
    """What records say of a model that lies somewhere."""
    WANTED.description = {"source": str(tmp_path / "better")}
    (tmp_path / "better").touch()
    return describe_model(WANTED)


class Shelf:
    """Models by place; notes which were loaded."""

    def __init__(self, **models):
        self.models, self.loaded = models, []

    def __call__(self, place: Path) -> ServedModel:
        """Load the model of a place."""
        self.loaded.append(place.name)
        if place.name not in self.models:
            raise WeightsError("no checkpoint")
        return ServedModel(self.models[place.name])


def test_a_model_in_memory_is_loaded_nowhere(wanted):
    load = Shelf()
    models = ServedModels([ServedModel(HELD), ServedModel(WANTED)], load)
    assert models.first.model is HELD
    assert models.find(wanted).model is WANTED
    assert load.loaded == []


def test_a_model_is_loaded_once_from_where_the_records_say(wanted):
    load = Shelf(better=WANTED)
    models = ServedModels([ServedModel(HELD)], load)
    assert models.find(wanted).model is models.find(wanted).model is WANTED
    assert load.loaded == ["better"]
    models.let_go(WANTED.fingerprint)
    assert models.find(wanted).model is WANTED
    assert load.loaded == ["better"] * 2


def test_another_model_in_its_place_is_not_taken_for_it(wanted, tmp_path):
    for name in ("broken", "named"):
        (tmp_path / name).touch()
    load = Shelf(better=PixelModel(8), named=WANTED)
    places = [tmp_path / "missing", tmp_path / "broken", tmp_path / "named"]
    models = ServedModels([ServedModel(HELD)], load, places)
    assert models.find(wanted).model is WANTED
    assert load.loaded == ["better", "broken", "named"]


def test_what_was_found_nowhere_is_looked_for_again_after_a_while(wanted):
    load, now = Shelf(), [0.0]
    models = ServedModels([ServedModel(HELD)], load, clock=lambda: now[0])
    assert models.find(wanted) is models.find(wanted) is None
    assert load.loaded == ["better"]
    load.models["better"] = WANTED
    now[0] = 31.0
    assert models.find(wanted).model is WANTED
