"""Turn schema errors into sentences: the dotted key, what was given, what is allowed."""

from __future__ import annotations

import difflib
from typing import Any, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from promptreid.text.names import shortened

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
    sentences: list[str] = []
    for problem in error.errors():
        sentence = _sentence(problem, tree, schema)
        if sentence not in sentences:
            sentences.append(sentence)
    return sentences


def problem_list(error: ValidationError, tree: Any, schema: type[BaseModel]) -> str:
    """Return "has N problems:" and a line for each, as `describe` words them."""
    problems = describe(error, tree, schema)
    count = "1 problem" if len(problems) == 1 else f"{len(problems)} problems"
    return f"has {count}:\n  " + "\n  ".join(problems)


def _sentence(problem: ErrorDetails, tree: Any, schema: type[BaseModel]) -> str:
    location = problem["loc"]
    key = dotted(location, tree)
    kind, given = problem["type"], problem.get("input")
    if kind == "extra_forbidden":
        return f"{key}: unknown key.{_closest(str(location[-1]), location[:-1], schema)}"
    if kind == "missing":
        return f"{key}: missing; it must be given."
    if kind == "literal_error":
        expected = problem.get("ctx", {}).get("expected", "")
        return f"{key}: got {_shown(given)}; allowed: {expected}."
    if kind in _WORDS:
        return f"{key}: expected {_WORDS[kind]}, got {_shown(given)}."
    if kind == "value_error":
        text = str(problem.get("ctx", {}).get("error", problem["msg"]))
        return f"{key}: {text}" if key else text
    return f"{key}: {problem['msg']}, got {_shown(given)}."


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


def _closest(name: str, location: tuple[int | str, ...], schema: type[BaseModel]) -> str:
    model = _model_at(schema, location)
    names = list(model.model_fields) if model else []
    close = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
    if close:
        return f" Did you mean {close[0]!r}?"
    return f" Known keys here: {', '.join(names)}." if names else ""


def _model_at(schema: Any, location: tuple[int | str, ...]) -> type[BaseModel] | None:
    node: Any = schema
    for step in location:
        if isinstance(step, str):
            model = _find_model(node)
            if model is None:
                return None
            if step in model.model_fields:
                node = model.model_fields[step].annotation
            # Otherwise the step names a union member, and the node stays.
    return _find_model(node)


def _find_model(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    for part in get_args(annotation):
        found = _find_model(part)
        if found is not None:
            return found
    return None
