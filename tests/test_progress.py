"""What is said while training: on a stream, and in a file."""

import io
import re

from promptreid.progress import Lines, Logged, Silent

NAME = "\x1b[31mAndr\udce9\x85\u2028x"
SHOWN = r"\u001b[31mAndr\udce9\u0085\u2028x"


def test_a_log_has_one_time_for_each_line_and_nothing_hidden(tmp_path):
    path = tmp_path / "log.txt"
    Logged(Silent(), path).message(f"left out {NAME}\n\nsecond")
    first, second = path.read_bytes().decode().split("\n")[:-1]
    assert re.fullmatch(r"\d{4}-\S+  left out " + re.escape(SHOWN), first)
    assert second.endswith("  second")


def test_messages_on_a_narrow_stream_are_whole():
    stream = io.TextIOWrapper(io.BytesIO(), encoding="cp1252", newline="\n")
    lines = Lines(stream)
    lines.start(f"reading {NAME}", 2, "images")
    lines.message(f"名 {NAME}")
    lines.finish()
    assert stream.buffer.getvalue().decode("cp1252") == f"\\u540d {SHOWN}\n"


def test_a_live_bar_neither_raises_nor_passes_codes_on():
    class Terminal(io.TextIOWrapper):
        def isatty(self):
            return True

    stream = Terminal(io.BytesIO(), encoding="cp1252", newline="\n")
    lines = Lines(stream)
    lines.start(f"reading {NAME}", 2, "images")
    lines.message(f"名 {NAME}")
    lines.advance(2)
    lines.finish()
    stream.flush()
    shown = stream.buffer.getvalue().decode("cp1252")
    assert f"\\u540d {SHOWN}" in shown
    assert "\x1b[31mAndr" not in shown
