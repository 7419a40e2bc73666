"""Figures as SVG inside a page: its type, its colours in either theme, few bytes."""

from __future__ import annotations

import base64
import contextlib
import io
import re
import warnings
from collections.abc import Generator, Iterator, Mapping
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

from PIL import Image

from promptreid.figures.drawn import Drawn
from promptreid.figures.extra import need
from promptreid.pages.report_page.colours import replaced_colours

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_DPI = 144  # of pictures inside figures: two pixels for a point
_PAD = 0.04  # inches around what is drawn
_HALO = "halo-"
_WEBP_QUALITY = 82
_NUMBER = re.compile(r"-?\d+\.\d+(?:e[-+]?\d+)?")
_FONT = re.compile(r"(?:(?P<weight>bold|\d00)\s+)?(?P<size>[\d.]+)px")
_NO_TURN = re.compile(r"rotate\(-?0 [^)]*\) ?")
_REFERENCE = re.compile(r"url\(#([^)]+)\)")
_MEASURES = ("d", "x", "y", "width", "height", "points", "viewBox", "cx", "cy", "r")


def figure_svg(drawn: Drawn, key: str) -> str:
    """Draw a figure as an element of a page.

    Letters stay letters, in the type of the page; colours become the page's variables, so that one
    drawing, in the light theme, serves both themes. The figure is left as it was, but that its
    layout is settled. Its key within the page goes before all names inside it.
    """
    root = ElementTree.fromstring(_draw(drawn.figure))
    _strip(root)
    _restyle(root, replaced_colours(), in_raster=False)
    _rename(root, key)
    width, height = (_short(root.get(side, "").removesuffix("pt")) for side in ("width", "height"))
    root.attrib = {
        "class": "plot",
        "viewBox": root.get("viewBox", ""),
        "role": "img",
        "aria-label": drawn.alt,
        "style": f"--w:{width};--h:{height}",
    }
    return ElementTree.tostring(root, encoding="unicode")


def _draw(figure: Figure) -> str:
    """Let matplotlib write a figure; the same figure gives the same text."""
    buffer = io.StringIO()
    settings = {"svg.fonttype": "none", "svg.hashsalt": "promptreid"}
    metadata = dict.fromkeys(("Date", "Creator", "Format", "Type"))
    with (
        need("matplotlib").rc_context(settings),
        warnings.catch_warnings(),
        _plain_letters(figure),
    ):
        # The reader's fonts may well have the letters that matplotlib's own lacks.
        warnings.filterwarnings("ignore", r"Glyph \d+")
        figure.savefig(
            buffer, format="svg", dpi=_DPI, metadata=metadata, facecolor="none",
            bbox_inches="tight", pad_inches=_PAD,  # long names may reach beyond the figure
        )  # fmt: skip
    figure.set_layout_engine("none")  # laid out once: each further time moves things a little
    return buffer.getvalue()


@contextlib.contextmanager
def _plain_letters(figure: Figure) -> Generator[None]:
    """Let words with an outline be written as letters; the page gives them one by their names."""
    texts = figure.findobj(need("matplotlib.text").Text)
    known = [
        (text, text.get_path_effects(), text.get_gid()) for text in texts if text.get_path_effects()
    ]
    for number, (text, _, _) in enumerate(known):
        text.set_path_effects([])
        text.set_gid(f"{_HALO}{number}")
    try:
        yield
    finally:
        for text, effects, name in known:
            text.set_path_effects(effects)
            text.set_gid(name)


def _strip(root: Element) -> None:
    """Take away what only a file needs: namespaces, metadata, and rules for all elements."""
    for parent in root.iter():
        parent.tag = _local(parent.tag)
        for name in list(parent.attrib):
            if name.startswith("{"):
                parent.set(_local(name), parent.attrib.pop(name))
        for child in list(parent):
            if _local(child.tag) in ("metadata", "style"):
                parent.remove(child)
        for text in ("text", "tail"):
            if not (getattr(parent, text) or "").strip():
                setattr(parent, text, None)


