"""Dataclasses to JSON and back."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

import pytest

from promptreid.json_record import JsonRecord


@dataclass(frozen=True)
class Point(JsonRecord):
    value: float
    counts: tuple[int, ...] = ()


@dataclass(frozen=True)
class Curve(JsonRecord):
    name: str
    points: tuple[Point, ...]
    by_camera: Mapping[str, Point]


CURVE = Curve("roc", (Point(0.1, (1, 2)), Point(1 / 3)), {"gate": Point(0.5)})


def test_a_record_survives_json():
    values = CURVE.to_dict()
    assert json.loads(json.dumps(values)) == values
    assert values["points"][0] == {"value": 0.1, "counts": [1, 2]}
    assert Curve.from_dict(values) == CURVE


def test_defaults_may_be_missing_and_further_keys_are_passed_over():
    assert Point.from_dict({"value": 2, "unit": "%"}) == Point(2.0)


@pytest.mark.parametrize(
    ("damage", "told"),
    [
        ({"points": [{"counts": [1]}]}, "points.0.value: field required"),
        ({"by_camera": {"gate": {"value": "much"}}}, "by_camera.gate.value: "),
        ({"name": None}, "name: "),
    ],
)
def test_damage_is_named_by_its_key(damage, told):
    with pytest.raises(ValueError, match=told):
        Curve.from_dict({**CURVE.to_dict(), **damage})
    with pytest.raises(ValueError, match="dictionary"):
        Curve.from_dict(7)
