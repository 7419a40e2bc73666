"""`--json [FILE]` means the same for every command that has it."""

import json

import click
import pytest
from click.testing import CliRunner
from facts import lacking

from promptreid.cli.json_out import json_option
from promptreid.cli.main import COMMANDS, cli
from promptreid.data.reader_registry import READERS


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


def test_an_argument_that_is_taken_for_the_file_is_explained(tmp_path):
    done = invoke("--json", tmp_path)
    assert done.exit_code == 2
    assert not lacking(" ".join(done.stderr.split()), f"'{tmp_path}' is a folder", "--json=FILE")


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


WITHOUT_RESULT = {("serve", "start"), ("completion",)}
"""Commands that end when somebody stops them, or print a script for a shell."""


def test_every_command_that_prints_a_result_gives_it_as_json():
    ends = [(path, command) for path, command in EVERY if not isinstance(command, click.Group)]
    lacking = {
        path
        for path, command in ends
        if not any("--json" in parameter.opts for parameter in command.params)
    }
    assert lacking == WITHOUT_RESULT
    assert len(ends) > 40


ALIKE = ("--device", "--seed", "--batch-size", "--unreadable", "--yes", "--workers", "--pixelate",
         "--name", "--json", "--cache", "--no-cache")  # fmt: skip
"""Options that mean the same wherever they are, and say so in the same words."""

OWN_WORDS = {
    ("export", "--name"): "of the one model of a hub folder",
    ("sweep", "--seed"): "several, in place of those of the file",
    ("pretrain", "--batch-size"): "pairs of a picture and a sentence",
}
"""Where one of them means something more, and what."""

SHAPES = {
    "--out": {"Path"},
    "--model": {"Path", "ExistingRun", "RunPath"},
    "--threads": {"IntRange"},
    "--far": {"FloatRange"},
    "--precision": {"Choice"},
    "--data": {"StringParamType"},
}
"""Options that have words of their own in each command, and the kinds of what they take."""

RENAMED = {"--batch", "--bs", "--output", "--outdir", "--output-dir", "--gpu", "--num-threads",
           "--checkpoint", "--dataset", "--force", "--no-confirm", "--random-seed"}  # fmt: skip
"""Other names of these meanings, which no command has."""


def options_by_name():
    by_name = {}
    for path, command in EVERY:
        for parameter in command.params:
            for name in parameter.opts if isinstance(parameter, click.Option) else ():
                by_name.setdefault(name, {})[" ".join(path)] = parameter
    return by_name


def test_options_are_named_alike_over_all_commands():
    by_name = options_by_name()
    for name in ALIKE:
        found = {
            path: option for path, option in by_name[name].items() if (path, name) not in OWN_WORDS
        }
        words = {(option.help or "").partition("  [default")[0] for option in found.values()}
        assert len(words) == 1, (name, words)
        assert words != {""}, name
        assert len({option.metavar for option in found.values()}) == 1, name
        assert len({type(option.type).__name__ for option in found.values()}) == 1, name
    for name, kinds in SHAPES.items():
        assert {type(option.type).__name__ for option in by_name[name].values()} <= kinds, name
    assert not RENAMED & by_name.keys()


def test_every_option_says_what_it_is():
    for name, found in options_by_name().items():
        for path, option in found.items():
            assert option.help, f"{path} {name}"


@pytest.mark.parametrize(
    ("words", "facts"),
    [
        ("data list", lambda rows: {row["name"] for row in rows} == set(READERS)),
        ("recipes show clip-reid/tiny", lambda recipe: recipe["backbone"]["name"] == "tiny"),
        (
            "data synth people {out} --identities 2 --workers 1 --cameras 2",
            lambda made: made["data"] == "market1501:{out}",
        ),
    ],
)
def test_what_was_only_text_is_json_too(words, facts, tmp_path):
    out = tmp_path / "made"
    done = CliRunner().invoke(cli, [*(word.format(out=out) for word in words.split()), "--json"])
    assert done.exit_code == 0, done.stderr
    given = json.loads(done.stdout.replace(str(out), "{out}"))
    assert facts(given)
