"""Which images and attributes a report shows, chosen before any model is loaded."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from promptreid.data.dataset import DataSet
from promptreid.data.load_data import load_data
from promptreid.data.manifest.manifest import Manifest, Sample
from promptreid.data.protocol import fixed_protocol
from promptreid.errors import ConfigError, EvaluationError
from promptreid.evaluation.test_set import TestSet
from promptreid.pages.collect_data import (
    Pictures,
    breakdown_attributes,
    choose_report_data,
)
from promptreid.pages.collect_options import ReportOptions


def made_up(identities=24, queries=2, gallery=2, **columns):
    """Attributes are functions of identity number and image number."""
    rows = []
    for number in range(identities):
        for image in range(queries + gallery):
            split = "query" if image < queries else "gallery"
            values = {name: value(number, image) for name, value in columns.items()}
            rows.append(
                Sample(
                    f"{number}-{image}.png",
                    f"p{number}",
                    split,
                    camera=str(image),
                    attributes=values,
                )
            )
    manifest = Manifest.of("set", Path("/nowhere"), rows)
    protocol = fixed_protocol(manifest, name="set", same_camera="keep")
    return TestSet.of(DataSet("set:/nowhere", manifest, protocol))


def test_attributes_that_say_something_are_picked():
    found = made_up(
        code=lambda person, image: str(1000 + person),  # whole numbers, so they would be banded
        sex=lambda person, image: "fm"[person % 2],
        gender=lambda person, image: ("female", "male")[person % 2],  # sorts as `sex` does
        constant=lambda person, image: "same",
        age=lambda person, image: str(20 + person % 15),  # banded
        file=lambda person, image: f"{person}-{image}",  # too many values
        missing=lambda person, image: "",
    )
    assert breakdown_attributes(found) == ("sex", "age", "camera")


def test_an_attribute_that_some_lack_counts():
    found = made_up(worn=lambda person, image: ("ring", "")[person % 2])
    assert breakdown_attributes(found) == ("camera",)
    found = made_up(worn=lambda person, image: ("ring", "watch", "")[person % 3])
    assert breakdown_attributes(found) == ("worn", "camera")


def test_four_at_most():
    columns = {f"c{n}": (lambda person, image, n=n: str((person >> n) % 2)) for n in range(4)} | {
        "c9": lambda person, image: str(person % 3)
    }
    assert breakdown_attributes(made_up(**columns)) == ("c0", "c1", "c2", "c3")


@pytest.fixture
def table(crops, tmp_path):
    """Query and gallery of twelve identities, as a table with an attribute."""
    path = tmp_path / "data.csv"
    rows = ["path,identity,split,camera,side"]
    for folder in sorted(crops.iterdir()):
        for number, image in enumerate(sorted(folder.iterdir())):
            split = "query" if number < 2 else "gallery"
            rows.append(f"{image},{folder.name},{split},{number},{'lr'[number % 2]}")
    path.write_text("\n".join(rows))
    return f"csv:{path}"


def test_a_data_set_is_looked_through(table):
    (found,) = choose_report_data([load_data(table)], ReportOptions(identities=5, images=3))
    assert found.by == ("side",)  # the camera sorts the queries as the side does
    assert found.remarks == ()
    assert len(set(found.mapped.groups)) == len(found.mapped.identities) == 5
    manifest = found.test_set.manifest
    for selection in (found.mapped, found.looked_at):
        paths = [manifest.paths[row] for row in selection.rows]
        assert tuple(paths) == selection.manifest.paths
        splits = [manifest.splits[row] for row in selection.rows]
        assert tuple(splits) == selection.roles
    assert set(found.looked_at.roles) == {"query"}


def test_attributes_are_checked_before_anything_is_embedded(table):
    with pytest.raises(EvaluationError, match="Did you mean 'side'"):
        choose_report_data([load_data(table)], ReportOptions(by=("sied",)))
    with pytest.raises(EvaluationError, match="view"):
        choose_report_data(
            [load_data(table)], ReportOptions(by=("view",))
        )  # known to all, of no image
    (found,) = choose_report_data([load_data(table)], ReportOptions(by=("side-pair", "camera")))
    assert found.by == ("side-pair", "camera")


def test_one_of_two_data_sets_may_lack_an_attribute(table, crops):
    options = ReportOptions(by=("side",))
    first, second = choose_report_data([load_data(table), load_data(f"folder:{crops}")], options)
    assert first.by == ("side",)
    assert second.by == ()
    assert "'side'" in second.remarks[0]


def test_identities_with_many_images_are_thinned(tmp_path):
    rows = ["path,identity,split"]
    counts = {"a": (30, 2), "b": (3, 40), "c": (40, 40), "d": (1, 1)}
    for name, (queries, gallery) in counts.items():
        rows += [f"{name}q{n}.png,{name},query" for n in range(queries)]
        rows += [f"{name}g{n}.png,{name},gallery" for n in range(gallery)]
    for row in rows[1:]:
        (tmp_path / row.partition(",")[0]).touch()
    path = tmp_path / "many.csv"
    path.write_text("\n".join(rows))
    (found,) = choose_report_data([load_data(f"csv:{path}")], ReportOptions())
    shown = {
        name: [
            sum(
                found.mapped.identities[group] == name and role == wanted
                for group, role in zip(found.mapped.groups, found.mapped.roles, strict=True)
            )
            for wanted in ("query", "gallery")
        ]
        for name in counts
    }
    assert shown == {"a": [13, 2], "b": [3, 12], "c": [7, 8], "d": [1, 1]}


def test_one_identity_has_no_map(crops, tmp_path):
    path = tmp_path / "one.csv"
    images = sorted((crops / "000").iterdir())
    rows = [f"{image},a,{'query' if n < 2 else 'gallery'}" for n, image in enumerate(images)]
    path.write_text("\n".join(["path,identity,split", *rows]))
    (found,) = choose_report_data([load_data(f"csv:{path}")], ReportOptions())
    assert found.mapped is None
    assert "no map" in found.remarks[0]


def test_pictures_are_read_once_and_no_larger_than_asked(table, monkeypatch):
    (found,) = choose_report_data([load_data(table)], ReportOptions())
    pictures = Pictures(found.test_set, pixelate=False)
    small = pictures.read(3, 16)
    assert max(small.shape[:2]) == 16
    assert pictures.read(3, 16) is small
    with Image.open(found.test_set.manifest.path(3)) as image:
        assert np.array_equal(pictures.read(3, 999), np.asarray(image.convert("RGB")))
    hidden = Pictures(found.test_set, pixelate=True).read(3, 40)
    assert len(np.unique(hidden.reshape(-1, 3), axis=0)) <= 100


@pytest.mark.parametrize(
    ("choices", "words"),
    [
        ({"method": "tnse"}, "Did you mean 'tsne'"),
        ({"identities": 1}, "2 to 35"),
        ({"identities": 99}, "99"),
        ({"queries": 0}, "queries of 1 at least"),
    ],
)
def test_mistakes(choices, words):
    with pytest.raises(ConfigError, match=words):
        ReportOptions(**choices)
