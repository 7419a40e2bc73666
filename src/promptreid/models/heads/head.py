"""Heads: what a model adds to the image tower's features, and identity scores of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

import torch
from pydantic import NonNegativeInt
from torch import Tensor, nn

from promptreid.config.base import CLASSIFIERS, TOWER_FEATURES
from promptreid.config.model import HeadConfig
from promptreid.errors import ConfigError, unknown_name
from promptreid.models.heads.classifiers import build_classifier
from promptreid.models.heads.head_part import HeadPart
from promptreid.models.heads.necks import DomainNeck, shared_neck
from promptreid.models.heads.parts import build_parts
from promptreid.models.heads.projection import Mlp, Reduction
from promptreid.models.model_part import ModelPart, PartShape
from promptreid.models.towers.image_tower import ImageFeatures, ImageTower

HEAD_PARTS: Mapping[str, Callable[..., HeadPart]] = MappingProxyType(
    {"mlp": Mlp, "reduction": Reduction, "parts": build_parts}
)
"""Builders of further features by their key in a recipe's `head`, in their order; see `HeadPart`.
"""


class HeadShape(PartShape):
    """What the data and the losses decided about a head.

    Attributes:
        identities: Number of classes; 0 for a head that only makes features.
        classifiers: Kinds of classifiers that there are for every classified feature.
        domains: Number of the domain of each class, to have necks of each domain's own; None for
            necks that all images share.
    """

    identities: NonNegativeInt
    classifiers: tuple[str, ...] = ("linear",)
    domains: tuple[int, ...] | None = None


class Head(ModelPart):
    """Further features, batch-norm necks and classifiers.

    A feature that is classified passes its neck first (BNNeck, Luo et al., CVPRW 2019). The neck's
    shift stays at zero and linear classifiers have no bias, so that identities are separated by
    directions through the origin. Scores never depend on labels; margins belong to the losses.

    Attributes:
        widths: Sizes of all named features: the tower's three, then those made here.
        features: Names of those that are classified.
        kinds: Kinds of classifiers that there are for every feature of `features`.
        makers: Parts that make further features, by their key in a recipe's `head`.
    """

    Options = HeadConfig
    Shape = HeadShape
    options: HeadConfig
    shape: HeadShape

    def __init__(
        self,
        options: HeadConfig,
        shape: HeadShape,
        widths: Mapping[str, int],
        *,
        tower: ImageTower | None = None,
        generator: torch.Generator | None = None,
    ) -> None:
        """Build parts, necks and classifiers.

        Args:
            options: What a recipe says of the head.
            shape: What the data and the losses decided.
            widths: Sizes by name of the tower's three features and of others given to `derive`.
            tower: The image tower; part branches need it.
            generator: Source of the initial weights; None for a generator with seed 0.

        Raises:
            ConfigError: A feature or a kind of classifier is unknown or named twice.
            ModelError: The tower cannot have the part branches.
        """
        super().__init__(options, shape)
        generator = generator or torch.Generator().manual_seed(0)
        self.widths = {**{name: widths[name] for name in TOWER_FEATURES}, **widths}
        self.makers: dict[str, HeadPart] = {}
        for name, build in HEAD_PARTS.items():
            part_options = getattr(options, name, None)
            if part_options is not None:
                self.makers[name] = build(part_options, self.widths, tower, generator)
                self.add_module(name, self.makers[name])
        for maker in self.makers.values():
            self.widths |= maker.widths
        self.features = options.features
        _check_names("image feature", self.features, tuple(self.widths))
        _check_names("kind of classifier", shape.classifiers, CLASSIFIERS)
        self.kinds = shape.classifiers if shape.identities else ()
        self.dropout = nn.Dropout(options.dropout)
        self.necks = nn.ModuleDict()
        neck = options.kind == "bnneck" and bool(shape.classifiers)
        self._domains = shape.domains if neck else None
        count = 1 + max(self._domains) if self._domains else 0
        for name in self.features if neck else ():
            width = self.widths[name]
            self.necks[name] = DomainNeck(width, count) if count else shared_neck(width)
        self.classifiers = nn.ModuleDict()
        for kind in self.kinds:
            self.classifiers[kind] = nn.ModuleDict(
                {
                    name: build_classifier(
                        kind, self.widths[name], shape.identities, generator=generator
                    )
                    for name in self.features
                }
            )

    @property
    def needs_tokens(self) -> bool:
        """Whether `derive` reads the tower's tokens, so that it must be asked for them."""
        return any(maker.needs_tokens for maker in self.makers.values())

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
        derived = {**features.by_name(), **(others or {})}
        before = dict(derived)
        for maker in self.makers.values():
            derived |= maker(features, before)
        return derived

    def neck(
        self, derived: Mapping[str, Tensor], labels: Tensor | None = None
    ) -> dict[str, Tensor]:
        """Return the classified features after their necks, by name; unchanged without necks.

        While training, each call moves the necks' running statistics.

        Args:
            derived: What `derive` returned.
            labels: (B,) class of each row, which tells its domain; needed where each of several
                domains has necks of its own. On the CPU, so that nobody waits for a device.

        Raises:
            ModelError: The domain is needed and cannot be told.
        """
        side = ()
        if self._domains is not None:
            domains = None
            if labels is not None:
                domains = torch.tensor(self._domains)[labels.cpu()]
            side = (domains,)
        return {
            name: self.necks[name](derived[name], *side) if name in self.necks else derived[name]
            for name in self.features
        }

    def scores(
        self, derived: Mapping[str, Tensor], kind: str, labels: Tensor | None = None
    ) -> list[Tensor]:
        """Classify the features that `derive` returns, by the classifiers of a kind.

        Labels are those of `neck`; scores do not depend on them beyond the domain.

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


def _check_names(kind: str, names: Sequence[str], known: Sequence[str]) -> None:
    for name in names:
        if name not in known:
            raise ConfigError(unknown_name(kind, name, known))
    if len(set(names)) != len(names):
        raise ConfigError(f"A head takes each {kind} once, got {list(names)}.")
