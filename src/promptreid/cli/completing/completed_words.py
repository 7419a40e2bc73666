"""What recipes, settings, data specs and runs a word may become."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, get_args

from click import Context
from click.shell_completion import CompletionItem

_MANY = 40
"""Of more keys than this, the next part is offered."""


def recipes(context: Context, incomplete: str) -> list[CompletionItem]:
    """Offer the recipes of the package, and recipe files."""
    from promptreid.config.recipe_uses import find_use
    from promptreid.config.recipes import recipe_names

    offers = [
        CompletionItem(name, help=find_use(name)[1])
        for name in recipe_names()
        if name.startswith(incomplete)
    ]
    return [*offers, *_paths(incomplete, endings=(".yaml", ".yml"))]


def settings(context: Context, incomplete: str) -> list[CompletionItem]:
    """Offer the dotted keys of the recipe that was named before, and the words a key takes."""
    from promptreid.config.reading.keys import known_keys
    from promptreid.config.recipes import load_recipe
    from promptreid.config.schema import Recipe

    key, equals, value = incomplete.partition("=")
    if equals:
        words = (word for word in _allowed_words(key) if word.startswith(value))
        return [CompletionItem(f"{key}={word}") for word in words]
    named = context.params.get("recipe") or context.params.get("name") or "clip-reid"
    pools = known_keys(Recipe, load_recipe(named).model_dump(exclude_none=True))
    known = dict.fromkeys(key for pool in pools for key in pool)
    sections = {key.rpartition(".")[0] for key in known}
    keys = [key for key in known if key.startswith(incomplete) and key not in sections]
    if len(keys) <= _MANY:
        return [CompletionItem(f"{key}=") for key in keys]
    place = len(incomplete)
    parts = dict.fromkeys(_next_part(key, place) for key in keys)
    return [CompletionItem(part) for part in parts]


def specs(context: Context, incomplete: str) -> list[CompletionItem]:
    """Offer the names of readers, then places, then the options of a reader."""
    from promptreid.data.reader_registry import READERS

    name, colon, place = incomplete.partition(":")
    if not colon:
        return [
            CompletionItem(f"{reader}:", help=entry.description)
            for reader, entry in READERS.items()
            if reader.startswith(incomplete)
        ]
    if name not in READERS:
        return []
    root, mark, query = place.partition("?")
    if mark:
        return list(_reader_options(name, f"{name}:{root}?", query))
    endings = (".csv", ".tsv", ".parquet", ".json") if name == "csv" else ()
    return [
        CompletionItem(f"{name}:{path.value}", help=path.help)
        for path in _paths(place, endings=endings)
    ]


def places(context: Context, incomplete: str) -> list[CompletionItem]:
    """Offer folders, and data specs."""
    named = [] if "/" in incomplete.partition(":")[0] else specs(context, incomplete)
    return [*named, *([] if ":" in incomplete else _paths(incomplete))]


def runs(context: Context, incomplete: str) -> list[CompletionItem]:
    """Offer run folders, the folders that may hold some, and checkpoints."""
    return list(_paths(incomplete, endings=(".safetensors", ".pth", ".pt"), ends_at_runs=True))


def _paths(
    typed: str, *, endings: tuple[str, ...] = (), ends_at_runs: bool = False
) -> Iterator[CompletionItem]:
    """Yield the folders, and the files of some endings, that a path may go on with."""
    from promptreid.runs.run_place import is_run

    start, slash, name = typed.rpartition("/")
    folder = Path(f"{start}{slash}" or ".").expanduser()
    try:
        entries = sorted(folder.iterdir())
    except OSError:
        return
    for entry in entries:
        if not entry.name.startswith(name) or (entry.name.startswith(".") and not name):
            continue
        path = f"{start}{slash}{entry.name}"
        if entry.is_dir():
            whole = ends_at_runs and is_run(entry)
            yield CompletionItem(path if whole else f"{path}/", help="a run" if whole else "")
        elif entry.suffix.lower() in endings:
            yield CompletionItem(path)


def _reader_options(reader: str, start: str, query: str) -> Iterator[CompletionItem]:
    from promptreid.data.load_data import data_options

    before, joined, last = query.rpartition("&")
    given = {part.partition("=")[0] for part in before.split("&")}
    for option in data_options(reader):
        if option.name.startswith(last) and option.name not in given:
            text = f"{start}{before}{joined}{option.name}="
            yield CompletionItem(text, help=option.description)


def _next_part(key: str, place: int) -> str:
    dot = key.find(".", place)
    return f"{key}=" if dot < 0 else key[: dot + 1]


def _allowed_words(key: str) -> Iterable[str]:
    """List the words that a key takes; none where it takes numbers or any text."""
    from promptreid.config.reading.keys import annotation_at
    from promptreid.config.schema import Recipe

    return list(dict.fromkeys(_words(annotation_at(Recipe, key.split(".")))))


def _words(annotation: Any) -> Iterator[str]:
    if annotation is bool:
        yield from ("true", "false")
    for part in get_args(annotation):
        if isinstance(part, str):
            yield part
        else:
            yield from _words(part)
