"""Training rows of one or several data sets, with class indices and side-information rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from promptreid.data.data_set_names import name_data_sets
from promptreid.data.dataset import DataSet
from promptreid.data.images.boxes import ImageSource
from promptreid.data.manifest.manifest import Manifest
from promptreid.data.manifest.name_order import sort_names
from promptreid.data.same_data import check_distinct, source_of
from promptreid.data.side_information import Side, table_rows, table_values
from promptreid.data.splits.validation import Kind, Validation, make_validation
from promptreid.errors import DataError, unknown_name
from promptreid.models.prompts.sentences import SentenceFields, split_fields

Ints = npt.NDArray[np.int64]
IDENTITY = "identity"
"""Field of a prompt that is filled with the identity's own name."""


@dataclass(frozen=True)
class TrainingData:
    """What the trainer learns from, and what chooses its best checkpoint.

    Attributes:
        images: Where the images are, (N,).
        labels: (N,) class index of each image.
        cameras: (N,) row of the camera table, -1 where unknown.
        views: (N,) row of the view table, -1 where unknown.
        variants: (N,) which of `fields.variants` each image's sentence takes.
        classes: Identity of each class, after its data set and domain when there are several; data
            sets of one name are told apart by their folders.
        class_domains: (C,) number of the domain each class belongs to.
        domains: Names of the domains: data sets, and the parts of one that holds several.
        camera_values: Camera of each row of the camera table: its name, or its data set and name
            where there are several data sets.
        view_values: View of each row of the view table, or the attribute's value where an attribute
            stands for the view.
        fields: What fills the fields of prompts, for each class and each variant.
        validations: Validation images of each data set that has some.
        fingerprint: One hash over the training rows of all data sets.
    """

    images: tuple[ImageSource, ...]
    labels: Ints
    cameras: Ints
    views: Ints
    variants: Ints
    classes: tuple[str, ...]
    class_domains: Ints
    domains: tuple[str, ...]
    camera_values: tuple[Side, ...]
    view_values: tuple[Side, ...]
    fields: SentenceFields
    validations: tuple[Validation, ...]
    fingerprint: str

    def __len__(self) -> int:
        return len(self.images)


def training_data(
    datasets: Sequence[DataSet],
    *,
    validation: Kind,
    fraction: float,
    seed: int,
    fields: Sequence[str] = (),
    per_image: bool = False,
    side_attribute: str | None = None,
) -> TrainingData:
    """Gather the training rows of all data sets; identities of different data sets never collide.

    Classes are ordered by data set, then by ascending identity, so that classifier rows do not
    depend on the order of files in a folder.

    Args:
        datasets: What `--data` named, in order.
        validation: "auto", "images", "identities" or "none".
        fraction: Part of the identities to hold out for "identities".
        seed: Seed by which validation images are drawn.
        fields: Attributes that prompts name. Those that are constant within every class fill its
            sentences; combinations of the others are the sentence's variants.
        per_image: The sentences belong to images, not to identities: every field that is not the
            same for all images makes variants.
        side_attribute: Attribute whose values stand for views; None for the views of the data.

    Raises:
        DataError: Data sets are the same or share images; there is no training image, or fewer than
            two identities; or a data set lacks an attribute that is asked for, or a value that a
            sentence needs.
    """
    rows = _Rows()
    several = len(datasets) > 1
    check_distinct(datasets)
    places = [source_of(dataset.spec, dataset.manifest.name).place for dataset in datasets]
    named = name_data_sets(places)
    for dataset, place in zip(datasets, places, strict=True):
        manifest, held = make_validation(dataset, kind=validation, fraction=fraction, seed=seed)
        _check_attributes(dataset, manifest, fields, side_attribute)
        label = named[place] if several else None
        rows.add(manifest, label=label, fields=fields, side=side_attribute)
        if held is not None:
            rows.validations.append(held)
    classes = rows.classes
    if len(classes) < 2:
        raise DataError(
            f"Training needs at least two identities; {_list_specs(datasets)} has {len(classes)} "
            f"with {len(rows.images)} training images. Run `promptreid data inspect` on it."
        )
    index = {name: row for row, name in enumerate(classes)}
    labels = [index[name] for name in rows.names]
    owners, count = ([0] * len(labels), 1) if per_image else (labels, len(classes))
    sentence_fields, variants = split_fields(rows.columns, owners, count)
    camera_values, view_values = table_values(rows.cameras), table_values(rows.views)
    return TrainingData(
        images=tuple(rows.images),
        labels=np.array(labels, dtype=np.int64),
        cameras=table_rows(rows.cameras, camera_values),
        views=table_rows(rows.views, view_values),
        variants=np.array(variants, dtype=np.int64),
        classes=tuple(classes),
        class_domains=np.array(rows.class_domains, dtype=np.int64),
        domains=tuple(rows.domains),
        camera_values=camera_values,
        view_values=view_values,
        fields=sentence_fields,
        validations=tuple(rows.validations),
        fingerprint="+".join(rows.prints),
    )


