"""Heads: what a model adds to the image tower's features, and identity scores of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from promptreid.config.base import CLASSIFIERS
from promptreid.errors import ConfigError, unknown_name
from promptreid.models.heads.classifiers import build_classifier
from promptreid.models.heads.necks import DomainNeck, shared_neck
from promptreid.models.heads.parts import Parts, build_parts
from promptreid.models.heads.projection import Mlp, Reduction
from promptreid.models.towers.image_tower import FEATURES, ImageFeatures, ImageTower


class Head(nn.Module):
    """Further features, batch-norm necks and classifiers.

    A feature that is classified passes its neck first (BNNeck, Luo et al., CVPRW 2019). The neck's
    shift stays at zero and linear classifiers have no bias, so that identities are separated by
    directions through the origin. Scores never depend on labels; margins belong to the losses.

    Attributes:
        widths: Sizes of all named features: the tower's three, then those made here.
        features: Names of those that are classified.
        kinds: Kinds of classifiers, each of which there is for every feature of `features`.
    """

    def __init__(
        self,
        widths: Mapping[str, int],
        identities: int,
        *,
        features: Sequence[str] = ("final", "projected"),
        neck: bool = True,
        domains: Sequence[int] | None = None,
        classifiers: Sequence[str] = ("linear",),
        dropout: float = 0.0,
        mlp: Mlp | None = None,
        reduction: Reduction | None = None,
        parts: Parts | None = None,
        generator: torch.Generator | None = None,
    ) -> None:
        """Build necks and classifiers.

        The many arguments are the parts of a head that a recipe chooses, each by itself.

        Args:
            widths: Sizes of the image tower's three features by name, and of any others that
                `derive` is given.
            identities: Number of classes; 0 for a head that only makes features.
            features: What is classified, in the order of the scores.
            neck: Whether classified features pass a batch norm first.
            domains: Number of the domain of each class, to have necks of each domain's own; None
                for necks that all images share.
            classifiers: Kinds out of linear, arcface, cosface and circle.
            dropout: Share of values dropped before the classifiers while training.
            mlp: Makes the feature `mlp`.
            reduction: Makes the feature `reduced`.
            parts: Makes the features of its stripes.
            generator: Source of the initial classifiers; None for a generator with seed 0.

        Raises:
            ConfigError: A feature or a kind is unknown or named twice, a number is out of its
                range, or there are classes but nothing to classify.
        """
        super().__init__()
        self._given = {**{name: widths[name] for name in FEATURES}, **widths}
        self.mlp, self.reduction, self.parts = mlp, reduction, parts
        self.widths = {**self._given, **self._made()}
        _check(self.widths, identities, features, classifiers, dropout)
        self.identities = identities
        self.features = tuple(features)
        self.kinds = tuple(classifiers) if identities else ()
        self.dropout = nn.Dropout(dropout)
        self.necks = nn.ModuleDict()
        self._domains = None if domains is None or not neck else tuple(domains)
        count = 1 + max(self._domains) if self._domains else 0
        for name in self.features if neck else ():
            width = self.widths[name]
            self.necks[name] = DomainNeck(width, count) if count else shared_neck(width)
        generator = generator or torch.Generator().manual_seed(0)
        self.classifiers = nn.ModuleDict()
        for kind in self.kinds:
            self.classifiers[kind] = nn.ModuleDict(
                {
                    name: build_classifier(kind, self.widths[name], identities, generator=generator)
                    for name in self.features
                }
            )

    @property
    def needs_tokens(self) -> bool:
        """Whether `derive` reads the tower's tokens, so that it must be asked for them."""
        return self.parts is not None

    def derive(
        self, features: ImageFeatures, others: Mapping[str, Tensor] | None = None
    ) -> dict[str, Tensor]:
        """Return all named features, (B, size) each, in the order of `widths`.

        Args:
            features: What the tower gave, with tokens if `needs_tokens`.
            others: Features beside the tower's, by name.

        Raises:
            ModelError: Tokens are needed and missing, or of another image size.
        """
        derived = {**{name: features[name] for name in FEATURES}, **(others or {})}
        if self.mlp is not None:
            derived["mlp"] = self.mlp(derived[self.mlp.of])
        if self.reduction is not None:
            derived["reduced"] = self.reduction(derived[self.reduction.of])
        if self.parts is not None:
            derived |= self.parts(features)
        return derived

    def neck(
        self, derived: Mapping[str, Tensor], labels: Tensor | None = None
    ) -> dict[str, Tensor]:
        """Return the classified features after their necks, by name; unchanged without necks.

        While training, each call moves the necks' running statistics.

        Args:
            derived: What `derive` returned.
            labels: (B,) class of each row, which tells its domain; needed where each of several
                domains has necks of its own.

        Raises:
            ModelError: The domain is needed and cannot be told.
        """
        side = ()
        if self._domains is not None:
            domains = None
            if labels is not None:
                domains = torch.tensor(self._domains, device=labels.device)[labels]
            side = (domains,)
        return {
            name: self.necks[name](derived[name], *side) if name in self.necks else derived[name]
            for name in self.features
        }

    def scores(
        self, derived: Mapping[str, Tensor], kind: str, labels: Tensor | None = None
    ) -> list[Tensor]:
        """Classify the features that `derive` returns.

        Args:
            derived: Features by name.
            kind: Of the classifiers.
            labels: As for `neck`; scores do not depend on them beyond the domain.

        Returns:
            (B, identities) scores of each classified feature: logits if `kind` is linear, else
            float32 cosines.

        Raises:
            ConfigError: The head has no such classifiers.
            ModelError: As `neck`.
        """
        return self.classify(self.neck(derived, labels), kind)

    def classify(self, after: Mapping[str, Tensor], kind: str) -> list[Tensor]:
        """Classify what `neck` returned; so several kinds can share one pass of the necks."""
        if kind not in self.kinds:
            raise ConfigError(unknown_name("kind of classifier in this head", kind, self.kinds))
        layers = self.classifiers.get_submodule(kind)
        return [layers.get_submodule(name)(self.dropout(after[name])) for name in self.features]

    def describe(self) -> dict[str, Any]:
        """Return what `restore` needs, JSON-ready."""
        return {
            "widths": dict(self._given),
            "identities": self.identities,
            "features": list(self.features),
            "neck": bool(self.necks),
            "domains": None if self._domains is None else list(self._domains),
            "classifiers": list(self.kinds),
            "dropout": self.dropout.p,
            "mlp": None if self.mlp is None else self.mlp.describe(),
            "reduction": None if self.reduction is None else self.reduction.describe(),
            "parts": None if self.parts is None else self.parts.describe(),
        }

    @classmethod
    def restore(cls, description: Mapping[str, Any], tower: ImageTower) -> Head:
        """Build a head of a description, ready for its weights.

        Args:
            description: What `describe` returned.
            tower: The image tower, which gives part branches their shapes.
        """
        options = dict(description)
        widths, identities = options.pop("widths"), options.pop("identities")
        mlp, reduction, parts = (options.pop(name) for name in ("mlp", "reduction", "parts"))
        return cls(
            widths,
            identities,
            mlp=None if mlp is None else Mlp(widths, **mlp),
            reduction=None if reduction is None else Reduction(widths, **reduction),
            parts=None if parts is None else build_parts(tower, **parts),
            **options,
        )

    def _made(self) -> dict[str, int]:
        made = {} if self.mlp is None else {"mlp": self.mlp.width}
        if self.reduction is not None:
            made["reduced"] = self.reduction.width
        return made if self.parts is None else made | self.parts.widths


def _check(
    widths: Mapping[str, int],
    identities: int,
    features: Sequence[str],
    classifiers: Sequence[str],
    dropout: float,
) -> None:
    for kind, names, known in (
        ("image feature", features, tuple(widths)),
        ("kind of classifier", classifiers, CLASSIFIERS),
    ):
        for name in names:
            if name not in known:
                raise ConfigError(unknown_name(kind, name, known))
        if len(set(names)) != len(names):
            raise ConfigError(f"A head takes each {kind} once, got {list(names)}.")
    if identities < 0 or not 0 <= dropout < 1:
        raise ConfigError(
            f"A head takes a number of identities from 0 and a dropout in [0, 1), got {identities} "
            f"and {dropout}."
        )
    if identities and classifiers and not features:
        raise ConfigError(
            "A classifier needs at least one feature. Name some, or take a head without "
            "classifiers."
        )
