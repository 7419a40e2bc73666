"""Every way out of the program is guarded, so that no command can forget to."""

import re
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
    places = lines_with(r"\bConsole\(", outside=("progress.py", "cli/compare.py"))
    assert places == []


def test_spreadsheets_are_written_only_where_cells_are_made_safe_or_read_back_by_us():
    ours = (
        "sweep/export.py",  # each cell through csv_cell
        "runs/folder.py",  # metrics.csv: names of stages and losses, and numbers
        "data/manifest_io.py",  # manifests, which are read back to the same names
        "data/synth/hand_set.py",  # names that the renderer makes
    )
    assert lines_with(r"csv\.(DictWriter|writer)\(", outside=ours) == []


def test_text_files_are_written_as_utf8_by_the_one_function_that_takes_any_name():
    # The renderer writes ASCII, the benchmark a switch of the kernel.
    outside = ("files.py", "data/synth/hand_set.py", "bench/memory.py")
    writes = r"\.write_text\(|\.open\(\"[awx]t?\"(?!.*encoding)"
    assert [line for line in lines_with(writes, outside=outside) if ".lock" not in line] == []
