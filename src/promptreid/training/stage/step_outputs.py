"""What the loss terms of one step read, of the whole batch or of one of its domains."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property

import torch
from torch import Tensor

from promptreid.losses.loss_inputs import Outputs
from promptreid.models.heads.head import Head
from promptreid.transfer import HostRows, send


@dataclass(frozen=True, kw_only=True, eq=False)
class StepOutputs(Outputs):
    """One forward pass over a batch; texts and scores are computed once, when first asked for.

    Attributes:
        head: The head with the classifiers; None where the model has none.
        bank: (V, C, d) text features of all identities in all sentence variants, when they are not
            computed anew at every step, else None.
        text_learns: Whether prompts or the text tower learn, so that texts carry gradients.
    """

    head: Head | None = None
    bank: Tensor | None = None
    text_learns: bool = True
    _scores: dict[str, list[Tensor]] = field(default_factory=dict, init=False, repr=False)

    @cached_property
    def _after_neck(self) -> dict[str, Tensor]:
        if self.features is None or self.head is None:
            raise RuntimeError("Classifier scores need image features and a head.")
        return self.head.neck(self.features, self.host_labels)

    def scores(self, kind: str) -> list[Tensor]:
        """Return the scores of each classifier of a kind, (B, C) each."""
        if kind not in self._scores:
            after = self._after_neck
            assert self.head is not None
            self._scores[kind] = self.head.classify(after, kind)
        return self._scores[kind]

    def _encode(self, labels: Tensor, variants: Tensor) -> Tensor:
        if self.prompt is None:
            raise RuntimeError("Texts of identities need identity prompts.")
        return self.prompt(labels, variants)

    @cached_property
    def text(self) -> Tensor:
        """Text feature of each image's prompt, (B, d)."""
        if self.features is not None and "text" in self.features:
            return self.features["text"]
        if self.text_learns or self.bank is None:
            return self._encode(self.host_labels, self.batch.host_variants)
        return self.bank[send(self.batch.host_variants, self.bank.device), self.labels]

    @cached_property
    def identity_texts(self) -> Tensor:
        """Text features of all identities.

        (C, d); or (B, C, d) where the sentence depends on the sample, each sample's own kind.
        """
        variants = self.batch.host_variants
        if self.bank is not None:
            one = len(self.bank) == 1
            return self.bank[0] if one else self.bank[send(variants, self.bank.device)]
        everyone = torch.arange(0 if self.prompt is None else self.prompt.identities)
        distinct, where = variants.unique(return_inverse=True)
        rows = [self._encode(everyone, torch.full_like(everyone, int(v))) for v in distinct]
        return rows[0] if len(rows) == 1 else torch.stack(rows)[send(where, self.labels.device)]


@dataclass(frozen=True, kw_only=True, eq=False)
class DomainOutputs(Outputs):
    """The rows of one domain, as if its identities were all there are.

    Classifiers and texts of other domains take no part: their scores are left out, so that each
    domain has a classifier of its own over the identities it knows. No image is mixed with one of
    another domain.

    Attributes:
        whole: The pass over all domains.
        rows: The b rows of the domain in the batch.
        classes: Classes of the domain, which are neighbours.
    """

    whole: Outputs
    rows: HostRows
    classes: slice

    def select(self, values: Tensor) -> Tensor:
        """Return the rows of the domain."""
        return self.rows.of(values)

    @cached_property
    def labels(self) -> Tensor:
        """Class indices among those of the domain, (b,)."""
        return super().labels - self.classes.start

    @cached_property
    def host_labels(self) -> Tensor:
        """Class indices among those of the domain, (b,) on the CPU."""
        return super().host_labels - self.classes.start

    @property
    def text(self) -> Tensor:
        """Text feature of each image's prompt, (b, d)."""
        return self.rows.of(self.whole.text)

    @property
    def identity_texts(self) -> Tensor:
        """Text features of the domain's identities, (c, d) or (b, c, d)."""
        texts = self.whole.identity_texts
        if texts.ndim == 3:
            return texts[self.rows.on(texts.device), self.classes]
        return texts[self.classes]

    def scores(self, kind: str) -> list[Tensor]:
        """Return the scores over the domain's identities, (b, c) of each classifier."""
        scores = self.whole.scores(kind)
        return [each[self.rows.on(each.device), self.classes] for each in scores]


@dataclass(frozen=True)
class Domains:
    """Which classes belong to which domain, and how their losses add up.

    Attributes:
        names: Names of the K domains.
        of_class: (C,) domain number of each class, on the CPU; the classes of a domain are
            neighbours.
        reduce: "mean" or "sum" over the domains of a batch.
    """

    names: tuple[str, ...]
    of_class: Tensor
    reduce: str

    def split(self, outputs: Outputs) -> Iterator[tuple[int, Outputs]]:
        """Yield the number and the part of every domain that the batch holds.

        Where there is one domain its part is the batch itself, so that sums are taken in the same
        order and training is that without domains to the bit.
        """
        if len(self.names) == 1:
            yield 0, outputs
            return
        domains = self.of_class[outputs.host_labels]
        for number in range(len(self.names)):
            rows = HostRows.where(domains == number)
            if len(rows):
                yield (
                    number,
                    DomainOutputs(
                        batch=outputs.batch,
                        prompt=outputs.prompt,
                        states=outputs.states,
                        epoch=outputs.epoch,
                        views=outputs.views,
                        whole=outputs,
                        rows=rows,
                        classes=self._classes[number],
                    ),
                )

    @cached_property
    def _classes(self) -> list[slice]:
        counts = torch.bincount(self.of_class, minlength=len(self.names)).tolist()
        ends = [sum(counts[: number + 1]) for number in range(len(counts))]
        return [slice(end - count, end) for count, end in zip(counts, ends, strict=True)]
