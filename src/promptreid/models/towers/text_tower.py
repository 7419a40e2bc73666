"""Text tower of OpenCLIP models, run from tokens or from word embeddings."""

from __future__ import annotations

import torch
from open_clip.model import CLIP
from open_clip.transformer import TextTransformer
from torch import Tensor, nn

from promptreid.errors import ModelError, WeightsError
from promptreid.models.towers.blocks import can_share, run_block, run_block_after, run_block_at
from promptreid.models.towers.recomputing import run_in_parts
from promptreid.processes.process_group import ALONE, Processes
from promptreid.processes.row_shares import are_shared, gather_rows, own_random_numbers
from promptreid.transfer import send

FULL, NO_VOCABULARY, ABSENT = "full", "no vocabulary", "absent"


class TextTower(nn.Module):
    """Text encoder: embeddings, transformer, norm, projection. Outputs are not normalised.

    In a causal tower nothing after the token that is read (EOT) can matter, so those positions are
    not run; a beginning that all sequences share is encoded once. Both leave the result as it is.

    Attributes:
        width: Size of a word embedding.
        context_length: Number of positions.
        embed_dim: Size of the text feature, the joint image-text space.
        causal: Whether a position sees only earlier ones.
        parts: In how many parts sentences are encoded while there are gradients; see
            `run_in_parts`.
        processes: Who shares sentences out.
    """

    parts: int = 1
    processes: Processes = ALONE

    def __init__(self, source: CLIP | TextTransformer) -> None:
        """Take over the text parts of an OpenCLIP model.

        Raises:
            ModelError: The text tower appends a class token or pools in a way that has no single
                row.
        """
        super().__init__()
        inside = isinstance(source, CLIP)
        if getattr(source, "cls_emb", None) is not None or getattr(source, "use_pad_mask", False):
            raise ModelError(
                "This text tower appends a class token to each sentence (CoCa), which learned "
                "prompts cannot stand for. Choose a CLIP, EVA or SigLIP backbone."
            )
        self.pool = source.text_pool_type if inside else source.pool_type
        self.eos_id = source.text_eos_id if inside else source.eos_id
        if self.pool not in ("argmax", "eos", "first", "last"):
            raise ModelError(f"Text pooling {self.pool!r} gives no single feature per sentence.")
        self.causal = source.attn_mask is not None
        self.context_length = source.context_length
        self.token_embedding: nn.Embedding | None = source.token_embedding
        self.positional_embedding = source.positional_embedding
        self.transformer = source.transformer
        self.ln_final = source.ln_final
        self.text_projection = source.text_projection
        self.width = source.positional_embedding.shape[1]
        self.embed_dim = self._projected_width()

    def _projected_width(self) -> int:
        if self.text_projection is None:
            return self.width
        if isinstance(self.text_projection, nn.Linear):
            return self.text_projection.out_features
        return self.text_projection.shape[1]

    @property
    def kind(self) -> str:
        """How much of a text tower this is, as checkpoints record it."""
        return NO_VOCABULARY if self.token_embedding is None else FULL

    def blocks(self) -> list[nn.Module]:
        """Return the residual blocks."""
        return list(self.transformer.resblocks)

    def drop_vocabulary(self) -> None:
        """Remove the word table, for weights that were saved without one."""
        self.token_embedding = None

    def read_position(self, tokens: Tensor) -> Tensor:
        """Return which position of each sentence is read: (B, L) token ids to (B,) indices."""
        if self.pool == "argmax":
            return tokens.argmax(dim=-1)
        if self.pool == "eos":
            return (tokens == self.eos_id).int().argmax(dim=-1)
        position = 0 if self.pool == "first" else tokens.shape[1] - 1
        return torch.full((tokens.shape[0],), position, dtype=torch.long, device=tokens.device)

    def embed_tokens(self, tokens: Tensor) -> Tensor:
        """Look words up: (B, L) token ids to (B, L, width), positions not added.

        Raises:
            WeightsError: The weights came without a word table.
        """
        return self.vocabulary()(tokens)

    def vocabulary(self) -> nn.Embedding:
        """Return the word table.

        Raises:
            WeightsError: The weights came without one.
        """
        if self.token_embedding is None:
            raise WeightsError(
                "These weights hold no word embeddings (published CLIP-ReID files leave them out), "
                "so new sentences cannot be encoded. Use the stored identity prompts "
                "(`model.prompt.bank()`), or a checkpoint trained with promptreid, which holds the "
                "whole text tower."
            )
        return self.token_embedding

    def encode_tokens(self, tokens: Tensor) -> Tensor:
        """Encode sentences.

        Args:
            tokens: (B, context_length) token ids.

        Returns:
            (B, embed_dim) text features.
        """
        return self.encode_embeddings(self.embed_tokens(tokens), self.read_position(tokens))

    def encode_embeddings(
        self, embeddings: Tensor, eot: int | Tensor, *, shared: Tensor | None = None
    ) -> Tensor:
        """Encode sequences of word embeddings.

        Args:
            embeddings: (B, L, width) word embeddings without positions.
            eot: Index of the position that is read, counted from the start of the whole sequence;
                one for all, or (B,), on the CPU, so that nobody waits for a device to learn how
                long sequences are.
            shared: (P, width) embeddings that every sequence begins with; `embeddings` then holds
                what comes after them.

        Returns:
            (B, embed_dim) text features.
        """

        def encode(rows: Tensor, ends: Tensor | None) -> Tensor:
            return self._encode(rows, eot if ends is None else ends, shared)

        ends = None if isinstance(eot, int) else eot
        rows, processes = len(embeddings), self.processes
        if not are_shared(rows, processes):
            return self._join(run_in_parts(encode, embeddings, ends, parts=self.parts))
        own = processes.share(rows)
        with own_random_numbers(processes, embeddings.device):
            ends = None if ends is None else ends[own]
            encoded = self._join(run_in_parts(encode, embeddings[own], ends, parts=self.parts))
        return gather_rows([encoded], rows, processes)[0]

    @staticmethod
    def _join(parts: list[Tensor]) -> Tensor:
        return parts[0] if len(parts) == 1 else torch.cat(parts)

    def _encode(self, embeddings: Tensor, eot: int | Tensor, shared: Tensor | None) -> Tensor:
        start = 0 if shared is None else shared.shape[0]
        there = eot if isinstance(eot, int) else send(eot, embeddings.device)
        if not self.causal:
            if shared is not None:
                beginning = shared.expand(embeddings.shape[0], -1, -1)
                embeddings = torch.cat([beginning, embeddings], dim=1)
            return self._encode_rows(
                embeddings + self.positional_embedding.to(embeddings.dtype), there
            )
        last = eot if isinstance(eot, int) else int(eot.max())
        positions = self.positional_embedding.to(embeddings.dtype)
        x = embeddings[:, : last + 1 - start] + positions[start : last + 1]
        if shared is None:
            return self._encode_rows(x, there)
        head = (shared + positions[:start]).unsqueeze(0)
        if not can_share(self.transformer.resblocks):
            return self._encode_rows(torch.cat([head.expand(x.shape[0], -1, -1), x], dim=1), there)
        for block in self.transformer.resblocks[:-1]:
            head, x = run_block_after(block, head, x)
        return self._read(torch.cat([head.expand(x.shape[0], -1, -1), x], dim=1), there)

    def _encode_rows(self, x: Tensor, eot: int | Tensor) -> Tensor:
        for block in self.transformer.resblocks[:-1]:
            x = run_block(block, x, causal=self.causal)
        return self._read(x, eot)

    def _read(self, x: Tensor, eot: int | Tensor) -> Tensor:
        """Run the last block for the rows that are read, norm and project them."""
        visible = None
        if self.causal and not isinstance(eot, int):
            visible = torch.arange(x.shape[1], device=x.device) <= eot[:, None]
        return self._project(run_block_at(self.transformer.resblocks[-1], x, eot, visible=visible))

    def _project(self, rows: Tensor) -> Tensor:
        rows = self.ln_final(rows)
        if self.text_projection is None:
            return rows
        if isinstance(self.text_projection, nn.Linear):
            return self.text_projection(rows)
        return rows @ self.text_projection


class AbsentText(TextTower):
    """Stands in for the text tower of weights that came without one. It refuses to encode."""

    kind = ABSENT

    def __init__(self) -> None:
        nn.Module.__init__(self)
        self.width = self.embed_dim = self.context_length = 0
        self.causal = True
        self.token_embedding = None

    def blocks(self) -> list[nn.Module]:
        """Return none: there is no tower."""
        return []

    def encode_embeddings(
        self, embeddings: Tensor, eot: int | Tensor, *, shared: Tensor | None = None
    ) -> Tensor:
        """Refuse.

        Raises:
            WeightsError: Always.
        """
        raise WeightsError(
            "These weights hold an image tower only (a baseline without prompts), so there are no "
            "text features. Compare images with images, or load weights with a text tower."
        )
