"""Printing never raises and never commands a terminal, whatever the encoding of the stream."""

import io
import json
import os
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptreid.text.streams import guarded, guarded_output, unguarded

NAMES = ["名前", "Andr\udce9", "a\x1b[31mb", "grün", "😀", "two\nlines", 'quote"back\\slash']


def stream_of(encoding):
    return io.TextIOWrapper(io.BytesIO(), encoding=encoding, newline="\n")


def written(stream):
    stream.flush()
    return stream.buffer.getvalue().decode(stream.encoding)


@pytest.mark.parametrize("encoding", ["utf-8", "cp1252", "ascii", "cp437", "latin-1", "shift-jis"])
def test_json_stays_json_with_the_same_meaning(encoding):
    stream = stream_of(encoding)
    print(json.dumps(NAMES, ensure_ascii=False, indent=2), file=guarded(stream))
    assert json.loads(written(stream)) == NAMES


@given(
    st.text(st.characters(), max_size=30),
    st.sampled_from(["utf-8", "cp1252", "ascii", "cp437", "shift-jis"]),
)
def test_any_text_can_be_printed_on_any_stream(text, encoding):
    stream = stream_of(encoding)
    print(f"name: {text}", file=guarded(stream))
    shown = written(stream)
    assert shown.startswith("name: ")
    assert "\x1b" not in shown
    assert "\r" not in shown


def test_what_the_encoding_has_is_written_as_it_is():
    stream = stream_of("cp1252")
    print("grün … ± 名", file=guarded(stream))
    assert written(stream) == "grün … ± \\u540d\n"


def test_bars_of_other_libraries_still_move():
    stream = stream_of("utf-8")
    bar = guarded(stream)
    for text in ("\r 10%", "\r 20%", "\n", "\x1b[A", "\n\x1b[A\x1b[A", "\r"):
        bar.write(text)
    assert written(stream) == "\r 10%\r 20%\n\x1b[A\n\x1b[A\x1b[A\r"


def test_a_return_or_a_move_inside_a_text_is_shown():
    stream = stream_of("utf-8")
    guarded(stream).writelines(["ok\rno", "\x1b[A over", "\r\x1b[2Kgone"])
    assert written(stream) == "ok\\u000dno\\u001b[A over\r\\u001b[2Kgone"


def test_a_stream_is_guarded_once_and_nothing_goes_around_it():
    stream = stream_of("utf-8")
    once = guarded(stream)
    assert guarded(once) is once
    assert unguarded(once) is unguarded(stream) is stream
    assert not hasattr(once, "buffer")
    assert not once.isatty()
    assert once.encoding == "utf-8"


def test_a_stream_that_cannot_be_told_is_guarded_all_the_same():
    stream = io.StringIO()
    guarded(stream).write("a\x1bb\n")
    assert stream.getvalue() == "a\\u001bb\n"


def test_standard_streams_are_as_they_were_afterwards(monkeypatch):
    output, errors = stream_of("cp1252"), stream_of("ascii")
    monkeypatch.setattr(sys, "stdout", output)
    monkeypatch.setattr(sys, "stderr", errors)
    before = output.errors, errors.errors
    with pytest.raises(KeyError), guarded_output():  # noqa: PT012
        print("名\x1b")
        print("ü", file=sys.stderr)
        raise KeyError
    assert (sys.stdout, sys.stderr) == (output, errors)
    assert (output.errors, errors.errors) == before
    assert written(output) == "\\u540d\\u001b\n"
    assert written(errors) == "\\u00fc\n"


def test_no_streams_at_all_are_no_obstacle(monkeypatch):
    monkeypatch.setattr(sys, "stdout", None)
    monkeypatch.setattr(sys, "stderr", None)
    monkeypatch.setattr(sys, "stdin", None)
    with guarded_output():
        print("to nobody")
        print("to nobody", file=sys.stderr, flush=True)
        assert not sys.stdout.isatty()
        assert not sys.stdin.isatty()
        assert sys.stdin.read() == ""
    assert (sys.stdin, sys.stdout, sys.stderr) == (None, None, None)


def test_work_goes_on_when_nobody_reads_what_is_said_of_it(monkeypatch):
    read, write = os.pipe()
    with os.fdopen(write, "w", buffering=1, encoding="utf-8") as errors:
        monkeypatch.setattr(sys, "stderr", errors)
        with guarded_output():
            os.close(read)
            for _ in range(3):
                print("1/2 images", file=sys.stderr, flush=True)
            unguarded(sys.stderr).write("a bar\n")


def test_results_that_nobody_reads_are_an_error(monkeypatch):
    read, write = os.pipe()
    output = os.fdopen(write, "w", encoding="utf-8")
    monkeypatch.setattr(sys, "stdout", output)
    os.close(read)
    with guarded_output(), pytest.raises(BrokenPipeError):
        print("mAP", flush=True)
    with pytest.raises(BrokenPipeError):
        output.close()
