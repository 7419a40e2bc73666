"""`tiny`: a small dual encoder whose weights ship in the package.

It is an ordinary OpenCLIP model (vision transformer, causal text transformer), made small enough to
train and search on a laptop without a download. Its weights come from `promptreid pretrain`
(image-caption contrastive training on rendered pictures).
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

import torch
from open_clip.model import CLIP, CLIPTextCfg, CLIPVisionCfg
from open_clip.tokenizer import SimpleTokenizer

from promptreid.data.images.preprocess import HALF, Preprocess

WEIGHTS = Path(__file__).parents[2] / "assets" / "tiny.safetensors"
NATIVE = Preprocess(image_size=(128, 128), mean=HALF, std=HALF)
VOCABULARY = 3072
CONTEXT_LENGTH = 77
_BYTE_SYMBOLS = 512
_SPECIAL = ("<start_of_text>", "<end_of_text>")


class TinyTokenizer(SimpleTokenizer):
    """CLIP's byte-pair tokenizer with only its most frequent merges.

    Byte-pair merges are ordered by frequency, so keeping the first ones gives a valid tokenizer
    with a small vocabulary that still encodes any text.
    """

    def __init__(self) -> None:
        super().__init__(context_length=CONTEXT_LENGTH)
        merges = VOCABULARY - _BYTE_SYMBOLS - len(_SPECIAL)
        symbols = [self.decoder[index] for index in range(_BYTE_SYMBOLS + merges)]
        symbols.extend(_SPECIAL)
        self.encoder = {symbol: index for index, symbol in enumerate(symbols)}
        self.decoder = dict(enumerate(symbols))
        self.bpe_ranks = {pair: rank for pair, rank in self.bpe_ranks.items() if rank < merges}
        self.vocab_size = len(symbols)
        self.all_special_ids = [self.encoder[symbol] for symbol in _SPECIAL]
        self.sot_token_id, self.eot_token_id = self.all_special_ids


@cache
def tiny_tokenizer() -> TinyTokenizer:
    """Return the tokenizer of `tiny`, which is made once, as its vocabulary takes a while."""
    return TinyTokenizer()


def build_tiny(*, seed: int = 0, empty: bool = False) -> CLIP:
    """Build `tiny` in eval mode, leaving the global random state as it was.

    Args:
        seed: Seed of its random weights.
        empty: Build it without values, for weights that will be assigned.
    """
    image = CLIPVisionCfg(
        layers=6, width=192, head_width=64, patch_size=16, image_size=NATIVE.image_size
    )
    text = CLIPTextCfg(
        context_length=CONTEXT_LENGTH, vocab_size=VOCABULARY, width=128, heads=4, layers=3
    )
    with torch.device("meta") if empty else torch.random.fork_rng(devices=[]):
        if not empty:
            torch.manual_seed(seed)
        return CLIP(embed_dim=128, vision_cfg=image, text_cfg=text).eval()
