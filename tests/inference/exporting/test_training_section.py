"""A card says what a model learned from and what only tested it, and how to train it again."""

from types import SimpleNamespace
from typing import Any

from exported_models import info_of, with_sides

from promptreid.config.recipes import load_recipe
from promptreid.inference.exporting.training_section import (
    name_trained_readers,
    write_training_section,
)
from promptreid.runs.run_records import DataRecord

COUNTS = {"train": {"images": 12936, "identities": 751}, "query": {"images": 3368, "identities": 7}}


def record(spec: str, role: Any, **changed: Any) -> DataRecord:
    values = {
        "spec": spec, "place": spec, "beside": {}, "role": role, "name": spec.split(":")[0],
        "fingerprint": "f", "splits": COUNTS, "protocol": None, "repeats": 0, "notes": (),
    }  # fmt: skip
    return DataRecord.model_validate(values | changed)


RUN: Any = SimpleNamespace(
    data=lambda: (
        record("hands11k:/home/ann/11k?aspect=dorsal_right", "train"),
        record("market1501:/secret/Market", "test"),
    )
)


def write_section(recipe: str, *overrides: str) -> str:
    info = info_of(with_sides()).updated(recipe=load_recipe(recipe, overrides), seed=3)
    return write_training_section(info, RUN)


def test_what_only_tests_was_not_learned_from() -> None:
    text = write_section("clip-reid/tiny")
    assert "| hands11k | train | 12,936 | 751 |" in text
    assert "| market1501 | train |" not in text
    assert "| market1501 | query | 3,368 | 7 |" in text
    command = "promptreid train clip-reid/tiny --data 'hands11k:ROOT?aspect=dorsal_right' "
    assert command + "--test market1501:ROOT --seed 3\n" in text
    assert not {"home", "secret"} & set(text.replace(":", "/").split("/"))
    assert "settings in the place" not in text
    info = info_of(with_sides()).updated(recipe=load_recipe("clip-reid/tiny"))
    assert name_trained_readers(info, RUN) == ["hands11k"]


def test_settings_of_a_run_are_listed() -> None:
    text = write_section("clip-reid/tiny", "stages.image.epochs=2", "stages.image.losses.triplet=0")
    assert "- `stages.image.epochs`: `2`" in text
    assert "- `stages.image.losses.triplet`: none" in text


def test_nothing_is_learned_without_a_stage() -> None:
    text = write_section("zero-shot")
    assert "| train |" not in text
    assert "again" not in text
    info = info_of(with_sides()).updated(recipe=load_recipe("zero-shot"))
    assert name_trained_readers(info, RUN) == []
