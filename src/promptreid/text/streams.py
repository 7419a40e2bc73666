"""Output streams that take any text: nothing printed can raise, or command a terminal."""

from __future__ import annotations

import contextlib
import os
import re
import sys
from collections.abc import Generator
from pathlib import Path
from typing import IO, Any, cast

from promptreid.text.safe import ERRORS, register_errors, visible_lines

# Download bars of other libraries begin what they write with a return, or move up and do nothing
# else. Neither can hide anything that was printed as part of a longer text.
_MOVES = re.compile(r"(?:\r|\n|\x1b\[A)*")
_RETURN = "\r"


class GuardedStream:
    """A text stream that writes out what cannot be seen or encoded.

    It has no `buffer`, so that nothing goes around it.
    """

    def __init__(self, stream: IO[str]) -> None:
        """Guard a stream; its handling of what its encoding lacks is changed."""
        self.unguarded = stream
        register_errors()
        _handle_errors(stream, ERRORS)

    def write(self, text: str) -> int:
        """Write a text of one or several lines."""
        if not _MOVES.fullmatch(text):
            start = _RETURN if text.startswith(_RETURN) else ""
            text = start + visible_lines(text[len(start) :])
        return self.unguarded.write(text)

    def writelines(self, lines: Any) -> None:
        """Write texts one after the other."""
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> Any:
        """Ask the stream itself for everything else."""
        if name == "buffer":
            raise AttributeError("a guarded stream is written as text")
        return getattr(self.unguarded, name)

    def __iter__(self) -> Any:
        """Iterate as the stream itself does."""
        return iter(self.unguarded)


class LastingStream:
    """A text stream of what is said beside the work, which goes on when nobody can read it."""

    def __init__(self, stream: IO[str]) -> None:
        """Take a stream; once it fails, what is written goes nowhere."""
        self._stream = stream

    def write(self, text: str) -> int:
        """Write a text, if anybody reads it."""
        try:
            return self._stream.write(text)
        except OSError:  # a terminal was closed, a program at the other end of a pipe has ended
            lead_nowhere(self._stream)
            return len(text)

    def flush(self) -> None:
        """Write out what is held back, if anybody reads it."""
        try:
            self._stream.flush()
        except OSError:
            lead_nowhere(self._stream)

    def __getattr__(self, name: str) -> Any:
        """Ask the stream itself for everything else."""
        return getattr(self._stream, name)


def lead_nowhere(stream: IO[str]) -> None:
    """Let a stream that cannot be written any more take what it still holds, and all that comes."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, stream.fileno())
    os.close(nowhere)


def guarded(stream: IO[str]) -> IO[str]:
    """Guard a stream, unless it is guarded already."""
    if isinstance(stream, GuardedStream):
        return cast("IO[str]", stream)
    return cast("IO[str]", GuardedStream(stream))


def unguarded(stream: IO[str]) -> IO[str]:
    """Return the stream below, for those who draw on a terminal and make names safe themselves."""
    return stream.unguarded if isinstance(stream, GuardedStream) else stream


@contextlib.contextmanager
def guarded_output() -> Generator[None]:
    """Guard standard output and standard error within a block.

    Results that cannot be written to standard output are an error. What is said on standard error
    is said beside the work, which goes on without it. A standard input that is closed is empty.
    """
    entered, output, errors = sys.stdin, sys.stdout, sys.stderr
    handling = [getattr(stream, "errors", None) for stream in (output, errors)]
    devnull = Path(os.devnull)
    with devnull.open("w", encoding="utf-8") as nowhere, devnull.open(encoding="utf-8") as nothing:
        sys.stdin = entered or nothing
        sys.stdout = guarded(output or nowhere)
        sys.stderr = guarded(cast("IO[str]", LastingStream(errors or nowhere)))
        try:
            yield
        finally:
            sys.stdin, sys.stdout, sys.stderr = entered, output, errors
            for stream, before in zip((output, errors), handling, strict=True):
                _handle_errors(stream, before)


def _handle_errors(stream: Any, way: str | None) -> None:
    """Say what a stream does with what its encoding lacks, where it can be told."""
    reconfigure = getattr(stream, "reconfigure", None)
    if reconfigure is not None and way is not None:
        with contextlib.suppress(ValueError, OSError):
            reconfigure(errors=way)
