"""Sentences that count in the similarity of two images, beside how these look."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from promptreid.data.manifest.manifest import Manifest
from promptreid.errors import EvaluationError

Templates = Mapping[str, Sequence[str]]


@dataclass(frozen=True)
class SentenceShare:
    """How much of the similarity of two images comes from sentences, and from which.

    Attributes:
        share: s in (0, 1); images have the rest.
        templates: Attribute to sentences with its name as a field; none where nothing that differs
            between the images can be asked for.
    """

    share: float
    templates: Templates

    def __post_init__(self) -> None:
        if not 0 < self.share < 1:
            raise EvaluationError(
                f"The share of sentences in the similarity is {self.share:g}; it must lie between "
                "0 and 1, both excluded."
            )

    @classmethod
    def of(cls, share: float, templates: Templates) -> SentenceShare | None:
        """Give a share to the sentences of a recipe; None for a share of zero.

        Raises:
            EvaluationError: The share is no share, or the recipe has no sentences.
        """
        if share and not templates:
            raise EvaluationError(
                "Sentences are to have a share in the similarity, but the recipe of these weights "
                "has none. Make a run with zero_shot.attributes, as the recipe zero-shot/hand has "
                "them, or leave --sentences and evaluation.sentences out."
            )
        return cls(share, templates) if share else None

    def usable(self, manifest: Manifest) -> SentenceShare:
        """Keep the attributes that differ between these images; without any, images count alone.

        An attribute that the data lack, or that has one value, cannot tell images apart.
        """
        usable = {
            name: sentences
            for name, sentences in self.templates.items()
            if len({value for value in manifest.attributes.get(name, ()) if value}) > 1
        }
        return replace(self, templates=usable)

    def to_dict(self) -> dict[str, Any]:
        """Return what stands in `scores.json`."""
        return {"share": self.share, "attributes": list(self.templates)}
