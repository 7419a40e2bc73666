"""What is said while training: on a stream, and in a file."""

import contextlib
import io
import re
import threading

from promptreid.progress import Lines, Logged, Silent
from promptreid.progress import lines as module

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


class Clock:
    """Time that passes when it is told to."""

    def __init__(self, monkeypatch):
        self.now = 100.0
        monkeypatch.setattr(module.time, "monotonic", lambda: self.now)
        monkeypatch.setattr(module.threading.Thread, "start", lambda _: None)


def test_nothing_is_silent_for_long(monkeypatch):
    clock, stream = Clock(monkeypatch), io.StringIO()
    lines = Lines(stream)
    with lines.doing("building the model"):
        for _ in range(60):
            clock.now += 0.25
            assert lines.tick()
    said = stream.getvalue().splitlines()
    assert said[0] == "building the model ... 0:02"
    assert len(said) == 6  # every two and a half seconds of fifteen
    assert not lines.tick()


def test_a_counted_task_tells_how_far_it_is_and_what_is_left(monkeypatch):
    clock, stream = Clock(monkeypatch), io.StringIO()
    lines = Lines(stream)
    lines.start("embedding crops", 400, "images")
    clock.now += 4
    lines.tick()
    lines.advance(100)
    clock.now += 4
    lines.tick()
    lines.later(lambda: 60.0)
    clock.now += 2
    lines.advance(25)
    clock.now += 2
    lines.tick()
    lines.finish()
    assert stream.getvalue().splitlines() == [
        "embedding crops  0/400 images",
        "embedding crops  100/400 images  12.5/s  0:24 left",
        "embedding crops  125/400 images  10.4/s  1:26 left in all",
    ]


def test_after_some_minutes_lines_come_less_often(monkeypatch):
    clock, stream = Clock(monkeypatch), io.StringIO()
    lines = Lines(stream)
    with lines.doing("training"):
        clock.now += 301
        lines.tick()
        for _ in range(120):
            clock.now += 0.5
            lines.tick()
    assert len(stream.getvalue().splitlines()) == 1 + 4


def test_what_is_inside_is_shown_and_what_is_around_comes_back(monkeypatch):
    clock, stream = Clock(monkeypatch), io.StringIO()
    lines = Lines(stream)
    with contextlib.suppress(KeyError), lines.doing("scoring"):
        lines.start("embedding", 10, "images")
        clock.now += 3
        lines.tick()
        lines.finish()
        clock.now += 3
        lines.tick()
        lines.start("embedding", 10, "images")
        raise KeyError  # the unfinished task ends with what is around it
    assert stream.getvalue().splitlines() == ["embedding  0/10 images", "scoring ... 0:06"]
    assert not lines.tick()


def test_the_thread_speaks_by_itself_and_ends_with_the_work(monkeypatch):
    stream, written = io.StringIO(), threading.Event()
    monkeypatch.setattr(stream, "flush", written.set)
    lines = Lines(stream)
    lines._spoke -= 10
    with lines.doing("reading"):
        assert written.wait(timeout=60)
    assert stream.getvalue().startswith("reading ... 0:0")
    lines._ticker.join(timeout=60)
    assert not lines._ticker.is_alive()


def test_a_closed_stream_ends_the_thread_quietly():
    stream = io.StringIO()
    lines = Lines(stream)
    lines._spoke -= 10
    with lines.doing("reading"):
        stream.close()
        lines._spoke -= 10
        lines._ticker.join(timeout=60)
        assert not lines._ticker.is_alive()


def test_messages_fit_eighty_columns_without_a_terminal():
    stream = io.StringIO()
    Lines(stream).message("word " * 60)
    assert all(len(line) <= 80 for line in stream.getvalue().splitlines())
    assert len(stream.getvalue().splitlines()) > 3
