"""Take a configuration of other code over."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from promptreid.moving.clip_fh_config import translate_clip_fh
from promptreid.moving.clip_reid_config import translate_clip_reid
from promptreid.moving.old_config import read_old_config, tell_origin
from promptreid.moving.translation import Translation


def import_config(path: Path, changes: Sequence[str] = ()) -> Translation:
    """Say a configuration of other code as a recipe and a command of this package.

    Args:
        path: Its YAML file.
        changes: KEY VALUE KEY VALUE, as that code takes them behind the file.

    Returns:
        The nearest recipe with what differs, and what became of every key.

    Raises:
        ConfigError: The file cannot be read, is of no code that is known, or has keys that have no
            equal here; all of these are named at once.
    """
    values = read_old_config(path, changes)
    origin = tell_origin(values)
    if origin == "CLIP-FH":
        return translate_clip_fh(values)
    return translate_clip_reid(values, two_stages=origin == "CLIP-ReID")
