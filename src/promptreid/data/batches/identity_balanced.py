"""Batches of P identities with K images each."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from promptreid.data.batches.samplers import Indices
from promptreid.errors import ConfigError, DataError
from promptreid.seeds import derive_seed
from promptreid.text.lists import counted


class IdentityBalanced:
    """P identities with K images each in every batch (Hermans et al., 2017), as published.

    Per epoch each identity's images are shuffled and cut into chunks of K; what is left over sits
    the epoch out. An identity with fewer than K images gives one chunk, drawn with replacement.
    Each batch takes one chunk from P identities chosen at random among those that still have one;
    the epoch ends when fewer than P are left. The number of batches therefore varies a little.

    Identities are ordered by their first sample, so that renumbering labels changes nothing.
    """

    def __init__(
        self,
        labels: Sequence[int] | Indices,
        identities: int,
        images: int,
        seed: int,
        *,
        setting: str = "stages.<name>.batch",
    ) -> None:
        """Group samples by identity.

        Args:
            labels: Identity of each sample, (N,).
            identities: P, identities in a batch.
            images: K, images of each.
            seed: Randomness of all epochs.
            setting: Where the recipe sets P and K, for error messages.

        Raises:
            ConfigError: P or K is below 2; there would be no positive or no negative pair.
            DataError: There are fewer than P identities.
        """
        for name, value in (("identities", identities), ("images", images)):
            if value < 2:
                raise ConfigError(
                    f"{setting}.{name} is {value}; a batch balanced by identity needs at least 2 "
                    "identities with at least 2 images each."
                )
        labels = np.asarray(labels)
        _, first, sizes = np.unique(labels, return_index=True, return_counts=True)
        by_label = np.split(np.argsort(labels, kind="stable"), np.cumsum(sizes)[:-1])
        self._members = [by_label[i] for i in np.argsort(first)]
        present = len(self._members)
        if present < identities:
            advice = (
                f"Set {setting}.identities to at most {present}."
                if present >= 2
                else "Training to tell identities apart needs at least 2."
            )
            raise DataError(
                f"The training images show {counted(present, 'identity', 'identities')}, but each "
                f"batch asks for {identities}. {advice}"
            )
        self._identities = identities
        self._images = images
        self._seed = seed

    def batches(self, epoch: int) -> list[Indices]:
        """Return index arrays (P·K,), the K images of an identity next to each other."""
        rng = np.random.default_rng(derive_seed(self._seed, epoch))
        chunks = [self._chunks(members, rng) for members in self._members]
        left = np.array([len(rows) for rows in chunks])
        batches = []
        while len(available := np.flatnonzero(left)) >= self._identities:
            chosen = rng.choice(available, self._identities, replace=False)
            batches.append(np.concatenate([chunks[i][len(chunks[i]) - left[i]] for i in chosen]))
            left[chosen] -= 1
        return batches

    def _chunks(self, members: Indices, rng: np.random.Generator) -> Indices:
        """Shuffle one identity's samples into rows of K, (chunks, K)."""
        size = self._images
        if len(members) < size:
            return rng.choice(members, (1, size), replace=True)
        whole = len(members) // size * size
        return rng.permutation(members)[:whole].reshape(-1, size)
