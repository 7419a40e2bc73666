"""The command line: speed of start, exit codes, messages."""

import errno
import json
import os
import shlex
import subprocess
import sys

import click
import pytest
from facts import lacking
from PIL import Image

import promptreid
from promptreid.cli import main as entry
from promptreid.cli.main import COMMANDS, cli, main
from promptreid.errors import DataError, ToldElsewhereError


def run(capsys, *arguments):
    with pytest.raises(SystemExit) as caught:
        main([str(argument) for argument in arguments])
    captured = capsys.readouterr()
    return caught.value.code, captured.out, captured.err


def test_help_imports_nothing_heavy():
    code = (
        "import sys\n"
        "from promptreid.cli.main import main\n"
        "try:\n    main(['--help'])\nexcept SystemExit:\n    pass\n"
        "heavy = {'torch', 'torchvision', 'open_clip', 'numpy', 'pydantic', 'matplotlib'}\n"
        "print(sorted(heavy & set(sys.modules)), file=sys.stderr)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr.strip() == "[]"
    for name in COMMANDS:
        assert name in done.stdout


@pytest.mark.slow
def test_recipes_and_wrong_train_arguments_need_no_torch():
    code = (
        "import sys\n"
        "from promptreid.cli.main import main\n"
        "wrong = ['train', 'clip-reid', 'x.y=1', '--data', 'folder:/nowhere']\n"
        "for arguments in (['recipes'], wrong):\n"
        "    try:\n        main(arguments)\n    except SystemExit as done:\n"
        "        print(done.code, file=sys.stderr)\n"
        "print('torch' in sys.modules, file=sys.stderr)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr.splitlines()[0] == "0"
    assert done.stderr.splitlines()[-2:] == ["2", "False"]


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_is_there_and_explains_itself(capsys, name):
    code, out, _ = run(capsys, name, "--help")
    assert code == 0
    assert out.startswith("Usage: promptreid")
    assert len(out.splitlines()) > 5
    command = cli.get_command(click.Context(cli), name)
    assert isinstance(command, click.Command)
    pages = [(name, command)]
    for words, each in pages:
        _, out, _ = run(capsys, *words.split(), "--help")
        assert "\\b" not in out
        for below, part in each.commands.items() if isinstance(each, click.Group) else ():
            pages.append((f"{words} {below}", part))
            if below in out.partition("Commands:")[2]:
                assert part.get_short_help_str(limit=1000) in " ".join(out.split())


def test_version(capsys):
    code, out, _ = run(capsys, "--version")
    assert code == 0
    assert promptreid.__version__ in out


def test_unknown_command_names_the_closest(capsys):
    code, _, err = run(capsys, "trian")
    assert code == 2
    assert "Did you mean 'train'" in err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["train"], "Give a RECIPE"),
        (["train", "clip-reid"], "Give --data NAME:ROOT"),
        (["train", "clip-ried", "--data", "folder:/x"], "Did you mean 'clip-reid'"),
        (["train", "clip-reid", "--data", "/just/a/path"], "NAME:ROOT"),
        (["train", "clip-reid", "--data", "folder:/nowhere/at/all"], "/nowhere/at/all"),
        (["train", "--resume"], "--resume needs --out"),
        (["train", "clip-reid", "--resume", "--overwrite", "--out", "x"], "exclude each other"),
        (["train", "clip-reid", "--dta", "x"], "--data"),
        (["data", "inspect", "markt1501:/x"], "Did you mean 'market1501'"),
        (["recipes", "show", "nothing-like-it"], "There is no recipe named"),
        (["recipes", "show", "clip-reid", "validation.metric=rank7"], "validation.metric: "),
        (["evaluate", "/no/such/run", "--data", "folder:/x"], "There is no run or checkpoint"),
    ],
)
def test_mistakes_are_a_sentence_and_exit_code_2(capsys, arguments, words):
    code, _, err = run(capsys, *arguments)
    assert code == 2
    assert words in err
    assert "Traceback" not in err


@pytest.mark.parametrize(
    ("error", "code", "words"),
    [
        (DataError("The data is wrong."), 2, "error: The data is wrong."),
        (
            OSError(errno.ENOSPC, "No space left on device", "/runs/x"),
            2,
            "the disk is full: /runs/x",
        ),
        (
            PermissionError(errno.EACCES, "Permission denied", "/root/x"),
            2,
            "no permission for /root/x",
        ),
        (OSError(errno.ENOSPC, "No space left on device"), 2, "error: the disk is full."),
        (RuntimeError("boom"), 1, "internal error: RuntimeError: boom"),
        (
            RuntimeError("operator torchvision::nms does not exist"),
            2,
            "Install both from one place in one command",
        ),
        (KeyboardInterrupt(), 130, "stopped"),
    ],
)
def test_every_failure_has_its_exit_code(capsys, monkeypatch, error, code, words):
    def fail(**_):
        raise error

    monkeypatch.setattr(entry.cli, "main", fail)
    got, _, err = run(capsys, "recipes")
    assert got == code
    assert words in err
    assert "Traceback" not in err


