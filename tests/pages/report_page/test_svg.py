"""Figures inside a page: colours that follow the theme, letters, names, bytes."""

import io
import re
from xml.etree import ElementTree

import numpy as np
import pytest
from matplotlib.patheffects import withStroke

from promptreid.figures.drawn import Drawn
from promptreid.figures.style import DARK, LIGHT, themed_figure
from promptreid.pages.report_page.colours import replaced_colours, stylesheet, variables
from promptreid.pages.report_page.svg import figure_svg


def draw(*, name="a run", picture=False, title=""):
    with themed_figure(LIGHT, (4, 3)) as figure:
        axes = figure.subplots()
        if picture:
            noise = np.random.default_rng(0).integers(0, 30, (400, 500, 3))
            axes.imshow((noise + np.linspace(0, 200, 500)[:, None]).astype(np.uint8))
            axes.plot([0, 20], [0, 10], color="white")
        else:
            axes.plot([1, 2, 3], [0.123456789, 2, 1], color=LIGHT.hues[1], label=name)
            axes.legend()
        axes.set_title(title)
    return figure


def svg(figure, key="one", alt="What it shows"):
    return ElementTree.fromstring(figure_svg(Drawn(figure, alt), key))


def test_colours_of_the_theme_become_variables():
    text = figure_svg(Drawn(draw(), "alt"), "one")
    assert "var(--hue-1)" in text
    assert "var(--paper)" in text
    assert "var(--ink)" in text
    left = set(re.findall(r"#[0-9a-f]{6}", text))
    assert not left & {LIGHT.paper, LIGHT.ink, LIGHT.faint, *LIGHT.hues, "#000000"}


def test_both_themes_have_every_variable_that_figures_use():
    assert variables(LIGHT).keys() == variables(DARK).keys()
    used = {value.removeprefix("var(--").rstrip(")") for value in replaced_colours().values()}
    assert used <= variables(LIGHT).keys()
    css = stylesheet("body{}")
    for theme in (LIGHT, DARK):
        assert f"--paper:{theme.paper}" in css
        assert f"--hue-6:{theme.hues[6]}" in css


def test_lines_over_pictures_keep_white_and_black():
    root = svg(draw(picture=True))
    strokes = [element.get("style", "") for element in root.iter("path")]
    assert any("stroke:#ffffff" in style for style in strokes)
    assert any("var(--faint)" in style for style in strokes)  # the frame follows the theme


def test_letters_stay_letters_in_the_type_of_the_page():
    root = svg(draw(name="run <b> & $x"))
    texts = ["".join(text.itertext()) for text in root.iter("text")]
    assert "run <b> & $x" in texts
    styles = " ".join(element.get("style", "") for element in root.iter())
    assert "font-size" in styles
    assert "DejaVu" not in styles


@pytest.mark.parametrize("name", [r"$\frac{", "$a$ and $b$", "a\x01b"])
def test_names_are_no_formulas(name):
    texts = ["".join(text.itertext()) for text in svg(draw(name=name)).iter("text")]
    assert name.replace("\x01", r"\u0001") in texts


def test_outlined_words_get_a_class_and_the_figure_is_left_as_it_was():
    figure = draw()
    (axes,) = figure.axes
    note = axes.annotate("0.71", (2, 1), path_effects=[withStroke(linewidth=2, foreground="w")])
    root = svg(figure)
    (halo,) = [element for element in root.iter() if element.get("class") == "halo"]
    assert ["".join(text.itertext()) for text in halo.iter("text")] == ["0.71"]
    assert note.get_path_effects()
    assert note.get_gid() is None


def test_names_inside_figures_do_not_meet():
    roots = [svg(draw(), key) for key in ("one", "two")]
    ids = [{e.get("id") for e in root.iter() if e.get("id")} for root in roots]
    assert ids[0]
    assert not ids[0] & ids[1]
    for root, own in zip(roots, ids, strict=True):
        for element in root.iter():
            for value in element.attrib.values():
                assert set(re.findall(r"url\(#([^)]+)\)", value)) <= own
            if element.get("href", "").startswith("#"):
                assert element.get("href")[1:] in own


def test_a_figure_has_a_name_a_size_and_nothing_of_a_file():
    root = svg(draw(), alt='He said "<ten>" & left')
    assert root.tag == "svg"
    assert root.get("role") == "img"
    assert root.get("aria-label") == 'He said "<ten>" & left'
    sizes = re.fullmatch(r"--w:([\d.]+);--h:([\d.]+)", root.get("style"))
    width, height = map(float, sizes.groups())
    assert width == pytest.approx(288, rel=0.1)
    assert height == pytest.approx(216, rel=0.1)
    assert list(map(float, root.get("viewBox").split())) == [0, 0, width, height]
    assert not list(root.iter("metadata"))
    assert not list(root.iter("style"))


def test_long_words_do_not_leave_the_figure():
    figure = draw()
    figure.axes[0].set_ylabel("a very long name of a run, and what is shown of it " * 3)
    tall = float(svg(figure).get("viewBox").split()[3])
    assert tall > 400


def test_numbers_are_short_and_the_drawing_smaller_than_the_file():
    figure = draw()
    text = figure_svg(Drawn(figure, ""), "one")
    assert not re.findall(r"\d\.\d{5,}", text)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="svg")
    assert len(text) < 0.6 * buffer.tell()


def test_pictures_inside_figures_are_stored_as_webp():
    figure = draw(picture=True)
    (image,) = svg(figure).iter("image")
    assert image.get("href").startswith("data:image/webp;base64,")


def test_the_same_figure_gives_the_same_text():
    assert figure_svg(Drawn(draw(), "a"), "k") == figure_svg(Drawn(draw(), "a"), "k")
