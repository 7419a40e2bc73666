"""What a report says a run changed."""

from promptreid.config.recipes import load_recipe
from promptreid.pages.content import SettingChange
from promptreid.pages.recipe_changes import recipe_changes


def test_a_run_is_set_against_the_recipe_it_names():
    parent, changes = recipe_changes(load_recipe("clip-reid/tiny", ["stages.image.epochs=3"]))
    assert parent == "clip-reid/tiny"
    before = {s.name: s.epochs for s in load_recipe("clip-reid/tiny").stages}["image"]
    assert changes == (SettingChange("stages.image.epochs", before, 3),)


def test_a_recipe_taken_as_it_is_is_set_against_the_one_it_extends():
    parent, changes = recipe_changes(load_recipe("clip-reid/tiny"))
    assert parent == "clip-reid"
    assert SettingChange("backbone.name", "ViT-B-16", "tiny") in changes
    keys = [change.key for change in changes]
    assert len(keys) == len(set(keys)) > 2
    assert not {"name", "description", "source"} & set(keys)


def test_a_recipe_that_extends_none_changes_nothing():
    assert recipe_changes(load_recipe("clip-reid")) == ("clip-reid", ())


def test_what_is_taken_away_has_no_value_now():
    _, changes = recipe_changes(load_recipe("clip-reid", ["stages.image.losses.triplet=0"]))
    found = {change.key: change for change in changes}
    assert found["stages.image.losses.triplet"].now is None
    assert found["stages.image.losses.triplet"].before is not None


def test_a_recipe_of_ones_own_has_no_parent(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text("extends: zero-shot\nbackbone: {name: tiny, image_size: [64, 32]}\n")
    assert recipe_changes(load_recipe(str(path))) == ("", ())
