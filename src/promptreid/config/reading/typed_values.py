"""Values as people write them, read as the types of their keys say."""

from __future__ import annotations

import types
from collections.abc import Mapping
from functools import cache
from typing import Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel

from promptreid.config.reading.numbers import LARGEST, read_number
from promptreid.config.reading.spellings import spelled


def as_typed(value: Any, annotation: Any) -> Any:
    """Read texts as what a type takes: numbers where it takes numbers, its words in any spelling.

    What the type takes as it is stays as it is, so that text keys keep what was typed.

    Args:
        value: A value as YAML gives it; lists and mappings are read through.
        annotation: Type of the key it stands at.

    Raises:
        ValueError: A whole number is larger than `LARGEST`.
    """
    kinds = _kinds(annotation)
    if isinstance(value, str):
        return value if kinds.text else _word_or_number(value, kinds)
    if isinstance(value, int) and not isinstance(value, bool):
        return _checked(value) if kinds.number else value
    if isinstance(value, (list, tuple)) and kinds.items:
        return [as_typed(item, kinds.items) for item in value]
    if isinstance(value, Mapping) and kinds.values:
        return {key: as_typed(item, kinds.values) for key, item in value.items()}
    return value


def _word_or_number(text: str, kinds: _Kinds) -> Any:
    word = spelled(text, kinds.words) if kinds.words else text
    if word in kinds.words:
        return word
    number = read_number(text) if kinds.number else None
    return text if number is None else _checked(number)


def takes_text(annotation: Any) -> bool:
    """Tell whether a type takes any text, or a list of them."""
    kinds = _kinds(annotation)
    return kinds.text or bool(kinds.items and _kinds(kinds.items).text)


def _checked(number: int | float) -> int | float:
    if abs(number) > LARGEST and (isinstance(number, int) or number.is_integer()):
        raise ValueError(f"a number beyond {LARGEST:,} is not taken")
    return number


class _Kinds:
    """What a type takes."""

    def __init__(self) -> None:
        self.number = self.text = self.model = False
        self.words: list[str] = []
        self.items: Any = None
        self.values: Any = None

    def add(self, annotation: Any) -> None:
        origin, arguments = get_origin(annotation), get_args(annotation)
        if annotation is str or annotation is Any:
            self.text = True
        elif annotation in (int, float):
            self.number = True
        elif isinstance(annotation, type) and issubclass(annotation, BaseModel):
            self.model = True
        elif origin is Literal:
            self.number |= any(isinstance(item, int) for item in arguments)
            self.words += [item for item in arguments if isinstance(item, str)]
        elif origin in (Union, types.UnionType):
            for part in arguments:
                self.add(part)
        elif origin in (tuple, list):
            self.items = next((part for part in arguments if part is not Ellipsis), None)
        elif origin is dict:
            self.values = arguments[1]
        elif hasattr(annotation, "__metadata__"):  # Annotated
            self.add(annotation.__origin__)


@cache
def _kinds(annotation: Any) -> _Kinds:
    kinds = _Kinds()
    kinds.add(annotation)
    return kinds
