import itertools
import sys

import pytest

from promptreid.errors import ConfigError
from promptreid.figures.extra import need
from promptreid.figures.style import (
    DARK,
    LIGHT,
    THEMES,
    decade_text,
    find_theme,
    group_look,
    most_groups,
    themed_figure,
)


def luminance(colour):
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return sum(w * c for w, c in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def contrast(one, other):
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("theme", THEMES.values(), ids=str)
def test_text_and_points_stand_out_from_the_paper(theme):
    assert contrast(theme.ink, theme.paper) > 7
    assert contrast(theme.faint, theme.paper) > 4.5
    assert min(contrast(hue, theme.paper) for hue in theme.hues) > 2


@pytest.mark.parametrize("theme", THEMES.values(), ids=str)
def test_groups_have_looks_of_their_own_and_neighbours_differ_in_shape(theme):
    looks = [group_look(theme, number) for number in range(most_groups(theme))]
    assert len(set(looks)) == len(looks) == 35
    assert all(one[1] != two[1] for one, two in itertools.pairwise(looks))
    # Blue and sky blue, orange and red: the same shape only where the list is long.
    for one, other in ((0, 5), (1, 4)):
        alike = [
            {place for place, look in enumerate(looks) if look[0] == theme.hues[hue]}
            for hue in (one, other)
        ]
        shapes = [{looks[place][1]: place for place in places} for places in alike]
        for shape, place in shapes[0].items():
            assert max(place, shapes[1][shape]) >= 18


def test_a_theme_leaves_the_settings_as_they_were():
    import matplotlib

    before = dict(matplotlib.rcParams)
    with themed_figure(DARK, (3, 2)):
        assert matplotlib.rcParams["axes.facecolor"] == DARK.paper
    assert dict(matplotlib.rcParams) == before
    assert find_theme("light") is LIGHT
    with pytest.raises(ConfigError, match="Did you mean 'light'"):
        find_theme("ligth")


def test_a_missing_package_is_named_with_its_remedy(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(ConfigError, match=r"matplotlib, which .*'promptreid\[report\]'"):
        need("matplotlib")


def test_a_package_that_is_broken_is_not_called_missing(tmp_path, monkeypatch):
    (tmp_path / "half_there.py").write_text("import not_there_at_all")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ModuleNotFoundError, match="not_there_at_all"):
        need("half_there")


@pytest.mark.parametrize(
    ("value", "words"),
    [(1e-12, "10⁻¹²"), (1e-4, "10⁻⁴"), (1e-3, "0.001"), (0.1, "0.1"), (1, "1"), (1000, "1,000")],
)
def test_powers_of_ten_are_words_and_no_formulas(value, words):
    assert decade_text(value) == words
