"""Every way out of the program is guarded, so that no command can forget to."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import promptreid

SOURCES = Path(promptreid.__file__).parent


def lines_with(pattern, *, outside):
    return [
        f"{path.relative_to(SOURCES)}:{number}: {line.strip()}"
        for path in sorted(SOURCES.rglob("*.py"))
        if path.relative_to(SOURCES).as_posix() not in outside
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1)
        if re.search(pattern, line)
    ]


def test_styled_lines_are_printed_by_the_one_function_that_makes_them_safe():
    # Codes of click.secho would be written out by the guarded stream; use cli.output.headline.
    assert lines_with(r"click\.(secho|style)\(", outside=("cli/output.py",)) == []


def test_consoles_of_rich_are_made_only_where_names_are_made_safe_first():
    places = lines_with(r"\bConsole\(", outside=("progress/bar.py", "cli/compare.py"))
    assert places == []


def test_spreadsheets_are_written_only_where_cells_are_made_safe_or_read_back_by_us():
    ours = (
        "sweeps/export.py",  # each cell through csv_cell
        "data/layouts/export_data.py",  # likewise
        "runs/run_images.py",  # names, sizes and times of images, read back as they were
        "runs/run_folder.py",  # metrics.csv: names of stages and losses, and numbers
        "data/manifest/manifest_files.py",  # manifests, which are read back to the same names
        "gallery/upkeep/gallery_export.py",  # a data set, which is read back to the same names
        "synth/hands/hand_set.py",  # names that the renderer makes
    )
    assert lines_with(r"csv\.(DictWriter|writer)\(", outside=ours) == []


def test_text_files_are_written_as_utf8_by_the_one_function_that_takes_any_name():
    # The renderer writes ASCII, the benchmark a switch of the kernel.
    outside = ("files.py", "synth/hands/hand_set.py", "bench/memory.py")
    writes = r"\.write_text\(|\.open\(\"[awx]t?\"(?!.*encoding)"
    assert [line for line in lines_with(writes, outside=outside) if "LOCK)" not in line] == []


def test_the_room_imports_nothing_but_the_standard_library():
    names = [path.stem for path in (SOURCES / "text").glob("*.py") if path.stem != "__init__"]
    assert len(names) >= 8
    code = (
        "import sys\n"
        + "".join(f"import promptreid.text.{name}\n" for name in names)
        + "ours = {name.partition('.')[0] for name in sys.modules}\n"
        + "print(sorted(ours - set(sys.stdlib_module_names) - {'promptreid', '__main__'}))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = ast.literal_eval(done.stdout)
    assert not {"numpy", "torch", "pydantic", "yaml", "click", "rich", "matplotlib"} & set(loaded)


def test_the_room_imports_from_its_own_floor_only():
    allowed = ("promptreid.text.", "promptreid.errors", "promptreid.files")
    for path in (SOURCES / "text").glob("*.py"):
        for found in re.findall(
            r"^\s*from (promptreid[\w.]*) import", path.read_text("utf-8"), re.M
        ):
            assert found.startswith(allowed), (path.name, found)
