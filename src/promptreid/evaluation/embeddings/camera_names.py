"""Cameras of images as names, whatever stands for them in Python."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Self

import numpy as np
from torch import Tensor

from promptreid.data.manifest.unknown_values import UnknownWords, read_name
from promptreid.errors import EvaluationError


class CameraNames(tuple[str | None, ...]):
    """One name for each image, None where the camera is not known.

    A type of its own says that the names have been read, so that words which were kept as names
    stay names.
    """

    __slots__ = ()

    @classmethod
    def of(
        cls,
        values: Iterable[object] | np.ndarray | Tensor,
        *,
        words: UnknownWords | None = None,
        paths: tuple[str, ...] = (),
    ) -> Self:
        """Read names, numbers and what stands for neither.

        Args:
            values: A value for each image. 3, 3.0 and "3" are one camera. None, NaN and the words
                of `promptreid.data.manifest.unknown_values`, -1 among them, are unknown.
            words: What tells unknown ones; None for the usual words.
            paths: Paths of the images, for messages; may be empty.

        Raises:
            EvaluationError: A value is neither a name nor a number; says which.
        """
        words = UnknownWords() if words is None else words
        if isinstance(values, np.ndarray | Tensor):
            values = values.tolist()
        names: list[str | None] = []
        read: dict[object, str | None] = {}  # few cameras take many images
        for row, value in enumerate(values):
            if type(value) in (str, int):
                if value not in read:
                    read[value] = read_name(value, "camera", words)
                names.append(read[value])
                continue
            try:
                names.append(read_name(value, "camera", words))
            except ValueError as error:
                image = f"row {row} ({paths[row]})" if paths and paths[row] else f"row {row}"
                raise EvaluationError(
                    f"The camera of {image} is {value!r}; a camera is a name, a number, or None "
                    "where it is not known."
                ) from error
        return cls(names)