@dataclass
class _Rows:
    """Training rows of the data sets so far."""

    images: list[ImageSource] = field(default_factory=list)
    names: list[str] = field(default_factory=list)
    classes: list[str] = field(default_factory=list)
    class_domains: list[int] = field(default_factory=list)
    domains: list[str] = field(default_factory=list)
    cameras: list[Side | None] = field(default_factory=list)
    views: list[Side | None] = field(default_factory=list)
    columns: dict[str, list[str]] = field(default_factory=dict)
    validations: list[Validation] = field(default_factory=list)
    prints: list[str] = field(default_factory=list)

    def add(
        self,
        manifest: Manifest,
        *,
        label: str | None,
        fields: Sequence[str],
        side: str | None,
    ) -> None:
        """Take in the rows of one data set; its label tells it from others where there are some."""
        prefix = "" if label is None else f"{label}/"
        for domain, classes in _classes_by_domain(manifest, prefix).items():
            self.classes += classes
            self.class_domains += [len(self.domains)] * len(classes)
            self.domains.append(domain)
        self.names += _class_names(manifest, prefix)
        self.images += manifest.images()
        # Camera 1 of one site is not camera 1 of another.
        self.cameras += (
            name if label is None or name is None else (label, name) for name in manifest.cameras
        )
        self.views += manifest.views if side is None else manifest.attributes[side]
        for name in fields:
            self.columns.setdefault(name, []).extend(_field_values(manifest, name))
        self.prints.append(manifest.fingerprint())


def _check_attributes(
    dataset: DataSet, manifest: Manifest, fields: Sequence[str], side: str | None
) -> None:
    """Refuse attributes that the data lack, and values that are missing in a sentence."""
    asked = dict.fromkeys(fields, "A prompt names it.")
    if side is not None:
        asked[side] = "The recipe's sie.attribute names it."
    for name, by in asked.items():
        if name not in manifest.attributes and name != IDENTITY:
            known = unknown_name(f"attribute of {dataset.spec}", name, manifest.attributes)
            raise DataError(f"{known} {by}")
    for name in fields:
        values = _field_values(manifest, name)
        missing = [row for row, value in enumerate(values) if not value.strip()]
        if missing:
            raise DataError(
                f"A prompt names the attribute {name!r}, but {len(missing)} of {len(manifest)} "
                f"training images of {dataset.spec} have no value for it, among them "
                f"{manifest.paths[missing[0]]}. Fill them in, or leave the field out."
            )


def _field_values(manifest: Manifest, name: str) -> Sequence[str]:
    """Return what a field of a sentence says of each image."""
    if name == IDENTITY and name not in manifest.attributes:
        return manifest.identities
    return manifest.attributes[name]


def _class_names(manifest: Manifest, prefix: str) -> list[str]:
    """Name each row's class; the domain is part of it where a manifest holds several."""
    if len(set(manifest.domains)) == 1:
        return [prefix + identity for identity in manifest.identities]
    return [f"{prefix}{domain}/{identity}" for domain, identity in manifest.identity_keys()]


def _classes_by_domain(manifest: Manifest, prefix: str) -> dict[str, list[str]]:
    """Return the classes of each domain by ascending identity."""
    members: dict[str, set[str]] = {}
    for domain, identity in manifest.identity_keys():
        members.setdefault(domain, set()).add(identity)
    several = len(members) > 1
    classes: dict[str, list[str]] = {}
    for domain in sorted(members):
        start = f"{prefix}{domain}/" if several else prefix
        name = start.removesuffix("/") if several or prefix else manifest.name
        classes[name] = [start + identity for identity in sort_names(members[domain])]
    return classes


def _list_specs(datasets: Sequence[DataSet]) -> str:
    return ", ".join(dataset.spec for dataset in datasets)
