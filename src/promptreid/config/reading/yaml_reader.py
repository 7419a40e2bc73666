"""The one reader of YAML: plain values only, within limits, each mistake with line and column.

The parser's events are read one after the other, so that neither nesting nor aliases can make it
slow or large, and no tag of a file can make anything but text, numbers, lists and mappings.
Numbers, true, false and null are those of YAML 1.2. A number in another spelling than Python's own,
such as `5e-4`, `1_000` or `007`, stays text, which keys that take a number read as one
(see `promptreid.config.reading.numbers`), and which keys that take text keep as it was typed.
"""

from __future__ import annotations

import copy
import re
from dataclasses import dataclass, field
from typing import Any

import yaml
from yaml.reader import ReaderError

LARGEST_FILE = 1 << 20  # bytes; the largest recipe of the package has 4 KB
DEEPEST = 40
MOST_VALUES = 100_000
"""Values that a text may hold, each alias counted with all that it stands for."""

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_NULLS = frozenset(("", "~", "null", "Null", "NULL"))
_BOOLS = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
_NUMBER = re.compile(r"-?\d{1,300}(\.\d{1,300}(e[+-]\d{1,3})?)?|-?\d(\.\d{1,17})?e[+-]\d{2,3}")
_TAG = "tag:yaml.org,2002:"
_MERGE = object()


class YamlError(ValueError):
    """What is wrong with a YAML text, and where; `str` is a sentence without an end."""

    def __init__(self, problem: str, mark: Any = None) -> None:
        where = "" if mark is None else f"line {mark.line + 1}, column {mark.column + 1}: "
        super().__init__(f"{where}{problem}")


def parse_yaml(text: str) -> Any:
    """Read YAML.

    Args:
        text: One document.

    Returns:
        None, booleans, numbers, texts, lists, and mappings whose keys are texts as they are
        written. An alias gives a copy.

    Raises:
        YamlError: The text is not YAML, is too large or too deep, repeats a key, or asks for
            something that is no plain value.
    """
    if len(text) > LARGEST_FILE:
        raise YamlError(f"it has {len(text):,} characters; {LARGEST_FILE:,} are the most")
    try:
        return _Builder().build(text)
    except yaml.MarkedYAMLError as error:
        problem = " ".join(filter(None, (error.context, error.problem)))
        raise YamlError(problem, error.problem_mark or error.context_mark) from None
    except ReaderError as error:
        before = text[: error.position]
        line, column = before.count("\n") + 1, len(before) - before.rfind("\n")
        raise YamlError(
            f"line {line}, column {column}: a character that YAML does not allow "
            f"(U+{_code(error.character):04X})"
        ) from None
    except YamlError:
        raise
    except Exception as error:  # a parser of foreign text may raise anything
        raise YamlError(f"the parser gave up: {type(error).__name__}: {error}") from None


def _code(character: Any) -> int:
    return character if isinstance(character, int) else ord(character[:1] or "\0")


@dataclass
class _Open:
    """A list or a mapping that is being read."""

    value: Any
    mark: Any
    anchor: str | None
    size: int = 1
    key: Any = None
    waiting: bool = False
    merged: list[dict[str, Any]] = field(default_factory=list)


