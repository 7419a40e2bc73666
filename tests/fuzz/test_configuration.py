"""Recipes, sweeps, overrides, data specs and trackers of any text: a value or a sentence."""

import pytest
from damage import ODD_CHARACTERS, damaged, damaged_text, fuzz, odd_words, survives
from hypothesis import given
from hypothesis import strategies as st

from promptreid.config.recipes import load_recipe, recipe_names, recipe_text
from promptreid.config.sweep import FOLDER as SWEEPS
from promptreid.config.sweep import load_sweep, sweep_names
from promptreid.data.data_spec import parse_spec
from promptreid.tracking.track_option import parse_trackers

pytestmark = pytest.mark.slow

RECIPE = """\
extends: clip-reid/demo
name: mine
description: "one of: mine"
backbone: {name: tiny, image_size: [64, 64]}
prompt: {template: "a photo of a {context} hand.", context_tokens: 4}
stages:
  - name: image
    epochs: 2
    optimizer: {lr: 5e-4}
    losses: {triplet: {weight: 1.0, margin: 0.3}, id: 0.5}
"""
SWEEP = """\
recipe: clip-reid/tiny
data: [folder:/data/crops]
seeds: [0, 1]
set: {stages.image.epochs: 2}
grid:
  stages.image.optimizer.lr: [1e-4, 5e-4]
  prompt.context_tokens: [4, 8]
runs:
  base:
  wide: {set: {backbone.image_size: 96}}
"""
KEYS = ("stages.image.epochs", "backbone.name", "prompt", "stages", "losses.id", "evaluation.flip")


def write(tmp_path_factory, name, content):
    path = tmp_path_factory.mktemp("fuzz") / name
    path.write_bytes(content)
    return path


@fuzz(150)
@given(st.one_of(damaged_text(RECIPE), damaged(RECIPE.encode())))
def test_recipe_files(tmp_path_factory, content):
    path = write(tmp_path_factory, "r.yaml", content)
    survives(lambda: load_recipe(str(path)))


@fuzz(100)
@given(name=st.sampled_from(recipe_names()), data=st.data())
def test_recipes_of_the_package(tmp_path_factory, name, data):
    text = recipe_text(name)
    path = write(tmp_path_factory, "r.yaml", data.draw(damaged_text(text)))
    survives(lambda: load_recipe(str(path)))


values = st.one_of(
    odd_words,
    st.text(ODD_CHARACTERS + "ab01", max_size=12),
    st.floats().map(str),
    st.integers().map(str),
    st.recursive(
        st.one_of(st.none(), st.booleans(), st.integers(), st.text(max_size=5)),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
        max_leaves=8,
    ).map(repr),
)


@fuzz(250)
@given(
    st.lists(
        st.tuples(
            st.one_of(st.sampled_from(KEYS), st.text(ODD_CHARACTERS + "ab", max_size=20)), values
        ),
        min_size=1,
        max_size=3,
    )
)
def test_overrides(pairs):
    survives(lambda: load_recipe("clip-reid/demo", [f"{key}={value}" for key, value in pairs]))


@fuzz(150)
@given(st.one_of(damaged_text(SWEEP), damaged(SWEEP.encode())))
def test_sweep_files(tmp_path_factory, content):
    path = write(tmp_path_factory, "s.yaml", content)
    survives(lambda: load_sweep(path))


@fuzz(60)
@given(name=st.sampled_from(sweep_names()), data=st.data())
def test_sweeps_of_the_package(tmp_path_factory, name, data):
    text = (SWEEPS / f"{name}.yaml").read_text(encoding="utf-8")
    path = write(tmp_path_factory, "s.yaml", data.draw(damaged_text(text)))
    survives(lambda: load_sweep(path))


@fuzz(400)
@given(
    st.one_of(
        damaged_text("hands11k:/data/11k?aspect=dorsal_right&use=all").map(
            lambda content: content.decode("utf-8", "surrogateescape")
        ),
        st.text(ODD_CHARACTERS + "folder:", max_size=30),
    )
)
def test_data_specs(text):
    survives(lambda: parse_spec(text))


@fuzz(300)
@given(st.lists(st.one_of(st.text(max_size=20), odd_words, st.just("wandb:a/b")), max_size=3))
def test_trackers(texts):
    survives(lambda: parse_trackers(texts))


@pytest.mark.parametrize("content", [b"", b"\xff\xfe", b"\x00", b"[", b"1", b"- a", b"null"])
@pytest.mark.parametrize("read", [lambda path: load_recipe(str(path)), load_sweep])
def test_files_that_hold_nothing_of_use(content, read, tmp_path):
    path = tmp_path / "x.yaml"
    path.write_bytes(content)
    assert isinstance(survives(lambda: read(path)), Exception)
