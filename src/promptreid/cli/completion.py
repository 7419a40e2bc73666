"""`promptreid completion`."""

from __future__ import annotations

import click

from promptreid.cli.completing.shell_scripts import SCRIPTS


@click.command()
@click.argument("shell", type=click.Choice(list(SCRIPTS)))
def completion(shell: str) -> None:
    """Print what lets a shell complete promptreid's commands, recipes, data and settings.

    \b
    promptreid completion bash >> ~/.bashrc
    promptreid completion zsh > ~/.zfunc/_promptreid    (a folder of fpath)
    promptreid completion fish > ~/.config/fish/completions/promptreid.fish
    """  # noqa: D301 - click reads the \b itself
    click.echo(SCRIPTS[shell], nl=False)
