"""What a manifest may hold, and the rule that training never sees test data."""

from __future__ import annotations

from collections.abc import Callable

from promptreid.data.images.boxes import BOX_COLUMN
from promptreid.data.manifest.sample_columns import (
    CORE_COLUMNS,
    PLURALS,
    SPLITS,
    TEST_SPLITS,
    TRAINING_SPLITS,
    SampleColumns,
)
from promptreid.errors import DataError


def check_manifest(table: SampleColumns) -> None:
    """Check everything that `Manifest` promises.

    Raises:
        DataError: The same as for `Manifest`.
    """
    _check_lengths(table)
    _check_values(table)
    _check_paths(table)
    _check_leaks(table)


def _check_lengths(table: SampleColumns) -> None:
    count = len(table.paths)
    if count == 0:
        raise DataError(f"Data set {table.name!r} has no samples.")
    lengths = {name: len(getattr(table, name)) for name in PLURALS.values()}
    lengths["boxes"] = len(table.boxes)
    lengths |= {f"attribute {key!r}": len(column) for key, column in table.attributes.items()}
    wrong = [f"{name} has {length}" for name, length in lengths.items() if length != count]
    if wrong:
        raise DataError(
            f"All columns need {count} values, one for each path, but {', '.join(wrong)}."
        )
    taken = (*CORE_COLUMNS, BOX_COLUMN)
    clash = [key for key in table.attributes if key in taken or not key.strip()]
    if clash:
        raise DataError(
            f"An attribute cannot be named {clash[0]!r}; empty names and {', '.join(taken)} are "
            "taken."
        )


def _check_values(table: SampleColumns) -> None:
    def is_name(value: object) -> bool:
        return isinstance(value, str) and value != "" and value == value.strip()

    def is_name_or_none(value: object) -> bool:
        return value is None or is_name(value)

    rules: tuple[tuple[str, Callable[[object], bool], str], ...] = (
        ("identities", is_name, "a non-empty name without space around it"),
        ("domains", is_name, "a non-empty name without space around it"),
        ("cameras", is_name_or_none, "a name without space around it, or None where unknown"),
        ("views", is_name_or_none, "a name without space around it, or None where unknown"),
        ("splits", lambda value: value in SPLITS, f"one of {', '.join(SPLITS)}"),
    )
    for column, good, allowed in rules:
        for row, value in enumerate(getattr(table, column)):
            if not good(value):
                raise DataError(
                    f"In {column} of {table.name!r}, row {row} ({table.paths[row]}) is "
                    f"{value!r}; it must be {allowed}."
                )


def _check_paths(table: SampleColumns) -> None:
    seen: dict[tuple[object, str], int] = {}
    images = table.image_keys()
    for row, (path, split) in enumerate(zip(table.paths, table.splits, strict=True)):
        parts = path.removeprefix("/").split("/")
        if not all(parts) or "." in parts:
            raise DataError(
                f"Row {row} has the path {path!r}; write it as a plain POSIX path such as "
                "'images/a.jpg'."
            )
        if ".." in parts:
            raise DataError(f"The path {path!r} of row {row} climbs out of its folder with '..'.")
        first = seen.setdefault((images[row], split), row)
        if first != row:
            raise DataError(
                f"{table.image_name(row)} is listed twice in split {split!r} (rows {first} and "
                f"{row})."
            )


def _check_leaks(table: SampleColumns) -> None:
    images: dict[str, set[tuple[str, tuple[int, ...]]]] = {split: set() for split in SPLITS}
    people: dict[str, set[tuple[str, str]]] = {split: set() for split in SPLITS}
    for image, key, split in zip(
        table.image_keys(), table.identity_keys(), table.splits, strict=True
    ):
        images[split].add(image)
        people[split].add(key)
    for mine, theirs in (
        *((a, b) for a in TRAINING_SPLITS for b in (*TEST_SPLITS, "distractor")),
        ("train", "val"),
    ):
        if shared := images[mine] & images[theirs]:
            raise DataError(
                f"{len(shared)} images are in both {mine} and {theirs}, for example "
                f"{min(shared)[0]}."
            )
    known = () if table.closed else [(a, b) for a in TRAINING_SPLITS for b in TEST_SPLITS]
    for mine, theirs, why in (
        *((a, b, "test identities must be new") for a, b in known),
        ("distractor", "query", "a distractor would count as a right answer"),
        ("distractor", "test", "a distractor would count as a right answer"),
    ):
        if shared := people[mine] & people[theirs]:
            domain, identity = min(shared)
            raise DataError(
                f"{len(shared)} identities are in both {mine} and {theirs}, for example "
                f"{identity!r} of {domain!r}; {why}."
            )
    _check_validation_kind(people["train"], people["val"])


def _check_validation_kind(train: set[tuple[str, str]], val: set[tuple[str, str]]) -> None:
    for domain in sorted({domain for domain, _ in val}):
        mine = {key for key in val if key[0] == domain}
        known = mine & train
        if known and known != mine:
            raise DataError(
                f"Of the {len(mine)} validation identities of {domain!r}, {len(known)} are also in "
                f"train and {len(mine - known)} are not, for example {min(mine - known)[1]!r}. "
                "Either all or none may be."
            )
