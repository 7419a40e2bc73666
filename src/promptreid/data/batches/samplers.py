"""Which images make up each batch of an epoch.

A sampler answers with all batches of an epoch at once, from its seed and the epoch's number alone.
Starting in the middle of an epoch is then a slice, and two processes agree without talking.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from promptreid.errors import ConfigError, DataError

Indices = NDArray[np.int64]


class Sampler(Protocol):
    """Decides the batches of an epoch."""

    def batches(self, epoch: int) -> list[Indices]:
        """Return the sample indices of each batch, in order."""
        ...


def derive_seed(*parts: int) -> int:
    """Mix numbers into one seed; different tuples give unrelated seeds.

    The number of parts and the width of each are mixed in as well. NumPy's `SeedSequence` alone
    pads with zeros, so that it would not tell (1, 2) from (1, 2, 0).

    Args:
        parts: Integers in 0...2^64 - 1, such as a run's seed, the epoch, the batch.

    Returns:
        An integer in 0...2^63 - 1, good for NumPy and torch generators.

    Raises:
        ConfigError: A part is negative or too large.
    """
    words = [len(parts)]
    for part in parts:
        if not 0 <= part < 1 << 64:
            raise ConfigError(f"A seed is {part}; it must lie between 0 and 2^64 - 1.")
        words += [part & 0xFFFFFFFF, part >> 32]
    return int(np.random.SeedSequence(words).generate_state(1, np.uint64)[0]) >> 1


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
                f"The training images show {_counted(present)}, but each batch asks for "
                f"{identities}. {advice}"
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


class Uniform:
    """Every sample once an epoch, in random order."""

    def __init__(self, count: int, batch_size: int, seed: int, *, drop_last: bool = False) -> None:
        """Check the sizes.

        Args:
            count: N, samples to draw from.
            batch_size: Samples in a batch; the last batch holds the rest and is never empty.
            seed: Randomness of all epochs.
            drop_last: Leave the last batch out when it is smaller.

        Raises:
            ConfigError: `batch_size` is below 1.
            DataError: There are no samples, or too few for one batch where the rest is dropped.
        """
        _check_sizes(count, batch_size)
        if drop_last and count < batch_size:
            raise DataError(
                f"There are {count} images, fewer than one batch of {batch_size}, and the last "
                "batch is dropped, so that nothing is left to train on. Lower the batch size."
            )
        self._count = count
        self._batch_size = batch_size
        self._seed = seed
        self._drop_last = drop_last

    def batches(self, epoch: int) -> list[Indices]:
        """Return index arrays of `batch_size`, the last one perhaps smaller."""
        order = np.random.default_rng(derive_seed(self._seed, epoch)).permutation(self._count)
        if self._drop_last:
            order = order[: self._count // self._batch_size * self._batch_size]
        return _cut(order, self._batch_size)


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
            found = len(np.unique(labels[rows]))
            if min(identities, images) >= 2 and found < identities:
                advice = f" Set {setting}.identities to at most {found}, or leave it out."
                raise DataError(
                    f"Domain {called[place]} shows {_counted(found)}, but each batch asks for "
                    f"{identities} of every domain."
                    + (advice if found >= 2 else " Leave this domain out.")
                )
            own_seed = _domain_seed(seed, place)
            self._domains.append(
                IdentityBalanced(labels[rows], identities, images, own_seed, setting=setting)
            )

    def batches(self, epoch: int) -> list[Indices]:
        """Return index arrays (domains·P·K,), a domain's rows next to each other, as above."""
        passes = [own.batches(epoch) for own in self._domains]
        count = max(len(own) for own in passes)
        for own, batches in zip(self._domains, passes, strict=True):
            again = 1
            while len(batches) < count:
                batches += own.batches(derive_seed(epoch, again))
                again += 1
        return [
            np.concatenate([own[picked] for own, picked in zip(self._members, step, strict=True)])
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
        _check_sizes(len(domains), size)
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
            drawn.append(_cut(rows[order[:count]], self._size))
        return [np.concatenate(parts) for parts in zip(*drawn, strict=True)]


class Sequential:
    """Every sample once, in order: for embedding and caching."""

    def __init__(self, count: int, batch_size: int) -> None:
        """Check the sizes.

        Args:
            count: N, samples.
            batch_size: Samples in a batch; the last batch holds the rest and is never empty.

        Raises:
            ConfigError: `batch_size` is below 1.
            DataError: There are no samples.
        """
        _check_sizes(count, batch_size)
        self._count = count
        self._batch_size = batch_size

    def batches(self, epoch: int = 0) -> list[Indices]:
        """Return index arrays of `batch_size`, the same in every epoch."""
        return _cut(np.arange(self._count), self._batch_size)


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


def _cut(order: Indices, size: int) -> list[Indices]:
    return [order[start : start + size] for start in range(0, len(order), size)]


def _check_sizes(count: int, batch_size: int) -> None:
    if batch_size < 1:
        raise ConfigError(f"The batch size is {batch_size}; it must be at least 1.")
    if count < 1:
        raise DataError("There are no images to make batches of.")


def _counted(identities: int) -> str:
    return "1 identity" if identities == 1 else f"{identities or 'no'} identities"
