"""Durations in words."""

from __future__ import annotations


def clock(seconds: float) -> str:
    """Write a duration as on a clock: `1:02:03` or `2:03`."""
    hours, minutes, rest = _parts(max(0, seconds))
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


def duration(seconds: float) -> str:
    """Write a duration as in a sentence: `1 h 2 min`, `2 min 3 s` or `4.5 s`."""
    if seconds < 60:
        return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"
    hours, minutes, rest = _parts(seconds)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"


def _parts(seconds: float) -> tuple[int, int, int]:
    minutes, rest = divmod(round(seconds), 60)
    return *divmod(minutes, 60), rest
