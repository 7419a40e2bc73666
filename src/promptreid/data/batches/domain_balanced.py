"""Batches with images of every domain."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from promptreid.data.batches.identity_balanced import IdentityBalanced
from promptreid.data.batches.samplers import Indices, check_sizes, cut_batches
from promptreid.errors import DataError
from promptreid.seeds import derive_seed
from promptreid.text.lists import counted


class DomainBalanced:
    """P identities with K images each of every domain in every batch, domain after domain.

    Within a domain the batches are those of `IdentityBalanced`. The domain with the most batches
    sets the length of the epoch; the others begin again, reshuffled, until they have as many. The
    first domain draws as it would alone, so that with one domain nothing changes.
    """

    def __init__(
        self,
        labels: Sequence[int] | Indices,
        domains: Sequence[int] | Indices,
        identities: int,
        images: int,
        seed: int,
        *,
        setting: str = "stages.<name>.batch",
        names: Sequence[str] = (),
    ) -> None:
        """Group samples by domain, and within each by identity.

        Args:
            labels: Identity of each sample, (N,).
            domains: Domain of each sample, (N,); a batch holds them in ascending order.
            identities: P, identities of each domain in a batch.
            images: K, images of each identity.
            seed: Randomness of all epochs.
            setting: Where the recipe sets P and K, for error messages.
            names: What domain 0, 1, ... is called, for error messages.

        Raises:
            ConfigError: P or K is below 2; there would be no positive or no negative pair.
            DataError: A domain has fewer than P identities, an identity is in two domains, or
                there are no samples.
        """
        labels = np.asarray(labels, np.int64)
        members = _by_domain(domains, len(labels))
        called = [names[domain] if domain < len(names) else str(domain) for domain in members]
        self._members = list(members.values())
        _check_apart(labels, called, self._members)
        self._domains = []
        for place, rows in enumerate(self._members):
            present = len(np.unique(labels[rows]))
            if min(identities, images) >= 2 and present < identities:
                advice = f" Set {setting}.identities to at most {present}, or leave it out."
                raise DataError(
                    f"Domain {called[place]} shows {counted(present, 'identity', 'identities')}, "
                    f"but each batch asks for {identities} of every domain."
                    + (advice if present >= 2 else " Leave this domain out.")
                )
            own_seed = _domain_seed(seed, place)
            self._domains.append(
                IdentityBalanced(labels[rows], identities, images, own_seed, setting=setting)
            )

    def batches(self, epoch: int) -> list[Indices]:
        """Return index arrays (domains·P·K,), a domain's rows next to each other, as above."""
        passes = [domain.batches(epoch) for domain in self._domains]
        count = max(len(batches) for batches in passes)
        for domain, batches in zip(self._domains, passes, strict=True):
            again = 1
            while len(batches) < count:
                batches += domain.batches(derive_seed(epoch, again))
                again += 1
        return [
            np.concatenate([rows[picked] for rows, picked in zip(self._members, step, strict=True)])
            for step in zip(*(batches[:count] for batches in passes), strict=True)
        ]


class DomainUniform:
    """The same number of random images of every domain in every batch, domain after domain.

    An epoch shows each image of the largest domain once, and as many images of every other domain,
    which is shuffled anew each time it is used up. The last batch of an epoch may be smaller, for
    all domains alike. With one domain the batches are those of `Uniform`.
    """

    def __init__(self, domains: Sequence[int] | Indices, size: int, seed: int) -> None:
        """Group samples by domain.

        Args:
            domains: Domain of each sample, (N,); a batch holds them in ascending order.
            size: Samples of each domain in a batch. In a domain with fewer, samples come twice.
            seed: Randomness of all epochs.

        Raises:
            ConfigError: `size` is below 1.
            DataError: There are no samples.
        """
        check_sizes(len(domains), size)
        self._members = list(_by_domain(domains, len(domains)).values())
        self._size = size
        self._seed = seed

    def batches(self, epoch: int) -> list[Indices]:
        """Return index arrays (domains·size,), the last one perhaps smaller."""
        count = max(len(rows) for rows in self._members)
        drawn = []
        for place, rows in enumerate(self._members):
            rng = np.random.default_rng(derive_seed(_domain_seed(self._seed, place), epoch))
            passes = -(-count // len(rows))
            order = np.concatenate([rng.permutation(len(rows)) for _ in range(passes)])
            drawn.append(cut_batches(rows[order[:count]], self._size))
        return [np.concatenate(parts) for parts in zip(*drawn, strict=True)]


def _by_domain(domains: Sequence[int] | Indices, count: int) -> dict[int, Indices]:
    """Return the samples of each domain, domains ascending."""
    if count < 1:
        raise DataError("There are no images to make batches of.")
    domains = np.asarray(domains, np.int64)
    if domains.shape != (count,):
        raise DataError(f"{count} images need {count} domains, one each; got {domains.size}.")
    return {int(domain): np.flatnonzero(domains == domain) for domain in np.unique(domains)}


def _check_apart(labels: Indices, names: Sequence[str], members: Sequence[Indices]) -> None:
    """Refuse labels that two domains share."""
    seen: dict[int, str] = {}
    for name, rows in zip(names, members, strict=True):
        for label in np.unique(labels[rows]).tolist():
            if label in seen:
                raise DataError(
                    f"Label {label} is in domain {seen[label]} and in domain {name}; an identity "
                    "belongs to one domain, so number the identities of all domains apart."
                )
            seen[label] = name


def _domain_seed(seed: int, place: int) -> int:
    """Give each domain draws of its own; the first one keeps the seed, as if it were alone."""
    return derive_seed(seed, place) if place else seed
