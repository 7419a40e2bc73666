"""Turn schema errors into sentences: the dotted key, what was given, what is allowed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from promptreid.config.reading.keys import annotation_at, meaning, nested_model
from promptreid.text.lists import counted, shorten_list
from promptreid.text.short import shortened
from promptreid.text.suggest import did_you_mean

_LONGEST = 80
_WORDS = {
    "int_parsing": "a whole number",
    "int_parsing_size": "a whole number",
    "finite_number": "a number",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_parsing": "a number",
    "float_type": "a number",
    "bool_parsing": "true or false",
    "bool_type": "true or false",
    "string_type": "text",
    "tuple_type": "a list",
    "dict_type": "a mapping",
    "model_type": "a mapping",
    "model_attributes_type": "a mapping",
}


def describe(error: ValidationError, tree: Any, schema: type[BaseModel]) -> list[str]:
    """Return one sentence per error, in the order of the recipe.

    Args:
        error: What the schema raised.
        tree: The merged values that were checked, to name list items and given values.
        schema: The model that was checked, to suggest key names.
    """
    return list(dict.fromkeys(_sentence(problem, tree, schema) for problem in error.errors()))


def problem_list(problems: Sequence[str]) -> str:
    """Return "has N problems:" and a line for each."""
    return f"has {counted(len(problems), 'problem')}:\n  " + "\n  ".join(problems)


def _sentence(problem: ErrorDetails, tree: Any, schema: type[BaseModel]) -> str:
    key = dotted(problem["loc"], tree)
    kind, value = problem["type"], problem.get("input")
    if kind == "extra_forbidden":
        return f"{key}: unknown key.{meaning(key.split('.'), schema, tree)}"
    if kind == "missing":
        return f"{key}: missing; it must be given."
    if kind == "literal_error":
        expected = problem.get("ctx", {}).get("expected", "")
        return f"{key}: got {_shown(value)}; allowed: {expected}."
    if kind in _WORDS:
        hint = _key_within(key, value, schema) if _WORDS[kind] == "a mapping" else ""
        return f"{key}: expected {_WORDS[kind]}, got {_shown(value)}.{hint}"
    if kind == "value_error":
        text = str(problem.get("ctx", {}).get("error", problem["msg"]))
        return f"{key}: {text}" if key else text
    return f"{key}: {problem['msg']}, got {_shown(value)}."


def _key_within(key: str, value: Any, schema: type[BaseModel]) -> str:
    """Point at the key of a part that a value was given for as a whole."""
    model = nested_model(annotation_at(schema, key.split(".")))
    names = list(model.model_fields) if model is not None else []
    title = next((name for name in ("name", "kind", "mode") if name in names), None)
    if title is not None and isinstance(value, str):
        return did_you_mean([f"{key}.{title}"])
    return f" Its keys are {shorten_list(names, limit=6)}." if names else ""


def _shown(value: Any) -> str:
    """Write a value on one line, without the middle of a long one."""
    return shortened(repr(value), _LONGEST)


def dotted(location: tuple[int | str, ...], tree: Any) -> str:
    """Write a location with the names of list items in place of their numbers."""
    parts: list[str] = []
    node = tree
    for step in location:
        if isinstance(step, int):
            item = node[step] if isinstance(node, list) and step < len(node) else None
            node = item
            name = item.get("name") if isinstance(item, dict) else None
            parts.append(str(name if name is not None else step))
        elif isinstance(node, dict):
            if (
                step in node
                or not parts
                or (step[:1].islower() and "[" not in step and step.isidentifier())
            ):
                parts.append(step)
            node = node.get(step, node)
        # Names of union members, which the schema adds, are not the user's words: leave them out.
    return ".".join(parts)
