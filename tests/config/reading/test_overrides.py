"""Overrides of the command line: text where a key takes text, YAML elsewhere."""

import pytest

from promptreid.config.reading.overrides import parse_override
from promptreid.config.recipes import load_recipe
from promptreid.config.schema import Recipe
from promptreid.errors import ConfigError


@pytest.mark.parametrize(
    "text",
    ["{context} a photo", "{context}", "{context} {aspect} hand.", "a photo: {context}",
     "[x] {context}",
     "- {context}", "{context}: a", "'{context} a", "*{context}", "&{context}", "%{context}",
     "@{context}", "# {context}", "2001 {context}", "{context} {", "! {context}"],
)  # fmt: skip
def test_a_template_is_text_as_it_was_typed(text):
    path, value = parse_override(f"prompt.template={text}", Recipe)
    assert path == ["prompt", "template"]
    if text == "# {context}":  # a comment is nothing
        assert value is None
    else:
        assert value == text


def test_a_template_that_begins_with_a_brace_reaches_the_recipe():
    recipe = load_recipe("clip-reid", ["prompt.template={context} a photo of a person."])
    assert recipe.prompt.template == ("{context} a photo of a person.",)
    several = load_recipe("clip-reid", ["prompt.template=['{context} a', 'b {context}']"])
    assert several.prompt.template == ("{context} a", "b {context}")
    quoted = load_recipe("clip-reid", ['prompt.template="{context} a"'])
    assert quoted.prompt.template == ("{context} a",)
    assert load_recipe("clip-reid", ["prompt.init=null"]).prompt.init is None


@pytest.mark.parametrize("text", ["2001", "true", "0.50", "1e3", "{a: 1}", "a: b"])
def test_other_text_keys_keep_what_was_typed(text):
    assert load_recipe("clip-reid", [f"source={text}"]).source == text


def test_a_mapping_is_a_mapping_where_a_key_takes_one():
    batch = load_recipe("clip-reid", ["stages.image.batch={identities: 3, images: 2}"])
    assert batch.stages[1].batch.identities == 3
    with pytest.raises(ConfigError, match=r"stages.image.batch=.* is not valid YAML: line"):
        load_recipe("clip-reid", ["stages.image.batch={identities: 3"])


def test_a_long_value_is_shown_in_part():
    with pytest.raises(ConfigError) as caught:
        load_recipe("clip-reid", ["stages.image.batch={" + "x" * 5000])
    assert len(str(caught.value)) < 400


@pytest.mark.parametrize("value", ["1", "true", "text", "{a: 1}"])
def test_a_list_that_is_overwritten_by_something_else_leaves_other_mistakes_explained(value):
    with pytest.raises(ConfigError, match=r"losses"):
        load_recipe("clip-reid", [f"stages={value}", "losses.id=2"])
