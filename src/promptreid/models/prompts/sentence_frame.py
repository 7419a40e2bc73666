"""Fixed words with a place for learned ones, read together by a text tower."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from promptreid.models.prompts.context_positions import Slot, Words
from promptreid.models.towers.text_tower import TextTower
from promptreid.transfer import send


class SentenceFrame(nn.Module):
    """The fixed words of one or several sentences around word embeddings that vary.

    Attributes:
        slots: Where the varying embeddings stand in each distinct sentence.
    """

    prefix: Tensor
    suffix: Tensor
    _places: Tensor
    slots: tuple[Slot, ...]

    def frame(self, text: TextTower, words: Words) -> None:
        """Register the fixed words; `words.slots` are all of one length."""
        self._text = (text,)  # in a tuple, so that the tower is not registered a second time
        self.slots = words.slots
        device = words.prefix.device
        self.register_buffer("prefix", words.prefix)
        self.register_buffer("suffix", words.suffix)
        starts = torch.tensor([[slot.start] for slot in words.slots]) - len(words.prefix)
        places = starts + torch.arange(words.slots[0].length)
        self.register_buffer("_places", places.to(device), persistent=False)

    @property
    def text(self) -> TextTower:
        """The text tower that encodes the sentences."""
        return self._text[0]

    def encode_context(self, context: Tensor, sentences: Tensor) -> Tensor:
        """Encode sentences around given tokens.

        Args:
            context: (N, n, width) word embeddings that fill the slot.
            sentences: (N,) indices into `slots`, on the CPU, so that nobody waits for a device to
                learn where sentences end.

        Returns:
            (N, embed_dim) text features, not normalised.
        """
        if self.suffix.ndim == 2:
            return self.encode_after(self.prefix, context)
        there = send(sentences, context.device)
        rest = self.suffix[there].to(context.dtype)
        rows = torch.arange(context.shape[0], device=context.device)[:, None]
        rest[rows, self._places[there]] = context
        eot = read_positions([slot.eot for slot in self.slots], sentences)
        return self.text.encode_embeddings(rest, eot, shared=self.prefix)

    def encode_after(self, beginning: Tensor, context: Tensor) -> Tensor:
        """Encode the only sentence there is around given tokens, its beginning once for all.

        Args:
            beginning: (P, width) the words before the slot, and what fills the slot's first places
                in every row.
            context: (N, n, width) what fills its other places.

        Returns:
            (N, embed_dim) text features, not normalised.
        """
        slot = self.slots[0]
        end = slot.eot + 1 if self.text.causal else slot.total
        suffix = self.suffix[: end - slot.start - slot.length]
        rest = torch.cat([context, suffix.expand(context.shape[0], -1, -1)], dim=1)
        return self.text.encode_embeddings(rest, slot.eot, shared=beginning)


def read_positions(ends: Sequence[int], sentences: Tensor) -> int | Tensor:
    """Return the position that is read: one for all sentences where they agree, else one for each.

    Args:
        ends: Position of every sentence there is.
        sentences: (N,) which of them are encoded.

    Returns:
        The position, or (N,) on the CPU.
    """
    if len(set(ends)) == 1:
        return ends[0]
    return torch.tensor(ends)[sentences.cpu()]
