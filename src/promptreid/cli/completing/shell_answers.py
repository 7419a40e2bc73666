"""Answer a shell that asks what a word may go on with."""

from __future__ import annotations

import contextlib
import re

import click
from click.shell_completion import CompletionItem, ShellComplete, split_arg_string

from promptreid.text.safe import visible

_GOING_ON = ("/", ":", "=", "?", "&", ".", ",")
"""Ends of words that go on being typed."""


class _TypedLine(ShellComplete):
    """A line as it was typed; what is offered follows from its last word."""

    name = "typed"
    source_template = ""

    def __init__(self, command: click.Command, typed: str) -> None:
        super().__init__(command, {}, "promptreid", "")
        words = split_arg_string(typed)[1:]
        ended = not typed or (typed[-1].isspace() and not typed.endswith("\\ "))
        self.incomplete = "" if ended or not words else words[-1]
        self._before = words if ended else words[:-1]

    def get_completion_args(self) -> tuple[list[str], str]:
        return self._before, self.incomplete

    def offers(self) -> list[CompletionItem]:
        return self.get_completions(*self.get_completion_args())


def answer_shell(command: click.Command, typed: str, *, shell: str) -> list[str]:
    """List what a line may go on with, a line each: kind, word and meaning, with tabs between them.

    Args:
        command: The whole command.
        typed: What was typed up to the cursor, with the name of the program.
        shell: Name of the shell; bash is also told what of a word it does not replace.

    Returns:
        The lines; none where the line is wrong already, since nobody reads a mistake amid typing.
    """
    line = _TypedLine(command, typed)
    items: list[CompletionItem] = []
    with contextlib.suppress(Exception):
        items = line.offers()
    answers = []
    start = re.match(r".*[:=]", line.incomplete)
    if shell == "bash" and start and not line.incomplete.startswith("-"):
        answers.append(f"cut\t{start.group()}\t")
    if shell == "bash" and start and line.incomplete.startswith("--"):  # click takes it apart
        start = re.match(r"--[^=]*=(.*[:=])?", line.incomplete)
        if start and start.group(1):
            answers.append(f"cut\t{start.group(1)}\t")
    for item in items:
        kind = item.type
        if kind == "plain":
            kind = "part" if item.value.endswith(_GOING_ON) else "whole"
        about = visible(" ".join((item.help or "").split()))
        if item.value == visible(item.value) and "\t" not in item.value:
            answers.append(f"{kind}\t{item.value}\t{about}")
    return answers
