"""Figures can be drawn and saved whatever their names hold."""

import io
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.text import Text
from PIL import Image

from promptreid.figures.drawn import Drawn
from promptreid.figures.lettering import spelled_out
from promptreid.figures.style import LIGHT, themed_figure
from promptreid.pages.report_page.svg import figure_svg

NAME, SHOWN = "Andr\udce9\x1b16\uffff", r"Andr\udce9\u001b16\uffff"


def named(name):
    """Put a name wherever a figure can have one."""
    with themed_figure(LIGHT, (3, 2)) as figure:
        left, right = figure.subplots(1, 2)
        left.plot([1, 2], [1, 2], label=f"run {name}")
        left.legend(title=name)
        left.set_title(name)
        left.set_xlabel(name)
        left.text(1, 1, name)
        left.annotate(name, (1, 1))
        left.set_yticks([1, 2], labels=[name, "b"])
        right.barh([0, 1], [1, 2], tick_label=[name, "c"])
        figure.suptitle(f"{name}\nsecond line")
    return Drawn(figure, f"Shows {name}.")


@pytest.mark.parametrize("kind", ["png", "svg", "pdf"])
def test_a_figure_with_undecodable_names_is_saved(tmp_path, kind):
    drawn = named(NAME)
    drawn.save(tmp_path / f"a.{kind}")
    content = (tmp_path / f"a.{kind}").read_bytes()
    assert len(content) > 1000
    if kind == "svg":
        assert content.decode().count(f">{SHOWN}<") >= 7
        assert f"Shows {SHOWN}." in content.decode()


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:Glyph", "ignore:constrained_layout")
@settings(max_examples=8, deadline=None)
@given(st.text(st.characters(), min_size=1, max_size=12))
def test_any_name_can_be_drawn_on_paper_and_in_a_page(name):
    drawn = named(name)
    drawn.figure.savefig(io.BytesIO(), format="png", dpi=20)
    ElementTree.fromstring(figure_svg(drawn, "k"))
    drawn.alt.encode()


def test_lines_of_a_title_stay_lines():
    assert named("x").figure.get_suptitle() == "x\nsecond line"


@pytest.mark.parametrize("kind", ["png", "pdf"])
def test_letters_that_the_font_lacks_are_spelled_out_and_the_figure_is_left(
    tmp_path, kind, recwarn
):
    drawn = named("名grün")
    texts = [text.get_text() for text in drawn.figure.findobj(Text)]
    drawn.save(tmp_path / f"a.{kind}")
    assert not [one for one in recwarn if "Glyph" in str(one.message)]
    assert [text.get_text() for text in drawn.figure.findobj(Text)][: len(texts)] == texts
    with spelled_out(drawn.figure):
        assert drawn.figure.axes[0].get_title() == r"\u540dgrün"
    assert drawn.figure.axes[0].get_title() == "名grün"


def test_letters_stay_letters_in_svg(tmp_path, recwarn):
    drawn = named("名grün")
    drawn.save(tmp_path / "a.svg")
    assert not [one for one in recwarn if "Glyph" in str(one.message)]
    assert ">名grün<" in (tmp_path / "a.svg").read_text(encoding="utf-8")


def test_notebooks_get_the_picture_in_sharp_pixels_and_its_words():
    drawn = named("a name")
    png, facts = drawn._repr_png_()
    picture = Image.open(io.BytesIO(png))
    assert picture.width == 2 * facts["width"]
    assert facts["alt"] == drawn.alt == picture.info["Description"]
    assert drawn.alt in repr(drawn)
