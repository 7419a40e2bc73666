"""What cannot be searched for, told before a model is loaded."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from promptreid.errors import ConfigError, DataError


def check_search(
    *,
    any_image: bool,
    text: str | None,
    templates: Collection[str],
    pictures: bool,
    rerank: bool,
    query_camera: str | None,
    other_cameras: bool,
) -> None:
    """Refuse what cannot be asked for, before anything is opened.

    Raises:
        ConfigError: With what to do.
    """
    if not any_image and text is None:
        raise ConfigError("Name an IMAGE to look for, or a sentence by --text (text=).")
    if text is not None and (pictures or rerank):
        raise ConfigError("--text has a ranking of its own; leave out --pictures and --rerank.")
    if templates and text is None:
        raise ConfigError("--template goes with --text.")
    if other_cameras and query_camera is None:
        raise ConfigError("--other-cameras needs --query-camera.")


def check_is_file(image: Path) -> None:
    """Refuse the path of a picture that is not there.

    Raises:
        DataError: There is no such file.
    """
    if image.is_dir():
        raise DataError(f"{image} is a folder. Name the pictures in it, such as {image / '*.jpg'}.")
    if not image.is_file():
        raise DataError(f"There is no image file {image}.")


def check_is_picture(image: Path) -> None:
    """Refuse a picture that cannot be decoded, before a folder is embedded for it.

    Raises:
        UnreadableImage: It is missing, empty, truncated, or in a format that is not decoded.
    """
    from promptreid.data.images.decode import read_image  # loads PyTorch

    read_image(image)
