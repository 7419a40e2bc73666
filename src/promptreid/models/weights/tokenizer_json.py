"""Tokenizers in Hugging Face's `tokenizer.json` format, as SigLIP has them."""

from __future__ import annotations

import importlib
import json
from pathlib import Path
from typing import Any

import torch
from open_clip.tokenizer import get_clean_fn
from torch import Tensor

from promptreid.errors import ModelError

_PAD_NAMES = ("<pad>", "[PAD]", "</s>")
_SEPARATOR = "[SEP]"


class JsonTokenizer:
    """A tokenizer read from a `tokenizer.json`.

    Its text travels with checkpoints, so that a saved model can read sentences without the file.

    Attributes:
        context_length: Length of the rows it returns.
        special_tokens: How many start and end tokens it adds.
    """

    def __init__(
        self, content: str, *, context_length: int, clean: str, pad: int, strip_separator: bool
    ) -> None:
        """Build from the text of a `tokenizer.json`.

        Raises:
            ModelError: The `tokenizers` package is missing or cannot read the text.
        """
        try:
            tokenizers = importlib.import_module("tokenizers")
        except ImportError as error:
            raise ModelError(
                "Reading a tokenizer.json needs the package `tokenizers`: pip install tokenizers."
            ) from error
        self.content = content
        self.context_length = context_length
        self.clean, self.pad, self.strip_separator = clean, pad, strip_separator
        try:
            self._inner = tokenizers.Tokenizer.from_str(content)
        except Exception as error:  # the Rust binding raises plain Exception
            raise ModelError(f"This tokenizer.json cannot be read: {error}.") from error
        self._inner.no_padding()
        self._inner.no_truncation()
        self.special_tokens = self._inner.num_special_tokens_to_add(False)
        self._clean = get_clean_fn(clean)

    @classmethod
    def read(
        cls, source: Path, *, context_length: int, clean: str, strip_separator: bool
    ) -> JsonTokenizer:
        """Read a `tokenizer.json`, or the folder it lies in.

        Padding is taken from a `tokenizer_config.json` beside it, else from the file itself.

        Raises:
            ModelError: There is no such file, or it is unreadable.
        """
        path = source / "tokenizer.json" if source.is_dir() else source
        if not path.is_file():
            raise ModelError(
                f"There is no tokenizer at {path}. Give a folder with a tokenizer.json."
            )
        try:
            content = path.read_text(encoding="utf-8")
            values = json.loads(content)
            beside = path.with_name("tokenizer_config.json")
            config = json.loads(beside.read_text(encoding="utf-8")) if beside.is_file() else {}
        except (OSError, ValueError) as error:
            raise ModelError(f"{path} is not a readable tokenizer: {error}.") from error
        return cls(
            content,
            context_length=context_length,
            clean=clean,
            pad=_find_pad_id(values, config),
            strip_separator=strip_separator,
        )

    def encode(self, text: str) -> list[int]:
        """Return the ids of a sentence without special tokens and padding."""
        return self._inner.encode(self._clean(text), add_special_tokens=False).ids

    def __call__(self, texts: list[str]) -> Tensor:
        """Return (N, context_length) ids, padded and cut."""
        rows = torch.full((len(texts), self.context_length), self.pad, dtype=torch.long)
        self._inner.enable_truncation(self.context_length)
        for row, text in zip(rows, texts, strict=True):
            ids = self._inner.encode(self._clean(text)).ids
            row[: len(ids)] = torch.tensor(ids, dtype=torch.long)
        self._inner.no_truncation()
        if self.strip_separator:
            rows[rows == self._inner.token_to_id(_SEPARATOR)] = 0
        return rows

    def describe(self) -> dict[str, Any]:
        """Return the keyword arguments that build it again, JSON-ready, its text aside."""
        return {
            "context_length": self.context_length,
            "clean": self.clean,
            "pad": self.pad,
            "strip_separator": self.strip_separator,
        }


def _find_pad_id(values: dict[str, Any], config: dict[str, Any]) -> int:
    id_by_token = {token["content"]: token["id"] for token in values.get("added_tokens", [])}
    pad_token = config.get("pad_token")
    if isinstance(pad_token, dict):
        pad_token = pad_token.get("content")
    if pad_token in id_by_token:
        return id_by_token[pad_token]
    if values.get("padding"):
        return values["padding"]["pad_id"]
    return next((id_by_token[name] for name in _PAD_NAMES if name in id_by_token), 0)