def _local(name: str) -> str:
    return name.rpartition("}")[2]


def _restyle(element: Element, colours: Mapping[str, str], *, in_raster: bool) -> None:
    """Turn styles, measures and pictures of an element and all within it into the page's.

    In axes with a picture (a raster), black and white lines are drawn for the picture, and stay.
    """
    if element.get("id", "").startswith(_HALO):
        element.set("class", "halo")
    if element.get("id", "").startswith("axes_"):
        in_raster = any(child.tag == "image" for child in element.iter())
    unchanged = {"#000000", "#ffffff"} if in_raster and element.tag in ("path", "use") else set()
    style = _style(element, {old: new for old, new in colours.items() if old not in unchanged})
    if style:
        element.set("style", style)
    for name in _MEASURES:
        if name in element.attrib:
            element.set(name, _short(element.attrib[name]))
    if "transform" in element.attrib:
        moved = _NO_TURN.sub("", _short(element.attrib.pop("transform"), digits=4))
        if moved:
            element.set("transform", moved)
    if element.tag == "image":
        element.set("href", _smaller(element.get("href", "")))
        element.set("preserveAspectRatio", "none")
    for child in element:
        _restyle(child, colours, in_raster=in_raster)


def _style(element: Element, colours: Mapping[str, str]) -> str:
    """Return an element's style with the page's colours; its type keeps size and weight alone."""
    style = dict(_declarations(element.attrib.pop("style", "")))
    for name in ("fill", "stroke"):
        if name in element.attrib:  # variables are sure to work in a style only
            style.setdefault(name, element.attrib.pop(name))
    style.pop("font-family", None)
    font = _FONT.search(style.pop("font", ""))
    if font is not None:
        style["font-size"] = f"{_short(font['size'])}px"
        if font["weight"]:
            style["font-weight"] = font["weight"]
    style = {name: colours.get(value.lower(), value) for name, value in style.items()}
    return ";".join(f"{name}:{value}" for name, value in style.items())


def _declarations(style: str) -> Iterator[tuple[str, str]]:
    for declaration in style.split(";"):
        name, colon, value = declaration.partition(":")
        if colon:
            yield name.strip(), value.strip()


def _short(text: str, digits: int = 2) -> str:
    """Round all numbers of a text, and join its lines."""

    def rounded(match: re.Match[str]) -> str:
        number = f"{float(match[0]):.{digits}f}".rstrip("0").rstrip(".")
        return "0" if number in ("-0", "") else number

    return " ".join(_NUMBER.sub(rounded, text).split())


def _rename(root: Element, key: str) -> None:
    """Drop names that nothing refers to, and number the others, so that they are unique."""
    used = set()
    for element in root.iter():
        used |= {one for value in element.attrib.values() for one in _REFERENCE.findall(value)}
        used |= {value[1:] for value in (element.get("href", ""),) if value.startswith("#")}
    names: dict[str, str] = {}
    for element in root.iter():
        name = element.attrib.pop("id", "")
        if name in used:
            names[name] = f"{key}-{len(names)}"
            element.set("id", names[name])
    for element in root.iter():
        for attribute, value in list(element.attrib.items()):
            if attribute == "href" and value.startswith("#"):
                element.set(attribute, f"#{names[value[1:]]}")
            elif "url(#" in value:
                element.set(attribute, _REFERENCE.sub(lambda m: f"url(#{names[m[1]]})", value))


def _smaller(address: str) -> str:
    """Store a picture inside a figure as WebP where that takes fewer bytes."""
    head, _, data = address.partition("base64,")
    if head != "data:image/png;":
        return address
    raw = base64.b64decode(data)
    buffer: Any = io.BytesIO()
    Image.open(io.BytesIO(raw)).save(buffer, "WEBP", quality=_WEBP_QUALITY, method=4)
    if buffer.tell() >= len(raw):
        return "".join(address.split())
    return f"data:image/webp;base64,{base64.b64encode(buffer.getvalue()).decode()}"
