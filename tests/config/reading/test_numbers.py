"""Numbers in any usual spelling where a number is allowed, and text where text is."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptreid.config.reading.numbers import LARGEST, read_number
from promptreid.config.reading.typed_values import as_typed
from promptreid.config.recipes import load_recipe
from promptreid.errors import ConfigError

LR = "stages.image.optimizer.lr"


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("5e-4", 5e-4), ("1e3", 1000.0), ("1_000", 1000), (".5", 0.5), ("+1e-4", 1e-4), ("5.", 5.0),
        ("5E-4", 5e-4), ("-2", -2), ("007", 7), (" 3 ", 3), ("1_0.5", 10.5), ("0", 0), (2, 2),
        (0.5, 0.5),
    ],
)  # fmt: skip
def test_spellings(text, number):
    assert read_number(text) == number
    assert type(read_number(text)) is type(number)


@pytest.mark.parametrize(
    "text",
    ["", "e5", "1e", "1__0", "_1", "1_", "0x10", "1:30", "inf", ".inf", "nan", "1e999", "9" * 5000,
     "1 000", "1,5", "½", "٣", "ten", None, True, [1], float("inf"), float("nan")],
)  # fmt: skip
def test_no_numbers(text):
    assert read_number(text) is None


@given(st.floats(allow_nan=False, allow_infinity=False) | st.integers())
def test_every_number_is_read_as_python_writes_it(number):
    if len(repr(number)) <= 300:
        assert read_number(repr(number)) == number


@pytest.mark.parametrize("text", ["5e-4", "+5e-4", ".0005", "0.000_5", "5E-04", "0.0005", "'5e-4'"])
def test_rates_on_the_command_line(text):
    assert load_recipe("clip-reid", [f"{LR}={text}"]).stages[1].optimizer.lr == 5e-4


@pytest.mark.parametrize(
    ("override", "path", "value"),
    [
        ("stages.image.epochs=1e1", ("epochs",), 10),
        ("stages.image.epochs=1_0", ("epochs",), 10),
        ("stages.image.losses.triplet=5e-1", ("losses", "triplet", "weight"), 0.5),
        ("stages.image.losses.triplet.margin=+3e-1", ("losses", "triplet", "margin"), 0.3),
        ("stages.image.schedule.milestones=[1e1, 2_0]", ("schedule", "milestones"), (10, 20)),
        ("stages.image.optimizer.part_lr_factors={head: 1e1}",
         ("optimizer", "part_lr_factors"), {"head": 10.0}),
        ("stages.image.augment.crop=[5e-1, 1]", ("augment", "crop"), (0.5, 1.0)),
        ("stages.image.views=2", ("views",), 2),
    ],
)  # fmt: skip
def test_numbers_wherever_a_number_is_allowed(override, path, value):
    node = load_recipe("clip-reid", [override]).stages[1]
    for part in path:
        node = getattr(node, part)
    assert node == value


def test_image_sizes_and_the_weight_of_a_loss_with_options():
    recipe = load_recipe("clip-reid", ["backbone.image_size=2_56", "stages.image.losses.id=2.5e-1"])
    assert recipe.backbone.image_size == (256, 256)
    assert recipe.stages[1].losses.id.weight == 0.25
    assert recipe.stages[1].losses.id.smoothing == 0.1


@pytest.mark.parametrize("text", ["5e-4", "1_000", "007", "0.50", "2001", "1e3", "no", "9" * 100])
def test_text_keys_keep_what_was_typed(text, tmp_path):
    assert load_recipe("clip-reid", [f"name={text}", f"source={text}"]).source == text
    (tmp_path / "a.yaml").write_text(f"extends: clip-reid\nname: {text}\n")
    assert load_recipe(str(tmp_path / "a.yaml")).name == text


@pytest.mark.parametrize("text", ["inf", ".inf", "nan", "1e999", "ten", "9" * 5000])
def test_no_number_is_a_sentence_of_moderate_length(text):
    with pytest.raises(ConfigError, match=f"{LR}: expected a number, got '") as caught:
        load_recipe("clip-reid", [f"{LR}={text}"])
    assert len(str(caught.value)) < 200


@pytest.mark.parametrize("text", ["1e300", "9" * 40, "9007199254740993"])
def test_whole_numbers_have_a_largest(text):
    with pytest.raises(ConfigError, match=r"stages.image.epochs: .*9,007,199,254,740,992"):
        load_recipe("clip-reid", [f"stages.image.epochs={text}"])


def test_numbers_are_read_within_lists_and_mappings_only_where_the_type_says_so():
    assert as_typed(["1e1", "x"], tuple[int, ...]) == [10.0, "x"]
    assert as_typed({"a": "1e1"}, dict[str, float]) == {"a": 10.0}
    assert as_typed("1e1", str | int) == "1e1"
    assert as_typed(["1e1"], tuple[str, ...]) == ["1e1"]
    assert as_typed(LARGEST, int) == LARGEST
