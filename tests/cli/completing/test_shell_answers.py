"""What a shell is offered for a word that is being typed."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from promptreid.cli.completing.shell_answers import answer_shell
from promptreid.cli.completing.shell_scripts import SCRIPTS
from promptreid.cli.main import COMMANDS, cli
from promptreid.config.recipes import recipe_names
from promptreid.data.reader_registry import READERS


def offered(typed, shell="zsh"):
    lines = [line.split("\t") for line in answer_shell(cli, typed, shell=shell)]
    return {word: kind for kind, word, _ in lines}


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A folder with a run, a data set and a recipe file."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "runs" / "mine").mkdir(parents=True)
    (tmp_path / "runs" / "mine" / "recipe.yaml").write_text("")
    (tmp_path / "runs" / "more").mkdir()
    (tmp_path / "crops" / "anna").mkdir(parents=True)
    (tmp_path / "people.csv").write_text("path,identity\n")
    (tmp_path / "own.yaml").write_text("extends: clip-reid\n")
    return tmp_path


def test_commands_and_their_options():
    assert set(offered("promptreid ")) == set(COMMANDS)
    assert set(offered("promptreid qu")) == {"quickstart"}
    assert "--estimate" in offered("promptreid train --e")
    assert {"create", "add"} <= set(offered("promptreid gallery "))
    assert offered("promptreid train x --precision b") == {"bf16": "whole"}


def test_recipes_and_recipe_files(here):
    assert set(recipe_names()) <= set(offered("promptreid train "))
    assert set(offered("promptreid train clip-reid/t")) == {"clip-reid/tiny"}
    assert "own.yaml" in offered("promptreid train o")
    assert "prompt-sg/hand" in offered("promptreid recipes show prompt-sg/h")


def test_keys_of_the_recipe_that_was_named():
    keys = offered("promptreid train clip-reid stages.image.ep")
    assert keys == {"stages.image.epochs=": "part"}
    assert not offered("promptreid train finetune-ce stages.prompts.ep")
    assert set(offered("promptreid train clip-reid sta")) == {"stages.", "stage_mode=", "start."}
    assert "stages.prompts." in offered("promptreid train clip-reid stages.")
    last = offered("promptreid train clip-reid stages.image.optimizer.name=ad")
    assert set(last) == {f"stages.image.optimizer.name={word}" for word in ("adam", "adamw")}
    assert "hardware.compile=true" in offered("promptreid train clip-reid hardware.compile=")


def test_readers_places_and_options_of_data(here):
    assert set(offered("promptreid data inspect ")) == {f"{reader}:" for reader in READERS}
    assert offered("promptreid train x --data fold") == {"folder:": "part"}
    assert offered("promptreid train x --data folder:cr") == {"folder:crops/": "part"}
    assert "csv:people.csv" in offered("promptreid train x --data csv:")
    assert "folder:crops?depth=" in offered("promptreid train x --data folder:crops?d")
    more = offered("promptreid train x --data 'folder:crops?depth=2&")
    assert "folder:crops?depth=2&nested=" in more
    assert "folder:crops?depth=2&depth=" not in more


def test_runs_and_folders_on_the_way(here):
    assert offered("promptreid evaluate ru") == {"runs/": "part"}
    assert offered("promptreid evaluate runs/m") == {"runs/mine": "whole", "runs/more/": "part"}


@pytest.mark.parametrize("typed", ["", "promptreid nonsense ", "promptreid train no/such key=",
                                   "promptreid evaluate gone ", "promptreid same '",
                                   "promptreid evaluate ~nobody-of-this-name/r"])  # fmt: skip
def test_a_line_that_is_wrong_raises_nothing(typed):
    answer_shell(cli, typed, shell="bash")


def test_bash_is_told_what_it_does_not_replace():
    first, *_ = answer_shell(cli, "promptreid train clip-reid stages.image.text=", shell="bash")
    assert first == "cut\tstages.image.text=\t"


@pytest.mark.slow
def test_bash_completes(here):
    """The script in a real shell, with words that bash takes apart at : and =."""
    bash = shutil.which("bash")
    assert bash
    program = here / "bin" / "promptreid"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m promptreid "$@"\n')
    program.chmod(0o755)
    asked = {
        "promptreid rec": ["recipes"],
        "promptreid train clip-reid/ti": ["clip-reid/tiny"],
        "promptreid train x --data folder:cr": ["crops/"],
        "promptreid train clip-reid hardware.compile=t": ["true"],
        "promptreid evaluate runs/mi": ["runs/mine"],
    }
    lines = [SCRIPTS["bash"]]
    for line in asked:
        lines += [
            f"COMP_LINE={line!r}",
            "COMP_POINT=${#COMP_LINE}",
            # As bash splits it: the characters of COMP_WORDBREAKS are words of their own.
            "IFS=' ' read -ra COMP_WORDS <<< \"$(sed 's/[:=]/ & /g' <<< \"$COMP_LINE\")\"",
            "COMP_CWORD=$((${#COMP_WORDS[@]} - 1))",
            "_promptreid_completion promptreid",
            'echo "${COMPREPLY[*]}"',
        ]
    env = {
        **os.environ,
        "PATH": f"{program.parent}:{os.environ['PATH']}",
        "PYTHONPATH": str(Path(__file__).parents[3] / "src"),
    }
    done = subprocess.run(
        [bash, "--norc", "-c", "\n".join(lines)],
        env=env, cwd=here, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout.splitlines() == [" ".join(words) for words in asked.values()]
