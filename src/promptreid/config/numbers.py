"""Numbers in any usual spelling, wherever a number is allowed, and nowhere else."""

from __future__ import annotations

import re
import types
from collections.abc import Mapping
from functools import cache
from typing import Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel

_INTEGER = re.compile(r"[+-]?\d(?:_?\d)*", re.ASCII)
_DECIMAL = re.compile(
    r"[+-]?(?:\d(?:_?\d)*\.?(?:\d(?:_?\d)*)?|\.\d(?:_?\d)*)(?:[eE][+-]?\d{1,3})?", re.ASCII
)
_MOST_DIGITS = 300
LARGEST = 2**53
"""Up to here a float holds every whole number, and no counter of ours goes further."""


def number_of(value: Any) -> int | float | None:
    """Read a number.

    Args:
        value: A number, or a text such as `5e-4`, `1e3`, `.5`, `+1`, `1_000` or `007`.

    Returns:
        The number; None for anything else, for infinity and for what is not a number.
    """
    if isinstance(value, bool):
        return None
    if isinstance(value, (int, float)):
        return value if abs(value) < float("inf") else None
    if not isinstance(value, str) or len(value) > _MOST_DIGITS:
        return None
    text = value.strip()
    if _INTEGER.fullmatch(text):
        return int(text.replace("_", ""))
    if _DECIMAL.fullmatch(text):
        number = float(text.replace("_", ""))
        return number if abs(number) < float("inf") else None
    return None


def read_numbers(value: Any, annotation: Any) -> Any:
    """Turn texts into numbers where a type takes numbers and no text.

    Args:
        value: As read from YAML; lists and mappings are read through.
        annotation: Type of the key it stands at.

    Raises:
        ValueError: A whole number is larger than `LARGEST`.
    """
    kinds = _kinds(annotation)
    if isinstance(value, str):
        number = number_of(value) if kinds.number and not kinds.text else None
        return value if number is None else _checked(number)
    if isinstance(value, int) and not isinstance(value, bool):
        return _checked(value) if kinds.number else value
    if isinstance(value, (list, tuple)) and kinds.items:
        return [read_numbers(item, kinds.items) for item in value]
    if isinstance(value, Mapping) and kinds.values:
        return {key: read_numbers(item, kinds.values) for key, item in value.items()}
    return value


def takes_text(annotation: Any) -> bool:
    """Tell whether a type takes any text."""
    return _kinds(annotation).text


def takes_mapping(annotation: Any) -> bool:
    """Tell whether a type takes a mapping of keys."""
    kinds = _kinds(annotation)
    return kinds.model or kinds.values is not None


def _checked(number: int | float) -> int | float:
    if abs(number) > LARGEST and (isinstance(number, int) or number.is_integer()):
        raise ValueError(f"a number beyond {LARGEST:,} is not taken")
    return number


class _Kinds:
    """What a type takes."""

    def __init__(self) -> None:
        self.number = self.text = self.model = False
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
