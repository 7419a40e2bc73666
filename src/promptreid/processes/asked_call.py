"""What somebody typed or wrote that is running now: a command, or a call of a function."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Generator, Mapping, Sequence
from contextvars import ContextVar
from inspect import Parameter, signature
from typing import Any

_LISTENERS = ("progress", "say")
_ASKED: ContextVar[tuple[str, ...]] = ContextVar("asked call", default=())


def read_asked_call() -> tuple[str, ...]:
    """Return the words of the command, or the text of the call; () where neither is known."""
    return _ASKED.get()


@contextlib.contextmanager
def asked_call(words: Sequence[str]) -> Generator[None]:
    """Note what was asked for while it runs; a call that a noted one makes changes nothing."""
    token = None if _ASKED.get() else _ASKED.set(tuple(words))
    try:
        yield
    finally:
        if token is not None:
            _ASKED.reset(token)


def call_text(name: str, function: Callable[..., Any], arguments: Mapping[str, Any]) -> str:
    """Write a call of a public function as it stands in Python, without what has its default.

    Args:
        name: Its name.
        function: The function.
        arguments: Values by the names of its parameters, as `locals()` gives them at its begin;
            data sets are written by their `spec`. Listeners are left out.
    """
    words, in_order = [], True
    for key, parameter in signature(function).parameters.items():
        value = arguments[key]
        if key in _LISTENERS or (value is parameter.default) or value == parameter.default:
            in_order = False
            continue
        if parameter.kind is Parameter.VAR_POSITIONAL:
            words += map(_value_text, value)
        elif parameter.kind is Parameter.VAR_KEYWORD:
            words += [f"{word}={_value_text(one)}" for word, one in value.items()]
        elif parameter.kind is Parameter.POSITIONAL_OR_KEYWORD and in_order:
            words.append(_value_text(value))
        else:
            words.append(f"{key}={_value_text(value)}")
    return f"promptreid.{name}({', '.join(words)})"


def _value_text(value: Any) -> str:
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_value_text, value))}]"
    if isinstance(value, os.PathLike):
        return repr(os.fspath(value))
    return repr(getattr(value, "spec", value))