@pytest.fixture
def second_of_two(monkeypatch):
    """Be the second of two processes that torchrun started."""
    launch = {"RANK": "1", "WORLD_SIZE": "2", "MASTER_ADDR": "localhost", "MASTER_PORT": "1"}
    for name, value in launch.items():
        monkeypatch.setenv(name, value)


@pytest.mark.parametrize("name", [name for name in COMMANDS if name not in ("train", "embed")])
def test_commands_that_share_no_work_are_refused_to_several_processes(
    capsys, monkeypatch, second_of_two, name
):
    assert run(capsys, name) == (2, "", "")  # the first process has said it
    monkeypatch.setenv("RANK", "0")
    code, _, err = run(capsys, name)
    assert code == 2
    assert not lacking(err, f"promptreid {name}", "2", "torchrun", "train", "embed")
    monkeypatch.setenv("WORLD_SIZE", "1")
    assert run(capsys, name, "--help")[0] == 0


@pytest.mark.parametrize(
    "arguments",
    [
        ["train", "clip-reid"],
        ["train", "clip-ried", "--data", "folder:/x"],
        ["train", "clip-reid", "--dta", "x"],
        ["embed", "--shard", "1"],
    ],
)
def test_a_mistake_in_the_command_line_is_told_by_the_first_process(
    capsys, monkeypatch, second_of_two, arguments
):
    assert run(capsys, *arguments) == (2, "", "")
    monkeypatch.setenv("RANK", "0")
    code, _, err = run(capsys, *arguments)
    assert code == 2
    assert err


def test_what_one_process_alone_finds_is_told_by_it(capsys, monkeypatch, second_of_two):
    def fail(error):
        raise error

    monkeypatch.setattr(entry.cli, "main", lambda **_: fail(DataError("The disk is full.")))
    assert run(capsys, "train") == (2, "", "error: The disk is full.\n")
    monkeypatch.setattr(entry.cli, "main", lambda **_: fail(ToldElsewhereError("Known.")))
    assert run(capsys, "train") == (2, "", "")
    monkeypatch.setattr(entry.cli, "main", lambda **_: fail(KeyboardInterrupt()))
    assert run(capsys, "train") == (130, "", "")


def test_debug_shows_the_traceback(capsys, monkeypatch):
    def fail(**_):
        raise DataError("wrong")

    monkeypatch.setattr(entry.cli, "main", fail)
    code, _, err = run(capsys, "recipes", "--debug")
    assert code == 2
    assert "Traceback" in err


@pytest.mark.slow
def test_recipes_list_show_copy(capsys, tmp_path):
    code, out, _ = run(capsys, "recipes", "--json")
    assert code == 0
    names = [recipe["name"] for recipe in json.loads(out)]
    assert {"zero-shot", "clip-reid", "clip-reid-sie-olp"} <= set(names)
    code, out, _ = run(capsys, "recipes", "show", "clip-reid", "stages.image.epochs=7")
    assert code == 0
    assert "epochs: 7" in out
    file = tmp_path / "mine.yaml"
    assert run(capsys, "recipes", "copy", "clip-reid", file)[0] == 0
    assert "identity prompts" in file.read_text()
    code, _, err = run(capsys, "recipes", "copy", "clip-reid", file)
    assert code == 2
    assert "not overwritten" in err


