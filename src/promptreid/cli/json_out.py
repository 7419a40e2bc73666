"""The option `--json [FILE]`, which means the same for every command."""

from __future__ import annotations

import contextlib
import functools
import json
import sys
from pathlib import Path
from typing import Any

import click

from promptreid.cli.options import Command

_STANDARD = Path("-")


class JsonOut:
    """Takes what a command has to say as JSON: into a file, to standard output, or nowhere."""

    def __init__(self, file: Path | None) -> None:
        """Take where to write; `-` for standard output, None for nowhere."""
        self._file = file
        self._value: Any = None

    @property
    def to_standard_output(self) -> bool:
        """Whether JSON takes the place of the text."""
        return self._file == _STANDARD

    def keep(self, value: Any) -> None:
        """Write what there is so far into the file, if there is one."""
        from promptreid.files import write_json

        self._value = value
        if self._file is not None and not self.to_standard_output:
            write_json(self._file, value)

    def give(self, value: Any) -> None:
        """Write the result, and say where."""
        self.keep(value)
        if self._file is not None and not self.to_standard_output:
            click.echo(f"wrote {self._file}")

    def print_kept(self) -> None:
        """Print what was kept, where JSON takes the place of the text."""
        if self.to_standard_output and self._value is not None:
            click.echo(json.dumps(self._value, indent=2, ensure_ascii=False))


class _JsonFile(click.Path):
    """A file to write; a folder in its place was most likely meant as an argument."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if Path(value).is_dir():
            self.fail(
                f"'{value}' is a folder, and the word behind --json is taken as the FILE to write. "
                "Put --json last, or write --json=FILE.", param, ctx,
            )  # fmt: skip
        return super().convert(value, param, ctx)


def json_option(command: Command) -> Command:
    """Give a command `--json [FILE]`, and a `JsonOut` as its argument `json_out`."""

    @functools.wraps(command)
    def run(*arguments: Any, json_file: Path | None, **options: Any) -> Any:
        out = JsonOut(json_file)
        aside: Any = contextlib.nullcontext()
        if out.to_standard_output:  # the text may still be of use, but not amid the JSON
            aside = contextlib.redirect_stdout(sys.stderr)
        try:
            with aside:
                return command(*arguments, json_out=out, **options)
        finally:
            out.print_kept()

    return click.option(
        "--json",
        "json_file",
        is_flag=False,
        flag_value="-",
        metavar="[FILE]",
        type=_JsonFile(path_type=Path, allow_dash=True),
        help="Also write the result as JSON into FILE; without FILE, to standard output in place "
        "of the text.",
    )(run)
