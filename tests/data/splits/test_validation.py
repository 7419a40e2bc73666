from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from promptreid.data.dataset import DataSet
from promptreid.data.manifest.manifest import Manifest, Sample, TrainingManifest
from promptreid.data.protocol import Protocol, Repeat
from promptreid.data.splits.validation import Validation, halves, kind_for, make_validation
from promptreid.errors import ConfigError, DataError


def dataset(*rows: tuple) -> DataSet:
    """Rows are (identity, split, number of images[, number of cameras])."""
    samples = [
        Sample(f"{who}/{split}{n}.jpg", who, split, str(n % cameras[0]) if cameras else None)
        for who, split, count, *cameras in rows
        for n in range(count)
    ]
    return DataSet("toy:/data", Manifest.of("toy", Path("/data"), samples), None)


def people(count: int, images: int, *cameras: int) -> list[tuple]:
    return [(f"p{n}", "train", images, *cameras) for n in range(count)]


TEST = [("q", "query", 2, 2), ("q", "gallery", 3, 2), ("d", "distractor", 2), ("t", "gallery", 4)]


def test_auto_uses_the_data_sets_own_images() -> None:
    data = dataset(("a", "train", 3, 2), ("b", "train", 2, 2), ("a", "val", 1, 1), *TEST)
    train, validation = make_validation(data, kind="auto")
    assert train.paths == data.manifest.where(split="train").paths
    assert validation is not None
    assert validation.protocol.same_camera == "keep"
    (repeat,) = validation.protocol.repeats
    paths = validation.manifest.paths
    assert [paths[row] for row in repeat.query] == ["a/val0.jpg"]
    assert {paths[row] for row in repeat.gallery} == set(train.paths)


def test_auto_without_own_images_is_no_validation() -> None:
    data = dataset(*people(3, 2), *TEST)
    train, validation = make_validation(data, kind="auto")
    assert len(train) == 6
    assert validation is None


def own(*rows: tuple) -> DataSet:
    return replace(dataset(*rows), own=True)


@pytest.mark.parametrize(
    ("identities", "kind", "held"),
    [
        (3, "none", 0),
        (4, "folds", 0),
        (19, "folds", 0),
        (20, "identities", 4),
        (37, "identities", 7),
        (50, "identities", 10),
        (90, "identities", 10),
        (130, "identities", 13),
    ],
)
def test_auto_of_ones_own_data_holds_out_what_they_can_spare(identities, kind, held) -> None:
    data = own(*people(identities, 3), *TEST)
    assert kind_for(data, "auto") == kind
    assert kind_for(dataset(*people(identities, 3), *TEST), "auto") == "none"  # published
    train, validation = make_validation(data)
    out = set() if validation is None else set(validation.manifest.identities)
    assert (len(out), len(set(train.identities))) == (held, identities - held)
    assert out.isdisjoint(train.identities)
    assert kind_for(data, "images") == "images"


def test_auto_holds_out_only_those_that_can_be_searched_for() -> None:
    """Of 200 people twelve have two images; twenty would be a tenth of them."""
    data = own(*people(12, 2), *[(f"once{n}", "train", 1) for n in range(188)], *TEST)
    _, validation = make_validation(data)
    assert validation is not None
    assert set(validation.manifest.identities) == {f"p{n}" for n in range(12)}
    few = own(*people(5, 2), *[(f"once{n}", "train", 1) for n in range(188)], *TEST)
    assert kind_for(few, "auto") == "folds"


def test_auto_of_ones_own_data_prefers_their_validation_images() -> None:
    data = own(*people(40, 3), ("v", "val", 3), ("w", "val", 2))
    assert kind_for(data, "auto") == "auto"
    train, validation = make_validation(data)
    assert len(set(train.identities)) == 40
    assert validation is not None
    assert set(validation.manifest.identities) == {"v", "w"}


def test_with_folds_all_images_learn() -> None:
    data = dataset(*people(5, 3), ("p0", "val", 2), *TEST)
    train, validation = make_validation(data, kind="folds")
    assert validation is None
    assert len(train) == 17


