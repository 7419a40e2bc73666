"""What the command line refuses, Python refuses in a sentence, too."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from facts import lacking

import promptreid
from promptreid.actions.train_settings import list_settings
from promptreid.errors import ConfigError

HOW: dict[str, Any] = {"device": "cpu", "progress": promptreid.Silent()}
Call = Callable[[promptreid.Run, str, Path], object]


@pytest.mark.parametrize(
    ("call", "facts"),
    [
        (lambda run, photos, out: promptreid.train("zero-shot", photos, unreadable="Stop",
                                                   out=out, **HOW), ("'Stop'", "skip", "stop")),
        (lambda run, photos, out: promptreid.evaluate(run, unreadable="ignore", **HOW),
         ("'ignore'", "skip", "stop")),
        (lambda run, photos, out: promptreid.figure("cmc", run, unreadable="ignore", **HOW),
         ("'ignore'", "skip", "stop")),
        (lambda run, photos, out: promptreid.embed(run, photos, out, unreadable="no", **HOW),
         ("'no'", "skip", "stop")),
        (lambda run, photos, out: promptreid.sweep("hand-ideas", unreadable="no", out=out, **HOW),
         ("'no'", "skip", "stop")),
        (lambda run, photos, out: promptreid.evaluate(run, batch_size=0, **HOW),
         ("batch_size is 0", "at least 1")),
        (lambda run, photos, out: promptreid.embed(run, photos, out, batch_size=0, **HOW),
         ("batch_size is 0", "at least 1")),
        (lambda run, photos, out: promptreid.embed(run, photos, out, threads=-1, **HOW),
         ("threads is -1", "at least 1")),
        (lambda run, photos, out: promptreid.embed(run, photos, out, ray=0, **HOW),
         ("ray is 0", "at least 1")),
        (lambda run, photos, out: promptreid.figure("ranks", run, queries=0, **HOW),
         ("queries is 0",)),
        (lambda run, photos, out: promptreid.figure("ranks", run, queries="3", **HOW),
         ("queries is '3'",)),
        (lambda run, photos, out: promptreid.figure("cmc", run, ranks=0, **HOW), ("ranks is 0",)),
        (lambda run, photos, out: promptreid.train("zero-shot", {photos: 1}, **HOW),
         ("data", "dict")),
        (lambda run, photos, out: promptreid.train("zero-shot", Path("photos"), **HOW),
         ("'photos'", "NAME:ROOT")),
        (lambda run, photos, out: promptreid.train("zero-shot", photos, overrides="epochs=x",
                                                   **HOW), ("epochs",)),
    ],
)  # fmt: skip
def test_it_is_refused_in_a_sentence(
    run: promptreid.Run, photos: str, tmp_path: Path, call: Call, facts: tuple[str, ...]
) -> None:
    with pytest.raises(ConfigError) as caught:
        call(run, photos, tmp_path / "out")
    assert not lacking(str(caught.value), *facts)


def test_one_override_alone_is_a_text() -> None:
    assert list_settings("zero-shot", "backbone.name=tiny", {}) == ("backbone.name=tiny",)
