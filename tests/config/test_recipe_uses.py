"""Every recipe is listed under what it is for."""

from promptreid.config.recipe_uses import find_use, recipe_uses
from promptreid.config.recipes import list_recipes, recipe_names

NAMES = recipe_names()
DESCRIBED = dict.fromkeys(NAMES, "")


def test_every_recipe_has_a_use_and_a_line():
    uses = recipe_uses(DESCRIBED)
    for name in NAMES:
        use, take_if = find_use(name)
        assert use in uses, name
        assert take_if.startswith("you "), name
    assert "More" not in uses


def test_every_row_names_a_recipe_that_exists():
    listed = {row.name for rows in recipe_uses(DESCRIBED).values() for row in rows}
    singles = {name for name in listed if "*" not in name}
    assert singles <= set(NAMES)
    several = [name.removesuffix("*") for name in listed if "*" in name]
    assert all(len([name for name in NAMES if name.startswith(start)]) > 1 for start in several)


def test_a_new_recipe_is_listed_with_its_description():
    uses = recipe_uses({**DESCRIBED, "new/one": "Something new."})
    (row,) = uses["More"]
    assert (row.name, row.take_if) == ("new/one", "Something new.")
    assert find_use("new/one") == ("", "")


def test_lines_are_short_enough_for_one_line_of_a_terminal():
    assert all(len(find_use(info.name)[1]) <= 66 for info in list_recipes())
