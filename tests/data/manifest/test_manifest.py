from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from promptreid.data.manifest.manifest import Manifest, Sample, TrainingManifest
from promptreid.data.manifest.sample_columns import SPLITS
from promptreid.errors import DataError


def table(*rows: tuple, root: str = "/data") -> Manifest:
    """Rows are (path, identity, split[, domain])."""
    return Manifest.of(
        "toy",
        Path(root),
        (Sample(r[0], r[1], r[2], domain=r[3] if len(r) > 3 else "") for r in rows),
    )


@pytest.fixture
def mixed() -> Manifest:
    return Manifest.of(
        "toy",
        Path("/data"),
        [
            Sample("t/a.jpg", "10", "train", camera="0", view="3", attributes={"sex": "f"}),
            Sample("t/b.jpg", "9", "train", camera="1"),
            Sample("t/c.jpg", "10", "val", camera="1"),
            Sample("q/d.jpg", "4", "query", camera="0", attributes={"age": "7"}),
            Sample("g/e.jpg", "4", "gallery", camera="1"),
            Sample("g/f.jpg", "0", "gallery", camera="1"),
        ],
    )


def test_columns_rows_and_paths(mixed: Manifest) -> None:
    assert len(mixed) == 6
    assert mixed.path(3) == Path("/data/q/d.jpg")
    assert mixed.domains == ("toy",) * 6
    assert mixed.attributes == {
        "sex": ("f", "", "", "", "", ""),
        "age": ("", "", "", "7", "", ""),
    }
    assert mixed.sample(0) == Sample(
        "t/a.jpg", "10", "train", "0", "3", "toy", {"sex": "f", "age": ""}
    )
    assert Manifest.of(mixed.name, mixed.root, iter(mixed)) == mixed


def test_indices_select_where(mixed: Manifest) -> None:
    assert mixed.indices("gallery", "query").tolist() == [3, 4, 5]
    assert mixed.indices().tolist() == list(range(6))
    assert mixed.indices("train").dtype == np.int64
    assert mixed.select(np.array([5, 0])).paths == ("g/f.jpg", "t/a.jpg")
    assert mixed.select([5, 0]).attributes["sex"] == ("", "f")
    assert mixed.where(split="gallery", identity="4").paths == ("g/e.jpg",)
    assert mixed.where(split=("query", "gallery"), camera="0").paths == ("q/d.jpg",)
    assert mixed.where(camera=["1"], split="train").paths == ("t/b.jpg",)
    with pytest.raises(DataError, match=r"no samples"):
        mixed.where(domain="elsewhere")
    with pytest.raises(DataError, match=r"Did you mean 'gallery'"):
        mixed.indices("galery")


def test_images_and_identities_are_counted_by_split() -> None:
    manifest = table(
        ("a", "1", "train"), ("b", "1", "train"), ("c", "1", "train", "other"), ("d", "2", "query")
    )
    assert manifest.counts() == {
        "train": {"images": 3, "identities": 2},  # 1 of one domain is not 1 of another
        "query": {"images": 1, "identities": 1},
    }


def test_identity_list_is_in_label_order(mixed: Manifest) -> None:
    assert mixed.identity_list("train", "val") == ["9", "10"]
    assert mixed.identity_list() == ["0", "4", "9", "10"]


@pytest.mark.parametrize("mine", ["train", "val"])
@pytest.mark.parametrize("theirs", ["query", "gallery", "test"])
def test_no_identity_is_both_trained_and_tested(mine: str, theirs: str) -> None:
    with pytest.raises(DataError, match=f"both {mine} and {theirs}, for example '7' of 'toy'"):
        table(("a", "7", mine), ("b", "7", theirs))
    # The same name in another domain is another identity.
    table(("a", "7", mine), ("b", "7", theirs, "elsewhere"))


@pytest.mark.parametrize("split", ["query", "test"])
def test_distractors_are_nobody_that_is_searched_for(split: str) -> None:
    with pytest.raises(DataError, match=r"distractor would count as a right answer"):
        table(("a", "7", split), ("b", "7", "distractor"))
    table(("a", "7", "train"), ("b", "7", "distractor"))


@pytest.mark.parametrize(
    ("mine", "theirs"), [("train", "val"), ("train", "query"), ("val", "distractor")]
)
def test_no_file_is_both_trained_and_tested(mine: str, theirs: str) -> None:
    with pytest.raises(DataError, match=f"1 images are in both {mine} and {theirs}"):
        table(("a", "7", mine), ("a", "8", theirs))


def test_a_file_may_be_query_and_gallery() -> None:
    assert len(table(("a", "7", "query"), ("a", "7", "gallery"))) == 2


def test_validation_identities_are_all_known_or_all_new() -> None:
    table(("a", "1", "train"), ("b", "2", "train"), ("c", "1", "val"))
    table(("a", "1", "train"), ("b", "2", "val"), ("c", "3", "val"))
    with pytest.raises(DataError, match=r"1 are also in train and 1 are not, for example '3'"):
        table(("a", "1", "train"), ("b", "1", "val"), ("c", "3", "val"))
    table(("a", "1", "train"), ("b", "1", "val"), ("c", "3", "val", "elsewhere"))