@pytest.mark.parametrize("count", [4, 7])
def test_halves_share_no_identity_and_lose_no_image(count) -> None:
    rows = dataset(*people(count, 3), *TEST).manifest.training()
    first, second = halves(rows, seed=1)
    names = [{rows.identities[row] for row in side} for side in (first, second)]
    assert names[0].isdisjoint(names[1])
    assert sorted(map(len, names)) == [count // 2, count - count // 2]
    assert sorted((*first, *second)) == list(range(len(rows)))
    turned = rows.select(np.arange(len(rows))[::-1])  # the order of files decides nothing
    again, _ = halves(turned, seed=1)
    assert {turned.identities[row] for row in again} == names[0]
    assert any(halves(rows, seed=seed) != (first, second) for seed in range(2, 9))


def test_auto_with_identities_held_out_by_the_data() -> None:
    data = dataset(*people(3, 2), ("v", "val", 3), ("w", "val", 2), ("x", "val", 1), *TEST)
    train, validation = make_validation(data, kind="auto")
    assert set(train.identities) == {"p0", "p1", "p2"}
    assert validation is not None
    (repeat,) = validation.protocol.repeats
    names = validation.manifest.identities
    assert Counter(names[row] for row in repeat.query) == {"v": 2, "w": 1}
    assert Counter(names[row] for row in repeat.gallery) == {"v": 1, "w": 1, "x": 1}


def test_none_leaves_own_validation_images_out() -> None:
    data = dataset(("a", "train", 3), ("a", "val", 1), ("b", "train", 2))
    train, validation = make_validation(data, kind="none")
    assert len(train) == 5
    assert validation is None


def test_images_takes_one_of_each_identity_that_can_spare_it() -> None:
    data = dataset(*people(4, 3), ("lonely", "train", 1), ("p0", "val", 1), *TEST)
    train, validation = make_validation(data, kind="images", seed=2)
    assert Counter(train.identities) == {"p0": 3, "p1": 2, "p2": 2, "p3": 2, "lonely": 1}
    assert set(train.splits) == {"train"}
    assert validation is not None
    (repeat,) = validation.protocol.repeats
    names = validation.manifest.identities
    assert sorted(names[row] for row in repeat.query) == ["p0", "p1", "p2", "p3"]
    assert [validation.manifest.paths[row] for row in repeat.gallery] == list(train.paths)
    assert validation.protocol.same_camera == "keep"


@pytest.mark.parametrize(("fraction", "held"), [(0.01, 2), (0.3, 3), (0.5, 5)])
def test_identities_without_cameras(fraction: float, held: int) -> None:
    data = dataset(*people(10, 4), *TEST)
    train, validation = make_validation(data, kind="identities", fraction=fraction, seed=1)
    assert validation is not None
    out = set(validation.manifest.identities)
    assert len(out) == held
    assert not out & set(train.identities)
    assert len(train) + len(validation.manifest) == 40
    assert validation.protocol.same_camera == "keep"
    (repeat,) = validation.protocol.repeats
    names = validation.manifest.identities
    assert sorted(names[row] for row in repeat.gallery) == sorted(out)
    assert len(repeat.query) == 3 * held


def test_identities_with_cameras_follow_the_camera_rule() -> None:
    single = [("one", "train", 6, 1)]
    data = dataset(*people(8, 6, 3), *single, *TEST)
    train, validation = make_validation(data, kind="identities", fraction=0.4, seed=1)
    assert "one" in set(train.identities)  # seen by one camera only: it could not be searched for
    assert validation is not None
    assert validation.protocol.same_camera == "exclude"
    held = validation.manifest
    (repeat,) = validation.protocol.repeats
    seen = [(held.identities[row], held.cameras[row]) for row in repeat.query]
    assert len(seen) == len(set(seen)) == 3 * len(set(held.identities))
    assert len(repeat.query) + len(repeat.gallery) == len(held)


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        (people(3, 3), "Holding out 2 of 3 .*must leave two to train on; use images"),
        (people(9, 1), r"needs 2 with two images \(there are 0\)"),
        ([*people(4, 3, 1), ("x", "train", 4, 2)], r"with two cameras \(there are 1\)"),
    ],
)
def test_too_little_to_hold_out(rows: list, words: str) -> None:
    with pytest.raises(DataError, match=words):
        make_validation(dataset(*rows), kind="identities", fraction=0.1)


