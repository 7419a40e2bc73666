"""Numbers for identities and cameras, where a layout has room for no names."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable

from promptreid.data.manifest.name_order import name_key

Key = tuple[str, str]
"""Domain and name."""

_NUMBER = re.compile(r"[1-9][0-9]{0,8}")


def number_keys(keys: Iterable[Key]) -> dict[Key, int]:
    """Give each name a number from 1 on; names of one domain that are such numbers keep them.

    Args:
        keys: Domain and name of each, repeats allowed.
    """
    distinct = sorted(set(keys), key=lambda key: (key[0], name_key(key[1])))
    domains = {domain for domain, _ in distinct}
    if len(domains) == 1 and all(_NUMBER.fullmatch(name) for _, name in distinct):
        return {key: int(key[1]) for key in distinct}
    return {key: number for number, key in enumerate(distinct, start=1)}


def names_table(numbers: dict[Key, int]) -> tuple[tuple[str, ...], ...]:
    """Return what numbers stand for as a table: number and name, and domain where there are two."""
    several = len({domain for domain, _ in numbers}) > 1
    ordered = sorted(numbers.items(), key=lambda item: item[1])
    rows = [
        (str(number), name, *((domain,) if several else ())) for (domain, name), number in ordered
    ]
    return (("number", "name", *(("domain",) if several else ())), *rows)


def are_own_numbers(numbers: dict[Key, int]) -> bool:
    """Tell whether each name is its number, so that no table is needed."""
    return all(name == str(number) for (_, name), number in numbers.items())


def are_folder_names(names: Collection[str]) -> bool:
    """Tell whether names can be those of folders on any system, each its own."""
    return len({name.casefold() for name in names}) == len(names) and all(
        len(name.encode(errors="surrogateescape")) <= _LONGEST
        and not _UNSAFE.search(name)
        and name.split(".")[0].casefold() not in _RESERVED
        for name in names
    )


_LONGEST = 200  # bytes; file systems allow 255
_UNSAFE = re.compile(r'^[.~-]|[<>:"/\\|?*\x00-\x1f\x7f]|[. ]$')
_RESERVED = {
    "con",
    "prn",
    "aux",
    "nul",
    *(f"{port}{n}" for port in ("com", "lpt") for n in range(10)),
}