rows = st.lists(
    st.tuples(st.sampled_from("123"), st.sampled_from(SPLITS), st.sampled_from("xy")),
    min_size=1,
    max_size=6,
)


@settings(max_examples=200, deadline=None)
@given(rows)
def test_leak_rule_against_pairwise_oracle(rows: list[tuple[str, str, str]]) -> None:
    def leaks(a: tuple, b: tuple) -> bool:
        if (a[0], a[2]) != (b[0], b[2]):
            return False
        pair = {a[1], b[1]}
        tested = pair & {"query", "gallery", "test"}
        return bool(pair & {"train", "val"} and tested) or (
            "distractor" in pair and bool(pair & {"query", "test"})
        )

    bad = any(leaks(a, b) for a in rows for b in rows)
    for domain in "xy":
        train = {r[0] for r in rows if r[1:] == ("train", domain)}
        val = {r[0] for r in rows if r[1:] == ("val", domain)}
        bad = bad or (bool(val & train) and not val <= train)
    build = lambda: table(*((f"{i}.jpg", *row) for i, row in enumerate(rows)))  # noqa: E731
    if bad:
        with pytest.raises(DataError):
            build()
    else:
        assert len(build()) == len(rows)


@pytest.mark.parametrize(
    ("sample", "words"),
    [
        (Sample("a.jpg", "", "train"), "identities.*row 0 .*non-empty"),
        (Sample("a.jpg", " 1", "train"), "identities.*' 1'.*without space"),
        (Sample("a.jpg", "1", "training"), "splits.*'training'.*train, val, query"),
        (Sample("a.jpg", "1", "train", camera=0), "cameras.*0.*must be a name"),  # ty: ignore
        (Sample("a.jpg", "1", "train", camera=" x"), "cameras.*' x'"),
        (Sample("a.jpg", "1", "train", view=1), "views.*1.*must be a name"),  # ty: ignore
        (Sample("a.jpg", "1", "train", domain=" "), "domains"),
        (Sample("../a.jpg", "1", "train"), "climbs out"),
        (Sample("./a.jpg", "1", "train"), "plain POSIX path"),
        (Sample("x//a.jpg", "1", "train"), "plain POSIX path"),
        (Sample("x/", "1", "train"), "plain POSIX path"),
        (Sample("", "1", "train"), "plain POSIX path"),
        (Sample("a.jpg", "1", "train", attributes={"camera": "x"}), "cannot be named 'camera'"),
    ],
)
def test_bad_values_are_named(sample: Sample, words: str) -> None:
    with pytest.raises(DataError, match=words):
        Manifest.of("toy", Path("/data"), [sample])


def test_structure_is_checked(mixed: Manifest) -> None:
    with pytest.raises(DataError, match=r"'toy' has no samples"):
        Manifest.of("toy", Path("/data"), [])
    with pytest.raises(DataError, match=r"6 values.*cameras has 1"):
        replace(mixed, cameras=(None,))
    with pytest.raises(DataError, match=r"attribute 'age' has 1"):
        replace(mixed, attributes={"age": ("1",)})
    with pytest.raises(DataError, match=r"a.jpg is listed twice in split 'train' \(rows 0 and 1\)"):
        table(("a.jpg", "1", "train"), ("a.jpg", "1", "train"))
    assert table(("/abs/a.jpg", "1", "train")).path(0) == Path("/abs/a.jpg")


def test_training_rows_cannot_hold_a_test_row(mixed: Manifest) -> None:
    training = mixed.training()
    assert isinstance(training, TrainingManifest)
    assert training.paths == ("t/a.jpg", "t/b.jpg", "t/c.jpg")
    assert isinstance(training.select([0]), TrainingManifest)
    assert isinstance(training.where(split="val"), TrainingManifest)
    with pytest.raises(
        DataError, match=r"holds only the splits train and val, but t/b.jpg is query"
    ):
        training.with_splits(["train", "query", "train"])
    with pytest.raises(DataError, match=r"q/d.jpg is query"):
        TrainingManifest(**{name: getattr(mixed, name) for name in Manifest.__dataclass_fields__})


def test_fingerprint_depends_on_rows_alone(mixed: Manifest) -> None:
    print_ = mixed.fingerprint()
    assert replace(mixed, root=Path("/elsewhere"), name="other").fingerprint() == print_
    changes = {
        "paths": "z.jpg",
        "identities": "99",
        "cameras": "5",
        "views": "5",
        "domains": "z",
        "splits": "distractor",
    }
    for column, value in changes.items():
        values = (*getattr(mixed, column)[:-1], value)
        assert replace(mixed, **{column: values}).fingerprint() != print_, column
    ages = {**mixed.attributes, "age": ("8",) * 6}
    assert replace(mixed, attributes=ages).fingerprint() != print_
    reordered = {key: mixed.attributes[key] for key in ("age", "sex")}
    assert replace(mixed, attributes=reordered).fingerprint() == print_
    assert mixed.select([1, 0, 2, 3, 4, 5]).fingerprint() != print_
    # Pinned: run folders must stay comparable from version to version.
    assert print_[:16] == "3f4ef3960e513e3b"
