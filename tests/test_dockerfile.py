"""The Dockerfile fits the command that it starts, and gives the service no more than it needs."""

import json
import re
import tomllib
from pathlib import Path

from promptreid.cli.serve import serve

ROOT = Path(__file__).parents[1]


def read_instructions():
    """Return name and text of each instruction, continuation lines joined."""
    text = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    joined = re.sub(r"\\\n\s*", "", "\n".join(lines))
    return [tuple(line.split(maxsplit=1)) for line in joined.splitlines() if line.strip()]


def test_the_command_that_is_started_takes_its_arguments():
    instructions = dict(read_instructions())
    entry, arguments = (json.loads(instructions[name]) for name in ("ENTRYPOINT", "CMD"))
    assert entry == ["promptreid", "serve"]
    context = serve.commands["start"].make_context("start", list(arguments), resilient_parsing=True)
    given = context.params
    assert (given["host"], str(given["port"])) == ("0.0.0.0", instructions["EXPOSE"])
    assert given["token_file"] is not None
    folders = [Path(one) for one in arguments if one.startswith("/")]
    assert {path.parent for path in folders} == {Path(instructions["VOLUME"])}


def test_a_source_distribution_brings_what_these_tests_read():
    tools = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]
    assert {"Dockerfile", ".dockerignore"} <= set(
        tools["hatch"]["build"]["targets"]["sdist"]["include"]
    )


def test_it_runs_as_nobody_special_and_holds_no_secret():
    names = [name for name, _ in read_instructions()]
    instructions = dict(read_instructions())
    user = instructions["USER"].partition(":")[0]
    assert user.isdigit()
    assert int(user) > 0
    assert names.index("USER") < names.index("ENTRYPOINT")
    assert "RUN" not in names[names.index("USER") :]
    assert "ADD" not in names
    text = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    assert not re.search(r"(?i)password|secret|api_?key|credential|tokens?=", text)
    assert instructions["STOPSIGNAL"] == "SIGTERM"


def test_the_wheels_and_extras_can_be_chosen_and_the_source_comes_last():
    arguments = dict(text.split("=", 1) for name, text in read_instructions() if name == "ARG")
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert set(arguments["EXTRAS"].split(",")) <= set(extras["optional-dependencies"])
    assert "serve" in arguments["EXTRAS"].split(",")
    steps = [(name, text) for name, text in read_instructions() if name in ("COPY", "RUN")]
    installs = [place for place, (name, text) in enumerate(steps) if "pip install" in text]
    source = steps.index(("COPY", "src ./src"))
    torch = next(place for place in installs if "torch torchvision" in steps[place][1])
    assert torch < source < installs[-1]
    assert all("--constraint constraints.txt" in steps[place][1] for place in installs)
    assert "$TORCH_INDEX" in steps[torch][1]
    assert "$EXTRAS" in steps[installs[-1]][1]


def test_what_is_copied_is_there_and_is_let_through():
    first, *others = (ROOT / ".dockerignore").read_text().splitlines()
    assert first == "*"  # so that no run, gallery, photograph or token gets into an image
    let_through = {line[1:] for line in others if line[:1] == "!"}
    copied = [
        source.removeprefix("./")
        for name, text in read_instructions()
        if name == "COPY"
        for source in text.split()[:-1]
    ]
    assert set(copied) == let_through
    assert all((ROOT / source).exists() for source in copied)
