"""A command is its file and one line of the table."""

from __future__ import annotations

import sys
from types import MappingProxyType, ModuleType

import click
from click.testing import CliRunner

from promptreid.cli import main as entry


def test_an_added_command_is_listed_called_and_suggested(monkeypatch) -> None:
    @click.command()
    @click.argument("word")
    def greet(word: str) -> None:
        """Say a word."""
        click.echo(f"so {word}")

    module = ModuleType("greet")
    module.__dict__["greet"] = greet
    monkeypatch.setitem(sys.modules, "promptreid.cli.greet", module)
    commands = {**entry.COMMANDS, "greet": "Say a word."}
    monkeypatch.setattr(entry, "COMMANDS", MappingProxyType(commands))

    run = CliRunner().invoke
    assert "greet" in run(entry.cli, ["--help"]).output
    assert run(entry.cli, ["greet", "hello"]).output == "so hello\n"
    mistyped = run(entry.cli, ["gret", "hello"])
    assert mistyped.exit_code == 2
    assert "greet" in mistyped.output
