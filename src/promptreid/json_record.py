"""Dataclasses that files hold as JSON, each field under its name."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import lru_cache
from typing import Any, Self

from pydantic import TypeAdapter, ValidationError


@dataclass(frozen=True)
class JsonRecord:
    """Base of dataclasses whose fields are numbers, texts, tuples, mappings and such records."""

    def to_dict(self) -> dict[str, Any]:
        """Return all fields, JSON-ready: tuples as lists, records within as objects."""
        return json.loads(json.dumps(asdict(self)))

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Read what `to_dict` gave; a field that has a default may be missing.

        Raises:
            ValueError: A field is missing or of another kind; says which.
        """
        try:
            return record_adapter(cls).validate_python(values)
        except ValidationError as error:
            raise ValueError(first_problem(error)) from None


@lru_cache
def record_adapter(kind: Any) -> TypeAdapter[Any]:
    """Return what checks and builds records of a kind."""
    return TypeAdapter(kind)


def first_problem(error: ValidationError) -> str:
    """Say which key of a record is wrong first, and why."""
    first = error.errors(include_url=False, include_input=False)[0]
    where = ".".join(str(part) for part in first["loc"])
    message = first["msg"][0].lower() + first["msg"][1:]
    return f"{where}: {message}" if where else message
