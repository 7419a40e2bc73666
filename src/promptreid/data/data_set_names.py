"""Names that tell data sets apart."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import PurePath

Place = tuple[str, str]


def name_data_sets(places: Iterable[Place]) -> dict[Place, str]:
    """Give each data set its name, with as much of its folder as tells it from the others.

    Args:
        places: Name and folder (or file) of each data set; repeats allowed.

    Returns:
        The name alone where no other data set has it; else name, colon and the last parts of the
        folder, as in `market1501:site-2`.
    """
    forms = {place: _forms(place) for place in places}
    return {
        place: next(
            (
                form
                for form in candidates
                if not any(form in others for other, others in forms.items() if other != place)
            ),
            candidates[-1],
        )
        for place, candidates in forms.items()
    }


def find_label(place: Place, labels: Iterable[str]) -> str | None:
    """Find a data set again among labels that `name_data_sets` gave.

    Returns:
        The label that says most of the folder; None when there is none of this data set.
    """
    forms = _forms(place)
    return max(set(forms) & set(labels), key=forms.index, default=None)


def _forms(place: Place) -> list[str]:
    """Return ever longer names of a data set."""
    name, root = place
    path = PurePath(root.partition("?")[0])
    parts = [part for part in path.parts if part not in ("/", "\\")]
    whole = []
    if path.suffix and path.stem == name:  # a table, which gave its name already
        parts, whole = parts[:-1], [f"{name}:{root}"]
    tails = ["/".join(parts[-length:]) for length in range(1, len(parts) + 1)]
    return [name, *(f"{name}:{tail}" for tail in tails), *whole]