def test_module_is_runnable():
    done = subprocess.run(
        [sys.executable, "-m", "promptreid", "--version"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert promptreid.__version__ in done.stdout


@pytest.mark.slow
@pytest.mark.parametrize("debug", [False, True])
def test_damaged_tags_of_pictures_do_not_speak_amid_the_progress(tmp_path, debug):
    for who in "abcd":
        (tmp_path / who).mkdir()
        for number in range(2):
            image = Image.new("RGB", (8, 8), (ord(who) % 4 * 60, number * 99, 0))
            image.save(tmp_path / who / f"{number}.jpg", exif=b"Exif\0\0II*\0\x08\0\0\0\x09\0")
    command = [sys.executable, "-m", "promptreid", "data", "inspect", f"folder:{tmp_path}"]
    found = subprocess.run(
        command + ["--debug"] * debug, capture_output=True, text=True, check=False
    )
    assert found.returncode == 0
    assert ("Corrupt EXIF" in found.stderr) == debug


def test_a_data_set_or_a_folder_in_place_of_the_recipe_is_explained(capsys, tmp_path):
    code, _, err = run(capsys, "train", "folder:my crops")
    assert code == 2
    assert "folder:my crops is a data set, and a recipe belongs there" in err
    assert "promptreid train RECIPE --data 'folder:my crops'" in err
    (tmp_path / "crops").mkdir()
    code, _, err = run(capsys, "train", tmp_path / "crops")
    assert code == 2
    assert f"--data {shlex.quote(f'folder:{tmp_path}/crops')}" in " ".join(err.split())


def test_an_unknown_command_leads_to_the_closest(capsys):
    code, _, err = run(capsys, "evalute")
    assert code == 2
    assert "Did you mean 'evaluate'" in err
    assert "`promptreid --help` lists all" in err


def test_values_of_earlier_scripts_are_recorded_with_a_note(capsys):
    code, out, err = run(capsys, "recipes", "show", "clip-reid", "backbone.name=vitb16")
    assert code == 0
    assert "name: ViT-B-16" in out
    assert "backbone.name: 'vitb16' is recorded as 'ViT-B-16'." in err


def test_escape_codes_and_narrow_output(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "m.csv").write_text("path,identity\n\x1b[31mRED\x1b]0;owned\x07.jpg,1\nx.jpg,2\n")
    code, out, err = run(capsys, "data", "inspect", "csv:m.csv")
    assert code == 2
    assert "\x1b" not in out + err
    assert "\\u001b[31mRED" in out + err


@pytest.mark.slow
@pytest.mark.parametrize("encoding", ["cp1252", "ascii", "utf-8"])
def test_output_survives_every_encoding_and_json_stays_json(tmp_path, encoding):
    from PIL import Image

    for name in ("名前", "ünï", "a"):
        (tmp_path / "set" / name).mkdir(parents=True)
        for number in range(3):
            image = Image.new("RGB", (32, 32), (number * 40, len(name) * 20, 0))
            image.save(tmp_path / "set" / name / f"{number}.png")
    (tmp_path / "set" / "名前" / "broken.jpg").write_bytes(b"junk")
    command = [sys.executable, "-m", "promptreid", "data", "inspect", "folder:set"]
    for more in ([], ["--json"]):
        done = subprocess.run(
            [*command, *more], cwd=tmp_path, capture_output=True, check=False,
            env={**os.environ, "PYTHONIOENCODING": encoding},
        )  # fmt: skip
        assert done.returncode == 2, done.stderr
        text = done.stdout.decode(encoding)
        if more:
            found = json.loads(text)
            assert any("名前" in item["path"] for item in found["unreadable"])
        else:
            assert ("名前/broken.jpg" if encoding == "utf-8" else "\\u540d\\u524d/broken") in text


@pytest.mark.slow
def test_recipes_are_listed_by_use_within_80_columns(capsys):
    code, out, _ = run(capsys, "recipes")
    assert code == 0
    lines = out.splitlines()
    assert max(map(len, lines)) <= 80
    assert lines[0] == "Take this if ..."
    assert lines.index("Start here") < lines.index("People") < lines.index("Hands")
    assert "  clip-reid/tiny  you have no GPU, or want a first result within minutes" in lines
    assert len([line for line in lines if "hand-v" in line]) == 1
    code, out, _ = run(capsys, "recipes", "list", "--long")
    assert code == 0
    assert "Li et al., AAAI 2023" in out
    assert max(map(len, out.splitlines())) <= 80
    code, out, _ = run(capsys, "recipes", "--json")
    found = {row["name"]: row for row in json.loads(out)}
    assert found["clip-reid/tiny"]["use"] == "Start here"
    assert found["clip-reid/tiny"]["take_if"].startswith("you have no GPU")


def test_an_option_that_is_a_setting_leads_to_its_key(capsys):
    code, _, err = run(capsys, "train", "clip-reid", "--lr", "1e-3")
    assert code == 2
    assert "KEY=VALUE, without dashes. Did you mean 'stages.image.optimizer.lr'?" in err
    _, _, err = run(capsys, "train", "clip-reid", "--xyzzy", "1")
    assert "KEY=VALUE, without" not in err


def test_data_sets_are_listed_within_80_columns(capsys):
    code, out, _ = run(capsys, "data", "list")
    assert code == 0
    assert max(map(len, out.splitlines())) <= 80
    assert "    ?use=train|all  what may train" in out