def test_too_little_for_images_and_auto() -> None:
    with pytest.raises(DataError, match=r"none can be spared .*identities or none"):
        make_validation(dataset(*people(4, 1)), kind="images")
    with pytest.raises(DataError, match=r"each has a single image"):
        make_validation(dataset(*people(4, 1), ("v", "val", 1)), kind="auto")
    with pytest.raises(DataError, match=r"has validation images but none to train on"):
        make_validation(dataset(("v", "val", 3)), kind="auto")
    with pytest.raises(DataError, match=r"'toy' has no training images"):
        make_validation(dataset(*TEST), kind="none")


def test_options_are_checked() -> None:
    data = dataset(*people(4, 2))
    with pytest.raises(ConfigError, match=r"kind of validation named 'image'.*'images'"):
        make_validation(data, kind="image")  # ty: ignore[invalid-argument-type]
    for fraction in (0.0, 1.0, -1.0, float("nan")):
        with pytest.raises(ConfigError, match=r"between 0 and 1"):
            make_validation(data, kind="identities", fraction=fraction)


@pytest.mark.parametrize("kind", ["images", "identities"])
def test_draws_are_seeded_and_blind_to_the_test_set(kind) -> None:
    rows = people(12, 4, 2)

    def held(data: DataSet, seed: int) -> set[str]:
        _, validation = make_validation(data, kind=kind, fraction=0.3, seed=seed)
        assert validation is not None
        return set(validation.manifest.where(split="val").paths)

    bare, full = dataset(*rows), dataset(*rows, *TEST)
    assert held(bare, 0) == held(full, 0)
    assert len({frozenset(held(full, seed)) for seed in range(6)}) == 6
    shuffled = full.manifest.select(np.random.default_rng(0).permutation(len(full.manifest)))
    assert held(DataSet("s", shuffled, None), 3) == held(full, 3)


def test_a_test_image_cannot_get_in() -> None:
    data = dataset(*people(3, 2), *TEST)
    protocol = Protocol("p", (Repeat(np.array([0]), np.array([1])),), "keep", "step")
    with pytest.raises(TypeError, match=r"takes a TrainingManifest"):
        Validation(data.manifest, protocol)  # ty: ignore[invalid-argument-type]
    Validation(data.manifest.training(), protocol)
    beyond = Protocol("p", (Repeat(np.array([0]), np.array([6])),), "keep", "step")
    with pytest.raises(DataError, match=r"gallery row 6"):
        Validation(data.manifest.training(), beyond)


identities = st.lists(
    st.tuples(st.integers(1, 4), st.integers(1, 3), st.sampled_from(["train", "test"])),
    min_size=2,
    max_size=12,
)


@settings(max_examples=150, deadline=None)
@given(identities, st.sampled_from(["auto", "images", "identities", "none"]), st.integers(0, 5))
def test_validation_and_training_never_meet_the_test_set(drawn: list, kind, seed: int) -> None:
    data = dataset(*((f"{n}", split, i, c) for n, (i, c, split) in enumerate(drawn)))
    try:
        train, validation = make_validation(data, kind=kind, fraction=0.4, seed=seed)
    except DataError:
        return
    allowed = {
        p for p, s in zip(data.manifest.paths, data.manifest.splits, strict=True) if s != "test"
    }
    assert set(train.paths) <= allowed
    assert isinstance(train, TrainingManifest)
    if validation is None:
        return
    assert set(validation.manifest.paths) <= allowed
    (repeat,) = validation.protocol.repeats
    query = {validation.manifest.paths[row] for row in repeat.query}
    gallery = {validation.manifest.paths[row] for row in repeat.gallery}
    assert not query & gallery
    assert not query & set(train.paths)
    answers = {validation.manifest.identities[row] for row in repeat.gallery}
    assert {validation.manifest.identities[row] for row in repeat.query} <= answers
    if kind == "identities":
        assert not set(validation.manifest.identities) & set(train.identities)
