"""A column of names that recur, such as cameras, kept as numbers."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from promptreid.gallery.searching.growing_array import GrowingArray


class NameColumn:
    """A column of texts as codes, in the order in which texts came.

    Attributes:
        texts: Text of each code.
    """

    def __init__(self) -> None:
        """Begin without a row."""
        self.texts: list[str] = []
        self._codes = GrowingArray(np.int32)
        self._code_by_text: dict[str, int] = {}

    @property
    def codes(self) -> NDArray[np.int32]:
        """The codes, -1 for None."""
        return self._codes.values

    def list_used(self) -> tuple[list[str], NDArray[np.int32]]:
        """Return the texts that some row has, and the code of each row among them."""
        used, codes = np.unique(self.codes, return_inverse=True)
        unknown = int(len(used) > 0 and used[0] < 0)
        texts = [self.texts[code] for code in used[unknown:].tolist()]
        return texts, (codes - unknown).astype(np.int32)

    def extend(self, texts: Sequence[str | None]) -> None:
        """Put texts at the end."""
        for text in dict.fromkeys(texts):
            if text is not None and text not in self._code_by_text:
                self._code_by_text[text] = len(self.texts)
                self.texts.append(text)
        codes = self._code_by_text
        self._codes.extend(
            np.fromiter((-1 if t is None else codes[t] for t in texts), np.int32, len(texts))
        )

    def replace(self, texts: Sequence[str], codes: NDArray[np.int32]) -> None:
        """Have these texts and the code of each row, and nothing else."""
        self.texts = list(texts)
        self._code_by_text = {text: code for code, text in enumerate(self.texts)}
        self._codes.replace(codes)

    def keep(self, kept: NDArray[np.bool_]) -> None:
        """Take out the rows that are not kept."""
        self._codes.keep(kept)

    def find(self, text: str | None) -> int:
        """Return the code of a text; -2 for None and where there is none."""
        return -2 if text is None else self._code_by_text.get(text, -2)
