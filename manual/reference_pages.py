"""The pages of the reference: signatures and docstrings of what programs call."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any

from manual.docstrings import markdown
from promptreid.json_record import JsonRecord

_WHOLE = "Everything at a glance"

Shown = Mapping[str, tuple[str, ...] | None]

PAGES: Mapping[str, tuple[str, Shown]] = MappingProxyType(
    {
        "promptreid": (_WHOLE, {"promptreid": None}),
        "models": (
            "Models",
            {
                "promptreid.inference.embedder": ("Embedder",),
                "promptreid.inference.loaded_model": ("LoadedModel",),
            },
        ),
        "data": (
            "Data",
            {
                "promptreid.data.load_data": ("load_data",),
                "promptreid.data.dataset": ("DataSet",),
                "promptreid.data.manifest.manifest": ("Manifest", "Sample"),
                "promptreid.data.protocol": ("Protocol", "Repeat"),
            },
        ),
        "training": (
            "Training and runs",
            {
                "promptreid.training.run.train": ("TrainRequest", "train"),
                "promptreid.runs.run_folder": ("RunFolder",),
                "promptreid.config.recipes": (
                    "load_recipe",
                    "recipe_names",
                    "recipe_text",
                    "dump_recipe",
                ),
            },
        ),
        "evaluation": (
            "Scores",
            {"promptreid.evaluation.public": None, "promptreid.inference.assess": ("assess",)},
        ),
        "gallery": (
            "Galleries",
            {
                "promptreid.gallery.gallery": ("Gallery",),
                "promptreid.gallery.searching.filters": ("Filters",),
                "promptreid.actions.searches.picture_index": ("PictureIndex",),
                "promptreid.actions.searches.found_pictures": ("FoundPictures",),
            },
        ),
        "pictures": (
            "Reports and figures",
            {
                "promptreid.pages.collect": ("collect",),
                "promptreid.pages.collect_options": ("ReportOptions",),
                "promptreid.pages.report_page": ("write_page",),
                "promptreid.figures.drawn": ("Drawn",),
            },
        ),
    }
)
"""Name of each page, its title, and its modules with what is shown; None for all of `__all__`."""

_WIDTH = 88
_NOT_SEARCHED = "---\nsearch:\n  exclude: true\n---\n\n"
"""Lets a search show what explains; names of methods would come before it."""


def reference_pages() -> dict[str, str]:
    """Write the pages of the reference, by their place."""
    pages = {f"reference/{name}.md": _page(*shown) for name, shown in PAGES.items()}
    lines = ["# Reference", "", "From the docstrings, for programs.", ""]
    for name, (title, modules) in PAGES.items():
        names = ", ".join(f"`{one}`" for module in modules for one in _names(module, modules))
        lines.append(f"- [{title}]({name}.md): {names}")
    pages["reference/index.md"] = "\n".join([*lines, ""])
    return pages


def _names(module: str, modules: Shown) -> tuple[str, ...]:
    shown = modules[module]
    if shown is None:
        shown = importlib.import_module(module).__all__
    return tuple(name for name in shown if not name.startswith("__"))


def _page(title: str, modules: Shown) -> str:
    things = [
        (module, name, getattr(importlib.import_module(module), name))
        for module in modules
        for name in _names(module, modules)
    ]
    things.sort(key=lambda one: inspect.isclass(one[2]))  # what is called first comes first
    parts = [f"# {title}", "\n".join(_glance(title, things))]
    for module, name, thing in things:
        parts += _shown(module, name, thing)
    head = "" if title == _WHOLE else _NOT_SEARCHED
    return head + "\n\n".join([*parts, ""])


def _glance(title: str, things: list[tuple[str, str, Any]]) -> Iterator[str]:
    """Give a table of all names of a page, each with the first sentence of what it says."""
    taken = [title.lower()]  # headings that differ by capitals get anchors with numbers
    yield "| name | what it is |"
    yield "|---|---|"
    for module, name, thing in things:
        told = inspect.isclass(thing) or inspect.isroutine(thing)
        lines = (inspect.getdoc(thing) or "").splitlines() if told else [f"`{module}.{name}`"]
        before = taken.count(name.lower())
        taken.append(name.lower())
        anchor = f"{name.lower()}_{before}" if before else name.lower()
        words = markdown(lines[0]).replace("|", "\\|") if lines else ""
        yield f"| [`{name}`](#{anchor}) | {words} |"


def _shown(module: str, name: str, thing: object) -> Iterator[str]:
    yield f"## {name}"
    if not (inspect.isclass(thing) or inspect.isroutine(thing)):
        yield f"`{module}.{name}`"
        return
    yield _signature(f"from {module} import {name}\n\n", name, thing)
    yield markdown(inspect.getdoc(thing) or "")
    if not inspect.isclass(thing):
        return
    for base in thing.__mro__[1:]:
        if base.__module__.startswith("promptreid") and "**Attributes**" in _told(base):
            yield _told(base)
    for member, found in _members(thing).items():
        inner = getattr(found, "__func__", found)
        if isinstance(found, property):
            inner = found.fget
        about = inspect.getdoc(inner) if callable(inner) else None
        if member.startswith("_") or not about:
            continue
        yield f"### {name}.{member}"
        if not isinstance(found, property):
            yield _signature("", f"{name}.{member}", inner)
        yield markdown(about)


def _told(thing: type) -> str:
    """Return what a class says of itself; nothing where it says nothing of its own."""
    return markdown(thing.__doc__ or "")


def _members(thing: type) -> dict[str, Any]:
    """Give what a class and those that it is built on offer, its own first."""
    members: dict[str, Any] = {}
    for base in thing.__mro__:
        if base.__module__.startswith("promptreid") and base is not JsonRecord:
            members |= {name: one for name, one in vars(base).items() if name not in members}
    return members


class _Bare:
    """An annotation that is written as it stands in the source."""

    def __init__(self, text: str) -> None:
        self.text = text

    def __repr__(self) -> str:
        return self.text


def _signature(before: str, name: str, thing: object) -> str:
    """Write a signature as code, one argument a line where it is long."""
    try:
        given = inspect.signature(thing)  # ty: ignore[invalid-argument-type]
    except (TypeError, ValueError):
        return f"```python\n{before}{name}\n```"
    kept = [
        one.replace(annotation=_bare(one.annotation))
        for one in given.parameters.values()
        if one.name not in ("self", "cls")
    ]
    given = given.replace(parameters=kept, return_annotation=_bare(given.return_annotation))
    line = f"{name}{given}"
    if len(line) > _WIDTH:
        inner = "".join(f"    {one},\n" for one in _with_star(kept))
        line = f"{name}(\n{inner}){str(given.replace(parameters=[]))[2:]}"
    return f"```python\n{before}{line}\n```"


def _bare(annotation: object) -> object:
    return _Bare(annotation) if isinstance(annotation, str) else annotation


def _with_star(parameters: list[inspect.Parameter]) -> Iterator[inspect.Parameter | str]:
    """Give parameters, and a star before the first that has to be named."""
    starred = False
    for one in parameters:
        starred = starred or one.kind is one.VAR_POSITIONAL
        if one.kind is one.KEYWORD_ONLY and not starred:
            yield "*"
            starred = True
        yield one