class _Builder:
    """Makes plain values of events."""

    def __init__(self) -> None:
        self._open: list[_Open] = []
        self._anchors: dict[str, tuple[Any, int]] = {}
        self._values = 0
        self._result: Any = None
        self._documents = 0

    def build(self, text: str) -> Any:
        for event in yaml.parse(text, Loader=_LOADER):
            if isinstance(event, yaml.DocumentStartEvent):
                self._documents += 1
                if self._documents > 1:
                    raise YamlError("a second document begins; one is read", event.start_mark)
            elif isinstance(event, yaml.ScalarEvent):
                self._scalar(event)
            elif isinstance(event, (yaml.SequenceStartEvent, yaml.MappingStartEvent)):
                self._begin(event)
            elif isinstance(event, (yaml.SequenceEndEvent, yaml.MappingEndEvent)):
                self._end()
            elif isinstance(event, yaml.AliasEvent):
                self._alias(event)
        return self._result

    def _begin(self, event: Any) -> None:
        mapping = isinstance(event, yaml.MappingStartEvent)
        if event.tag not in (None, "!", f"{_TAG}{'map' if mapping else 'seq'}"):
            raise YamlError(_no_tag(event.tag), event.start_mark)
        if len(self._open) >= DEEPEST:
            raise YamlError(f"values are nested deeper than {DEEPEST}", event.start_mark)
        self._check_key(event.start_mark)
        self._open.append(_Open({} if mapping else [], event.start_mark, event.anchor))

    def _end(self) -> None:
        done = self._open.pop()
        if isinstance(done.value, dict):
            for tree in done.merged:
                done.value = {**tree, **done.value}
        self._put(done.value, done.size, done.anchor, done.mark)

    def _scalar(self, event: Any) -> None:
        parent = self._open[-1] if self._open else None
        if parent is not None and isinstance(parent.value, dict) and not parent.waiting:
            self._take_key(parent, event)
            return
        self._put(_resolve(event), 1, event.anchor, event.start_mark)

    def _take_key(self, parent: _Open, event: Any) -> None:
        plain = event.style is None or event.style == ""
        if event.value == "<<" and plain:
            parent.key, parent.waiting = _MERGE, True
            return
        if event.value in parent.value:
            raise YamlError(f"the key {event.value!r} is given twice", event.start_mark)
        parent.key, parent.waiting = event.value, True
        if event.anchor is not None:
            self._anchors[event.anchor] = (event.value, 1)

    def _alias(self, event: Any) -> None:
        if event.anchor not in self._anchors:
            inside = any(one.anchor == event.anchor for one in self._open)
            problem = "stands within itself" if inside else "is not defined before"
            raise YamlError(f"the alias *{event.anchor} {problem}", event.start_mark)
        self._check_key(event.start_mark)
        value, size = self._anchors[event.anchor]
        self._count(size, event.start_mark)
        self._values -= 1  # _put counts one
        self._put(copy.deepcopy(value), size, None, event.start_mark)

    def _check_key(self, mark: Any) -> None:
        parent = self._open[-1] if self._open else None
        if parent is not None and isinstance(parent.value, dict) and not parent.waiting:
            raise YamlError("a key must be a text", mark)

    def _count(self, size: int, mark: Any) -> None:
        self._values += size
        if self._values > MOST_VALUES:
            raise YamlError(
                f"it stands for more than {MOST_VALUES:,} values, aliases counted with all that "
                "they stand for",
                mark,
            )

    def _put(self, value: Any, size: int, anchor: str | None, mark: Any) -> None:
        self._count(1, mark)
        if anchor is not None:
            self._anchors[anchor] = (value, size)
        if not self._open:
            self._result = value
            return
        parent = self._open[-1]
        parent.size += size
        if isinstance(parent.value, list):
            parent.value.append(value)
        elif parent.key is _MERGE:
            parent.merged += _merged(value, mark)
            parent.waiting = False
        else:
            parent.value[parent.key] = value
            parent.waiting = False


def _merged(value: Any, mark: Any) -> list[dict[str, Any]]:
    """Return the mappings behind `<<`, those that win first."""
    trees = value if isinstance(value, list) else [value]
    if not all(isinstance(tree, dict) for tree in trees):
        raise YamlError("<< takes a mapping or a list of mappings", mark)
    return trees


def _resolve(event: Any) -> Any:
    """Turn a scalar into a plain value."""
    text, tag = event.value, event.tag
    if tag in ("!", f"{_TAG}str") or (tag is None and event.style not in (None, "")):
        return text
    value = _plain(text)
    if tag is None:
        return value
    kind = tag.removeprefix(_TAG)
    fits = {
        "int": isinstance(value, int) and not isinstance(value, bool),
        "float": isinstance(value, (int, float)) and not isinstance(value, bool),
        "bool": isinstance(value, bool),
        "null": value is None,
    }
    if kind not in fits:
        raise YamlError(_no_tag(tag), event.start_mark)
    if not fits[kind]:
        raise YamlError(f"{text[:40]!r} is not what !!{kind} says it is", event.start_mark)
    return float(value) if kind == "float" else value


def _plain(text: str) -> Any:
    if text in _NULLS:
        return None
    if text in _BOOLS:
        return _BOOLS[text]
    if _NUMBER.fullmatch(text):
        number = int(text) if text.lstrip("-").isdigit() else float(text)
        if repr(number) == text:
            return number
    return text


def _no_tag(tag: str) -> str:
    shown = f"!!{tag.removeprefix(_TAG)}" if tag.startswith(_TAG) else tag
    return f"the tag {shown[:60]} is not read; take plain texts, numbers, lists and mappings"
