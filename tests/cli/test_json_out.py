"""`--json [FILE]` means the same for every command that has it."""

import json

import click
import pytest
from click.testing import CliRunner

from promptreid.cli.json_out import json_option
from promptreid.cli.main import COMMANDS, cli


@click.command()
@click.argument("name")
@json_option
@click.option("--fail", is_flag=True)
def told(name, json_out, fail):
    click.echo(f"text for {name}")
    json_out.keep({"name": name, "done": False})
    if fail:
        raise click.ClickException("no")
    json_out.give({"name": name, "done": True})


def invoke(*arguments):
    return CliRunner().invoke(told, [str(argument) for argument in arguments])


def test_without_it_there_is_text():
    assert invoke("a").stdout == "text for a\n"


def test_with_a_file_there_are_both(tmp_path):
    file = tmp_path / "deep" / "a.json"
    done = invoke("ü", "--json", file)
    assert done.stdout == f"text for ü\nwrote {file}\n"
    assert json.loads(file.read_bytes()) == {"name": "ü", "done": True}


def test_alone_it_takes_the_place_of_the_text():
    done = invoke("a", "--json")
    assert json.loads(done.stdout) == {"name": "a", "done": True}
    assert done.stderr == "text for a\n"
    assert invoke("a", "--json", "-").stdout == done.stdout


def test_what_was_kept_before_a_failure_is_given(tmp_path):
    file = tmp_path / "a.json"
    assert invoke("a", "--fail", "--json", file).exit_code == 1
    assert json.loads(file.read_text())["done"] is False
    done = invoke("a", "--fail", "--json")
    assert done.exit_code == 1
    assert json.loads(done.stdout)["done"] is False


def leaves(command, path=()):
    if isinstance(command, click.Group):
        for name in command.list_commands(click.Context(command)):
            yield from leaves(command.get_command(click.Context(command), name), (*path, name))
    yield path, command


EVERY = list(leaves(cli))


@pytest.mark.parametrize("option", ["--json", "--data", "--test", "--cache", "--no-cache"])
def test_an_option_has_one_meaning_over_all_commands(option):
    """One way to give it; what it is for is said in the help of each."""
    found = {
        " ".join(path): parameter
        for path, command in EVERY
        for parameter in command.params
        if option in parameter.opts
    }
    assert len(COMMANDS) >= 11
    assert found
    shapes = {(one.is_flag, one.metavar, type(one.type).__name__) for one in found.values()}
    assert len(shapes) == 1, {name: str(one.type) for name, one in found.items()}
    if option in ("--json", "--cache", "--no-cache"):
        assert len({one.help for one in found.values()}) == 1


def test_lines_of_help_fit_80_columns():
    for path, command in EVERY:
        context = click.Context(command, info_name="promptreid " + " ".join(path))
        context.terminal_width = 80
        for line in command.get_help(context).splitlines():
            assert len(line) <= 80, (path, line)


def test_specs_in_help_are_quoted_for_the_shell():
    for path, command in EVERY:
        for line in (command.help or "").splitlines():
            words = line.split()
            specs = [word for word in words if ":" in word and ("?" in word or "&" in word)]
            if "promptreid" in words[:1]:
                assert all(word[0] in "\"'" for word in specs), (path, line)
