"""The data sets of a report, read and looked through before any model is loaded."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from promptreid.data.dataset import DataSet
from promptreid.errors import DataError, EvaluationError, unknown_name
from promptreid.evaluation.test_set import TestSet
from promptreid.evaluation.uncertainty.query_groups import (
    COLUMNS,
    MOST_VALUES,
    PAIR,
    column_values,
)
from promptreid.figures.photographs import Picture, read_picture
from promptreid.figures.selection import Selection, pick_identities, pick_images
from promptreid.pages.collect_options import ReportOptions

_MOST_BREAKDOWNS = 4
_IMAGES_AN_IDENTITY = 15  # on a map: more points than that hide each other


@dataclass(frozen=True, eq=False)
class ReportData:
    """A data set, and which of its test images a report shows.

    Attributes:
        dataset: The data set as it was read.
        test_set: Its test images.
        by: Attributes that scores are broken down by.
        mapped: Test images on the map, rows of the test set; None where there are too few.
        looked_at: Test images under activation maps.
        remarks: What the data set cannot give and why.
    """

    dataset: DataSet
    test_set: TestSet
    by: tuple[str, ...]
    mapped: Selection | None
    looked_at: Selection
    remarks: tuple[str, ...]


class Pictures:
    """Reads pictures of test images, each size of each once, as coarse mosaics if asked to."""

    def __init__(self, test_set: TestSet, *, pixelate: bool) -> None:
        self._manifest, self._pixelate = test_set.manifest, pixelate
        self._pictures: dict[tuple[int, int], Picture] = {}

    def read(self, row: int, longest: int) -> Picture:
        """Give the picture of a row of the test set, its longer side `longest` pixels at most."""
        if (row, longest) not in self._pictures:
            image = self._manifest.image(row)
            self._pictures[row, longest] = read_picture(
                image, longest=longest, pixelate=self._pixelate
            )
        return self._pictures[row, longest]


def choose_report_data(
    datasets: Sequence[DataSet], options: ReportOptions
) -> tuple[ReportData, ...]:
    """Choose what is shown of data sets.

    Raises:
        EvaluationError: One has nothing to test on, or none has an attribute that is asked for.
    """
    test_sets = [TestSet.of(dataset) for dataset in datasets]
    for name in options.by:
        if not any(_knows(test_set, name) for test_set in test_sets):
            known = dict.fromkeys(one for test_set in test_sets for one in _columns(test_set))
            raise EvaluationError(unknown_name("attribute of the test images", name, known))
    return tuple(
        _look_through(dataset, test_set, options)
        for dataset, test_set in zip(datasets, test_sets, strict=True)
    )


def breakdown_attributes(test_set: TestSet) -> tuple[str, ...]:
    """Pick what scores are broken down by where nobody says: what is known of the queries.

    Attributes of the data set come first, then domain, view and camera; at most four. Each takes 2
    to 12 values among the queries, bands of numbers counting as one value. None gives every
    identity a value of its own, and none sorts the queries as an earlier one does.
    """
    queries = np.unique(np.concatenate([repeat.query for repeat in test_set.protocol.repeats]))
    identities = test_set.manifest.identity_keys()
    people = len({identities[row] for row in queries})
    chosen: list[str] = []
    known: set[tuple[int, ...]] = set()
    for name in _columns(test_set):
        try:
            column = column_values(test_set.manifest, name)
        except EvaluationError:  # nothing is known in it
            continue
        attribute = test_set.manifest.attributes.get(name)
        pairs = {(attribute[row], identities[row]) for row in queries} if attribute else set()
        names_people = people > 1 and len({value for value, _ in pairs}) == len(pairs) == people
        values = [column[row] for row in queries]
        numbers = {value: number for number, value in enumerate(dict.fromkeys(values))}
        sorting = tuple(numbers[value] for value in values)
        few = 2 <= len(set(values) - {""}) <= MOST_VALUES
        if few and not names_people and sorting not in known:
            known.add(sorting)
            chosen.append(name)
    return tuple(chosen[:_MOST_BREAKDOWNS])


def _look_through(dataset: DataSet, test_set: TestSet, options: ReportOptions) -> ReportData:
    remarks = [
        f"No image of {test_set.name} has a value of {name!r}, so nothing is broken down by it."
        for name in options.by
        if not _knows(test_set, name)
    ]
    by = tuple(name for name in options.by if _knows(test_set, name))
    mapped = None
    try:
        mapped = _thinned(
            pick_identities(test_set, identities=options.identities, seed=options.seed),
            options.seed,
        )
    except DataError as error:
        remarks.append(f"There is no map of embeddings: {error}")
    return ReportData(
        dataset=dataset,
        test_set=test_set,
        by=by if options.by else breakdown_attributes(test_set),
        mapped=mapped,
        looked_at=pick_images(test_set, images=options.images, seed=options.seed),
        remarks=tuple(remarks),
    )


def _columns(test_set: TestSet) -> tuple[str, ...]:
    """Name all that may be known of an image, attributes first."""
    return (*test_set.manifest.attributes, *reversed(COLUMNS))


def _knows(test_set: TestSet, name: str) -> bool:
    """Tell whether test images have values of an attribute, or of pairs of its values."""
    if name.endswith(PAIR) and name not in test_set.manifest.attributes:
        name = name.removesuffix(PAIR)
    try:
        column_values(test_set.manifest, name)
    except EvaluationError:
        return False
    return True


def _thinned(selection: Selection, seed: int) -> Selection:
    """Leave out gallery images, then queries, of identities that have very many images."""
    rng = np.random.default_rng([seed, 0x7417])
    order = rng.permutation(len(selection.groups))
    # Half of the places of an identity at least go to its gallery images, as far as it has them.
    places: list[int] = []
    for group in range(len(selection.identities)):
        of_group = [place for place in order if selection.groups[place] == group]
        queries = [place for place in of_group if selection.roles[place] == "query"]
        others = [place for place in of_group if selection.roles[place] != "query"]
        room = max(_IMAGES_AN_IDENTITY - len(others), _IMAGES_AN_IDENTITY // 2)
        queries = queries[:room]
        places += queries + others[: _IMAGES_AN_IDENTITY - len(queries)]
    places.sort()
    return replace(
        selection,
        manifest=selection.manifest.select(places),
        groups=tuple(selection.groups[place] for place in places),
        roles=tuple(selection.roles[place] for place in places),
        rows=tuple(selection.rows[place] for place in places),
    )
