"""A tokenizer.json in the manner of SigLIP's, made on the spot."""

from __future__ import annotations

import json
from pathlib import Path

WORDS = ("a", "photo", "of", "person", "hand", "x", "y", "left")


def write_tokenizer(folder: Path) -> Path:
    """Write tokenizer.json and its configuration: words, an end token that also pads."""
    from tokenizers import Tokenizer, models, pre_tokenizers, processors

    vocabulary = {"<unk>": 0, "</s>": 1} | {word: 2 + i for i, word in enumerate(WORDS)}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    tokenizer.add_special_tokens(["<unk>", "</s>"])
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="$A </s>", special_tokens=[("</s>", 1)]
    )
    tokenizer.enable_padding(length=3)
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer.save(str(folder / "tokenizer.json"))
    config = {"pad_token": {"content": "</s>"}}
    (folder / "tokenizer_config.json").write_text(json.dumps(config))
    return folder
