"""Commands that need no model answer without loading PyTorch."""

import json
import subprocess
import sys

import pytest
from run_records import make_run

from promptreid.gallery.gallery_settings import GallerySettings
from promptreid.gallery.records.open_records import create_records

COMMANDS = (
    "--help",
    "recipes",
    "recipes show clip-reid/tiny",
    "data list",
    "data inspect folder:{crops}",
    "data cache",
    "note {run} words",
    "compare {run}",
    "train clip-reid no.such.key=1 --data folder:{crops}",
    "train clip-reid --data folder:{crops} --device gpu",
    "sweep hand-study --dry-run --data folder:{crops}",
    "import-config {run}/recipe.yaml",
    "completion bash",
    "quickstart {crops}/nowhere",
    "gallery info {gallery}",
    "gallery identities {gallery}",
    "gallery entries {gallery} nobody",
    "gallery audit list {gallery}",
    "gallery audit verify {gallery}",
    "gallery export {gallery} {run}-out",
)

HEAVY = ("torch", "open_clip", "torchvision", "matplotlib", "sklearn")

PROGRAM = f"""
import json, sys
from promptreid.cli.main import main
loaded = {{}}
for line in json.loads(sys.argv[1]):
    try:
        main(line.split())
    except SystemExit as end:
        code = end.code
    heavy = [name for name in {HEAVY} if name in sys.modules]
    loaded[line] = [code, heavy]
    if heavy:
        break
print("\\n" + json.dumps(loaded))
"""


@pytest.mark.slow
def test_commands_without_a_model_load_no_torch(crops, tmp_path):
    """One process for all: the first that loads it is named, with its exit code."""
    create_records(tmp_path / "people", GallerySettings().to_texts()).close()
    make_run(tmp_path / "run")
    places = {"crops": crops, "run": tmp_path / "run", "gallery": tmp_path / "people"}
    lines = [command.format(**places) for command in COMMANDS]
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, json.dumps(lines)],
        capture_output=True, text=True, cwd=tmp_path, check=True,
    )  # fmt: skip
    loaded = json.loads(done.stdout.splitlines()[-1])
    assert {line: heavy for line, (_, heavy) in loaded.items() if heavy} == {}
    assert list(loaded) == lines
    failed = [line for line, (code, _) in loaded.items() if code == 1]
    assert not failed, done.stderr
