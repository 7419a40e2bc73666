"""Sentences of a prompt: templates whose fields are filled from attributes of the data."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from promptreid.errors import ConfigError, unknown_name

CONTEXT = "context"
_FIELD = re.compile(r"\{([^{}]*)\}")


@dataclass(frozen=True)
class SentenceFields:
    """What fills the fields of a template besides `{context}`.

    Attributes:
        identity: Field to its value for each of C identities: attributes that are constant within
            an identity.
        variants: Distinct combinations of the fields that vary within an identity; one empty
            combination when none does.

    Raises:
        ConfigError: Identities differ in number from field to field, variants name different
            fields, a field is both, or a value is empty.
    """

    identity: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    variants: tuple[Mapping[str, str], ...] = ({},)

    def __post_init__(self) -> None:
        counts = {name: len(values) for name, values in self.identity.items()}
        if len(set(counts.values())) > 1:
            raise ConfigError(f"Each field needs one value per identity; got {counts}.")
        names = {tuple(sorted(variant)) for variant in self.variants}
        if len(names) != 1:
            raise ConfigError(
                f"All variants of a sentence must name the same fields; got {sorted(names)}."
            )
        both = set(self.identity) & set(self.variants[0])
        if both:
            raise ConfigError(
                f"The fields {sorted(both)} are given once per identity and as variants; "
                "give each once."
            )
        values = [value for column in self.identity.values() for value in column]
        values += [value for variant in self.variants for value in variant.values()]
        if not all(value.strip() for value in values):
            raise ConfigError("A field of a sentence has an empty value; give every value.")

    @property
    def names(self) -> tuple[str, ...]:
        """All fields there are."""
        return (*self.identity, *self.variants[0])

    def of_identity(self, number: int) -> dict[str, str]:
        """Return the values that one identity's sentences share."""
        return {name: values[number] for name, values in self.identity.items()}


def template_fields(templates: Iterable[str]) -> tuple[str, ...]:
    """Return the fields that templates name besides `{context}`, each once, in order.

    Raises:
        ConfigError: A brace is not closed, not opened, or encloses nothing.
    """
    fields = dict.fromkeys(name for template in templates for name in _read_fields(template))
    return tuple(name for name in fields if name != CONTEXT)


def fill_template(template: str, values: Mapping[str, str]) -> str:
    """Put values into a template. `{context}` stays unless a value is given for it.

    Underscores of a value become spaces, so that `dorsal_right` reads "dorsal right".

    Args:
        template: Sentence with fields in braces.
        values: Field to value.

    Raises:
        ConfigError: The template names a field without a value, or its braces do not match.
    """
    for name in _read_fields(template):
        if name not in values and name != CONTEXT:
            raise ConfigError(
                f"The template {template!r} cannot be filled. "
                + unknown_name("attribute", name, values)
            )

    def value(match: re.Match[str]) -> str:
        name = match[1].strip()
        if name not in values:
            return match[0]
        return " ".join(values[name].replace("_", " ").split())

    return _FIELD.sub(value, template)


def fill_prompts(
    templates: Sequence[str], fields: SentenceFields, *, identities: int, ensemble: int
) -> tuple[list[str], list[list[list[int]]]]:
    """Write the sentences of all prompts, E for each of C identities.

    The prompts of an ensemble take the templates in turn.

    Returns:
        The distinct sentences, `{context}` left in them, and the number of each prompt's, by
        variant, identity and member of the ensemble (V, C, E).

    Raises:
        ConfigError: A template names a field that is not given, or its braces do not match.
    """
    number_by_sentence: dict[str, int] = {}
    named = bool(template_fields(templates))
    numbers = []
    for varying in fields.variants:
        row: list[list[int]] = []
        for identity in range(identities):
            if row and not named:  # all identities read alike
                row.append(row[0])
                continue
            values = {**fields.of_identity(identity), **varying} if named else {}
            filled = [fill_template(template, values) for template in templates]
            chosen = [
                number_by_sentence.setdefault(sentence, len(number_by_sentence))
                for sentence in filled
            ]
            row.append([chosen[member % len(chosen)] for member in range(ensemble)])
        numbers.append(row)
    return list(number_by_sentence), numbers


def fill_init(init: str, fields: SentenceFields, *, identities: int, shared: bool) -> list[str]:
    """Write the words that learned tokens start from, with fields constant within an identity.

    Returns:
        One sentence for each identity, or one for all when tokens are shared.

    Raises:
        ConfigError: A field is not given, varies within an identity or is `{context}`, or shared
            tokens would start differently for different identities.
    """
    names = _read_fields(init)
    varying = [name for name in names if name in fields.variants[0]]
    if varying or CONTEXT in names:
        reason = "{context} is what starts"
        if varying:
            reason = f"{varying[0]!r} varies within an identity"
        raise ConfigError(
            f"The learned tokens cannot start from {init!r} (prompt.init): {reason}. Leave it out."
        )
    starts = [fill_template(init, fields.of_identity(number)) for number in range(identities)]
    if shared and len(set(starts)) > 1:
        raise ConfigError(
            f"Shared context tokens have one beginning, but {init!r} (prompt.init) reads "
            "differently for each identity. Leave its fields out."
        )
    return starts[:1] if shared else starts


def split_fields(
    columns: Mapping[str, Sequence[str]], labels: Sequence[int], identities: int
) -> tuple[SentenceFields, list[int]]:
    """Split fields into those that are constant within each identity and those that vary.

    Args:
        columns: Field to its value for each of N samples.
        labels: Identity number of each sample, (N,).
        identities: Number of identities, each with at least one sample.

    Returns:
        The fields, with variants in sorted order, and which variant each sample goes with, (N,).
    """
    constant: dict[str, tuple[str, ...]] = {}
    varying: list[str] = []
    for name, values in columns.items():
        seen: dict[int, str] = {}
        if all(seen.setdefault(label, v) == v for label, v in zip(labels, values, strict=True)):
            constant[name] = tuple(seen[number] for number in range(identities))
        else:
            varying.append(name)
    if not varying:
        return SentenceFields(identity=constant), [0] * len(labels)
    rows = list(zip(*(columns[name] for name in varying), strict=True))
    distinct = sorted(set(rows))
    numbers = {row: number for number, row in enumerate(distinct)}
    variants = tuple(dict(zip(varying, row, strict=True)) for row in distinct)
    return SentenceFields(constant, variants), [numbers[row] for row in rows]


def _read_fields(template: str) -> list[str]:
    """Return the fields of a template, in order, `{context}` among them."""
    rest = _FIELD.sub("", template)
    names = [name.strip() for name in _FIELD.findall(template)]
    if "{" in rest or "}" in rest or not all(names):
        raise ConfigError(
            f"In the template {template!r} a brace is not closed, not opened, or encloses nothing. "
            "Write fields as {name}."
        )
    return names
