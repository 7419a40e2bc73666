"""Tokenizers: sentences to token ids."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any, Protocol

from open_clip.tokenizer import SimpleTokenizer
from torch import Tensor

from promptreid.errors import ConfigError, ModelError
from promptreid.models.weights.architecture import TINY, Architecture
from promptreid.models.weights.tiny import tiny_tokenizer
from promptreid.models.weights.tokenizer_json import JsonTokenizer


class Tokenizer(Protocol):
    """What prompts need of a tokenizer. OpenCLIP's `SimpleTokenizer` is one."""

    context_length: Any

    def encode(self, text: str) -> list[int]:
        """Return the ids of a sentence without start, end and padding."""
        ...

    def __call__(self, texts: list[str]) -> Tensor:
        """Return (N, context_length) ids with start, end and padding, cut where too long."""
        ...


class AbsentTokenizer:
    """Stands in where OpenCLIP does not contain the tokenizer, or where there is no text tower.

    Images can still be encoded.
    """

    def __init__(self, name: str, context_length: int) -> None:
        self.name = name
        self.context_length = context_length

    def encode(self, text: str) -> list[int]:
        """Refuse, saying what to give."""
        if not self.context_length:
            raise ModelError(
                f"{self.name} has no text tower, so {text!r} cannot be read. Take a dual encoder, "
                "such as ViT-B-16, where sentences are compared."
            )
        raise ModelError(
            f"The tokenizer of {self.name} is not part of OpenCLIP, so {text!r} cannot be read. "
            "Give the folder with its tokenizer.json (from the model's page) as the backbone's "
            "`tokenizer`."
        )

    def __call__(self, texts: list[str]) -> Tensor:
        """Refuse, saying what to give."""
        self.encode(texts[0])
        raise AssertionError


def find_tokenizer(architecture: Architecture, source: str | Path | None = None) -> Tokenizer:
    """Return the tokenizer of an architecture.

    The source is a folder with a `tokenizer.json`, or such a file; None for OpenCLIP's own.

    Raises:
        ModelError: The file is missing or unreadable, or the `tokenizers` package is.
    """
    if architecture.name == TINY:
        return tiny_tokenizer()
    if not architecture.has_text:
        return AbsentTokenizer(architecture.name, 0)
    text = architecture.config["text_cfg"]
    context_length = text.get("context_length", 77)
    options = text.get("tokenizer_kwargs") or {}
    if source is not None:
        return JsonTokenizer.read(
            Path(source),
            context_length=context_length,
            clean=options.get("clean", "whitespace"),
            strip_separator=options.get("strip_sep_token", False),
        )
    if text.get("hf_tokenizer_name"):
        return AbsentTokenizer(architecture.name, context_length)
    return _openclip_tokenizer(context_length, json.dumps(options, sort_keys=True))


@cache
def _openclip_tokenizer(context_length: int, options: str) -> SimpleTokenizer:
    """Return OpenCLIP's tokenizer, which is made once, as its vocabulary takes a while."""
    return SimpleTokenizer(context_length=context_length, **json.loads(options))


def describe_tokenizer(tokenizer: Tokenizer) -> dict[str, Any] | None:
    """Return what `restore_tokenizer` needs beside the tokenizer's text, JSON-ready."""
    return tokenizer.describe() if isinstance(tokenizer, JsonTokenizer) else None


def restore_tokenizer(
    architecture: Architecture, description: dict[str, Any] | None, content: str | None
) -> Tokenizer:
    """Build the tokenizer of a checkpoint from what `describe_tokenizer` gave.

    The content is the text of its `tokenizer.json`; None when OpenCLIP contains the tokenizer.
    """
    if description is None or content is None:
        return find_tokenizer(architecture)
    return JsonTokenizer(content, **description)


def tokenize(tokenizer: Tokenizer, sentences: list[str]) -> Tensor:
    """Tokenize one or several sentences, refusing those that would be cut.

    Returns:
        (N, context_length) token ids.

    Raises:
        ConfigError: A sentence does not fit into the context.
        ModelError: The tokenizer is absent.
    """
    special = getattr(tokenizer, "special_tokens", 2)
    limit = tokenizer.context_length
    for sentence in sentences:
        count = len(tokenizer.encode(sentence)) + special
        if count > limit:
            raise ConfigError(
                f"The sentence {sentence!r} takes {count} tokens; this text tower has room for "
                f"{limit}. Shorten it or use fewer context tokens."
            )
    return tokenizer(sentences)
