"""A group of commands whose list says in whole sentences what each does."""

from __future__ import annotations

import sys

import click


class DescribedGroup(click.Group):
    """A group that lists the first sentence of each command, wrapped rather than cut."""

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the table of commands."""
        commands = [(name, self.get_command(ctx, name)) for name in self.list_commands(ctx)]
        with formatter.section("Commands"):
            formatter.write_dl(
                [
                    (name, command.get_short_help_str(limit=sys.maxsize))
                    for name, command in commands
                    if command is not None and not command.hidden
                ]
            )
