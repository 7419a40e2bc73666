"""Commands that need no model answer without loading PyTorch."""

import contextlib
import json
import subprocess
import sys

import pytest
from gallery_model import draw_people, make_gallery
from PIL import Image
from run_records import make_run

from promptreid.gallery.vector_model import GalleryImage

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
    "gallery check {gallery}",
    "gallery name {gallery} person_0 anna",
    "gallery split {gallery} anna ben --entry 2",
    "gallery merge {gallery} ben anna",
    "gallery hide {gallery} anna",
    "gallery unhide {gallery} anna",
    "gallery not {gallery} anna --entry 6",
    "gallery not {gallery} --remove 1",
    "gallery copy {gallery} {run}-copy",
    "gallery erase {gallery} anna --yes --refuse",
    "gallery allow {gallery} {picture}",
    "gallery audit set {gallery} always",
    "gallery audit expire {gallery} --days 1",
    "gallery check {gallery} --mend",
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


def fill_gallery(folder):
    """Enrol files of nine people, three of each; return the first file."""
    pictures, names = draw_people(9, 3)
    files = [folder.with_name(f"{number}.png") for number in range(len(pictures))]
    for file, picture in zip(files, pictures, strict=True):
        Image.fromarray(picture).save(file)
    images = [
        GalleryImage(picture, file=file.read_bytes())
        for file, picture in zip(files, pictures, strict=True)
    ]
    with contextlib.closing(make_gallery(folder)) as gallery:
        gallery.add(images, [name.replace(" ", "_") for name in names])
    return files[0]


@pytest.mark.slow
def test_commands_without_a_model_load_no_torch(crops, tmp_path):
    """One process for all: the first that loads it is named, with its exit code."""
    picture = fill_gallery(tmp_path / "people")
    make_run(tmp_path / "run")
    places = {
        "crops": crops, "run": tmp_path / "run", "gallery": tmp_path / "people", "picture": picture,
    }  # fmt: skip
    lines = [command.format(**places) for command in COMMANDS]
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, json.dumps(lines)],
        capture_output=True, text=True, cwd=tmp_path, check=True,
    )  # fmt: skip
    loaded = json.loads(done.stdout.splitlines()[-1])
    assert {line: heavy for line, (_, heavy) in loaded.items() if heavy} == {}
    assert list(loaded) == lines
    failed = [
        line
        for line, (code, _) in loaded.items()
        if code == 1 or (code and line.startswith("gallery") and "nobody" not in line)
    ]
    assert not failed, done.stderr
