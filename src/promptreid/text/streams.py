"""Output streams that take any text: nothing printed can raise, or command a terminal."""

from __future__ import annotations

import contextlib
import re
import sys
from collections.abc import Generator
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
    """Guard standard output and standard error within a block."""
    output, errors = sys.stdout, sys.stderr
    handling = [getattr(stream, "errors", None) for stream in (output, errors)]
    if output is not None:
        sys.stdout = guarded(output)
    if errors is not None:
        sys.stderr = guarded(errors)
    try:
        yield
    finally:
        sys.stdout, sys.stderr = output, errors
        for stream, before in zip((output, errors), handling, strict=True):
            _handle_errors(stream, before)


def _handle_errors(stream: Any, way: str | None) -> None:
    """Say what a stream does with what its encoding lacks, where it can be told."""
    reconfigure = getattr(stream, "reconfigure", None)
    if reconfigure is not None and way is not None:
        with contextlib.suppress(ValueError, OSError):
            reconfigure(errors=way)
