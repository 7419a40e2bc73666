"""Nested values as one flat table."""

from promptreid.text.flat_tree import flat_tree


def test_settings_get_the_keys_of_overrides():
    tree = {
        "backbone": {"name": "tiny", "image_size": [32, 16]},
        "stages": [{"name": "image", "epochs": 2}],
        "start": {"checkpoint": None},
        "empty": [],
    }
    assert flat_tree(tree) == {
        "backbone.name": "tiny",
        "backbone.image_size": [32, 16],
        "stages.image.name": "image",
        "stages.image.epochs": 2,
        "start.checkpoint": None,
        "empty": [],
    }


def test_keys_are_joined_as_asked():
    assert flat_tree({"gpu": {"name": "H100"}}, separator=" ") == {"gpu name": "H100"}
