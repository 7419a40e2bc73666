from __future__ import annotations

import csv
import random
from collections import Counter
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest
from facts import lacking

from promptreid.data.dataset import DataSet
from promptreid.data.load_data import load_data
from promptreid.data.splits.validation import make_validation
from promptreid.errors import DataError

COLUMNS = (
    "id",
    "age",
    "gender",
    "skinColor",
    "accessories",
    "nailPolish",
    "aspectOfHand",
    "imageName",
    "irregularities",
)
# Published counts after the filter: threshold, training ids and images, test ids and images,
# and what follows from them.
PUBLISHED = {
    "dorsal_right": {
        "last": 1050,
        "train": (72, 962),
        "test": (71, 1042),
        "rest": 890,
        "query": 971,
    },
    "dorsal_left": {
        "last": 1037,
        "train": (73, 808),
        "test": (73, 1061),
        "rest": 735,
        "query": 988,
    },
    "palmar_right": {
        "last": 1051,
        "train": (72, 977),
        "test": (71, 988),
        "rest": 905,
        "query": 917,
    },
    "palmar_left": {
        "last": 1042,
        "train": (76, 1004),
        "test": (75, 1023),
        "rest": 928,
        "query": 948,
    },
}


def write(root: Path, hands: list[tuple[str, str, int]], folder: str = "Hands") -> None:
    """Each hand is (id as written, aspect, accessories)."""
    (root / folder).mkdir(parents=True)
    rows = []
    for number, (person, aspect, accessories) in enumerate(hands):
        name = f"Hand_{number:07d}.jpg"
        (root / folder / name).touch()
        spoken = aspect.replace("_", " ")
        rows.append([person, 27, "male", "fair", accessories, 0, spoken, name, 0])
    with (root / "HandInfo.csv").open("w", newline="") as stream:
        writer = csv.writer(stream, quoting=csv.QUOTE_NONNUMERIC)
        writer.writerow(COLUMNS)
        writer.writerows(rows)


def spread(ids: list[int], images: int) -> list[int]:
    """Share images out over ids, at least two each."""
    few, more = divmod(images, len(ids))
    return [who for n, who in enumerate(ids) for _ in range(few + (n < more))]


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Metadata with the published counts of identities and images per aspect."""
    root = tmp_path_factory.mktemp("11k")
    hands = []
    for aspect, counts in PUBLISHED.items():
        last = counts["last"]
        train = [*range(counts["train"][0] - 1), last]
        test = [*range(last + 1, last + counts["test"][0]), 9_000_000]
        people = spread(train, counts["train"][1]) + spread(test, counts["test"][1])
        hands += [(f"{who:07d}", aspect, 0) for who in people]
        hands += [("0000003", aspect, 1), ("0001500", aspect, 1)]
    random.Random(0).shuffle(hands)
    write(root, hands)
    return root


@pytest.fixture(scope="module")
def load_published(published: Path) -> Callable[[str], DataSet]:
    """Read the published metadata with some options, once for all tests."""
    return cache(lambda options: load_data(f"hands11k:{published}?{options}"))


@pytest.mark.parametrize("aspect", list(PUBLISHED))
def test_published_counts(load_published: Callable[[str], DataSet], aspect: str) -> None:
    counts = PUBLISHED[aspect]
    data = load_published(f"aspect={aspect}")
    m = data.manifest
    assert m.name == f"hands11k-{aspect}"
    assert set(m.domains) == {f"hands11k/{aspect}"}
    assert Counter(m.splits) == {
        "train": counts["rest"],
        "val": counts["train"][0],
        "test": counts["test"][1],
    }
    assert len(m.identity_list("train")) == counts["train"][0]
    assert m.identity_list("val") == m.identity_list("train")
    assert len(m.identity_list("test")) == counts["test"][0]
    protocol = data.protocol
    assert protocol is not None
    assert (protocol.name, protocol.ap, protocol.same_camera) == (
        "hands11k/gallery",
        "step",
        "keep",
    )
    assert len(protocol.repeats) == 10
    for repeat in protocol.repeats:
        assert len(repeat.query) == counts["query"]
        names = [m.identities[row] for row in repeat.gallery]
        assert len(names) == len(set(names)) == counts["test"][0]
    assert len({tuple(repeat.gallery) for repeat in protocol.repeats}) == 10


@pytest.mark.parametrize("aspect", list(PUBLISHED))
def test_gallery_all(load_published: Callable[[str], DataSet], aspect: str) -> None:
    data = load_published(f"aspect={aspect}&gallery=all")
    m, protocol = data.manifest, data.protocol
    assert protocol is not None
    assert protocol.name == "hands11k/gallery_all"
    own = load_published(f"aspect={aspect}")
    assert own.protocol is not None
    for repeat, alone in zip(protocol.repeats, own.protocol.repeats, strict=True):
        assert len(repeat.gallery) == len({m.identities[row] for row in repeat.gallery}) == 290
        assert paths(data, repeat.query) == paths(own, alone.query)
        assert paths(own, alone.gallery) < paths(data, repeat.gallery)
    # The distractors are exactly the other aspects' own galleries of the same repeat.
    other = next(name for name in PUBLISHED if name != aspect)
    there = load_published(f"aspect={other}")
    assert there.protocol is not None
    assert paths(there, there.protocol.repeats[4].gallery) < paths(
        data, protocol.repeats[4].gallery
    )
    assert all("/" in name for name in m.identity_list("distractor"))
    # Training does not change.
    assert m.where(split=("train", "val")).paths == own.manifest.where(split=("train", "val")).paths


def paths(data: DataSet, rows) -> set[str]:
    return {data.manifest.paths[row] for row in rows}


def test_all_aspects(published: Path) -> None:
    data = load_data(f"hands11k:{published}?aspect=all")
    m, protocol = data.manifest, data.protocol
    assert len(m) == 7865
    assert set(m.domains) == {f"hands11k/{aspect}" for aspect in PUBLISHED}
    assert {name.split("/")[1] for name in m.identities} == set(PUBLISHED)
    train = {n.split("/")[0] for n in m.identity_list("train")}
    test = {n.split("/")[0] for n in m.identity_list("test")}
    assert not train & test
    assert protocol is not None
    assert len(protocol.repeats) == 40
    for repeat in protocol.repeats:
        assert len({m.domains[row] for row in [*repeat.query, *repeat.gallery]}) == 1
    together = load_data(f"hands11k:{published}?aspect=all&gallery=all&thresholds=mba")
    assert together.protocol is not None
    queries = sum(counts["query"] for counts in PUBLISHED.values())
    assert {(len(r.query), len(r.gallery)) for r in together.protocol.repeats} == {(queries, 290)}
    # Published thresholds let people train with one hand and be tested with another: said.
    assert any("train with one hand" in note for note in together.notes)
    assert not any("train with one hand" in note for note in data.notes)


def test_common_threshold_leaves_dorsal_right_as_published(
    load_published: Callable[[str], DataSet],
) -> None:
    published_split = load_published("aspect=dorsal_right")
    common = load_published("aspect=dorsal_right&thresholds=common")
    assert common.manifest == published_split.manifest
    assert common.protocol == published_split.protocol
    left = load_published("aspect=dorsal_left&thresholds=1044").manifest
    assert max(map(int, left.identity_list("train"))) <= 1044
    assert min(map(int, left.identity_list("test"))) > 1044


def test_listing_order_does_not_matter(published: Path, tmp_path: Path) -> None:
    lines = (published / "HandInfo.csv").read_text().splitlines()
    (tmp_path / "HandInfo.csv").write_text("\n".join([lines[0], *reversed(lines[1:])]))
    (tmp_path / "Hands").symlink_to(published / "Hands")
    a, b = (load_data(f"hands11k:{root}") for root in (published, tmp_path))
    assert a.manifest.fingerprint() == b.manifest.fingerprint()
    assert a.protocol == b.protocol
    c = load_data(f"hands11k:{published}?seed=1")
    assert c.protocol != a.protocol
    assert c.manifest.fingerprint() != a.manifest.fingerprint()


SMALL = [
    *[("0000000", "dorsal_right", 0)] * 3,
    *[("0000002", "dorsal_right", 0)] * 2,
    ("0000004", "dorsal_right", 0),
    ("0000000", "dorsal_right", 1),
    *[("1200000", "dorsal_right", 0)] * 2,
    ("1200000 ", "dorsal_right", 0),
    *[("1300000", "dorsal_right", 0)] * 2,
    ("1400000", "dorsal_right", 0),
    *[("1200000", "palmar_left", 0)] * 2,
]


def test_ids_are_stripped_and_plain(tmp_path: Path) -> None:
    write(tmp_path, SMALL)
    data = load_data(f"hands11k:{tmp_path}")
    m = data.manifest
    assert m.identity_list("train", "val") == ["0", "2", "4"]
    assert Counter(m.where(split="test").identities) == {"1200000": 3, "1300000": 2, "1400000": 1}
    assert m.attributes["id"][0] == "0000000"
    assert set(m.attributes) == {*COLUMNS, "aspect", "skin"}


def test_accessories_are_dropped_unless_kept(tmp_path: Path) -> None:
    write(tmp_path, SMALL)
    assert len(load_data(f"hands11k:{tmp_path}").manifest) == 12
    assert len(load_data(f"hands11k:{tmp_path}?accessories=keep").manifest) == 13


def test_what_is_not_used_is_counted(tmp_path: Path) -> None:
    write(tmp_path, SMALL)
    listed = len(SMALL)
    (note,) = [n for n in load_data(f"hands11k:{tmp_path}").notes if n.startswith("HandInfo.csv")]
    others = listed - 13
    unused = f"{others} image{'s' * (others != 1)} of other aspects than dorsal_right"
    assert not lacking(note, f"{listed} images", "1 image with accessories", unused)
    kept = load_data(f"hands11k:{tmp_path}?accessories=keep&aspect=all&thresholds=half")
    assert not any(note.startswith("HandInfo.csv lists") for note in kept.notes)
    (tmp_path / "Hands/Hand_9999999.jpg").touch()
    notes = load_data(f"hands11k:{tmp_path}").notes
    assert any(
        note.startswith("1 image in these folders is not listed in HandInfo.csv") for note in notes
    )


def test_lonely_images(tmp_path: Path) -> None:
    write(tmp_path, SMALL)
    data = load_data(f"hands11k:{tmp_path}")
    m = data.manifest
    assert m.identity_list("val") == ["0", "2"]
    assert m.identity_list("train") == ["0", "2", "4"]
    assert data.protocol is not None
    for repeat in data.protocol.repeats:
        assert "1400000" in {m.identities[row] for row in repeat.gallery}
        assert "1400000" not in {m.identities[row] for row in repeat.query}
    assert any("1 training identities have a single image" in note for note in data.notes)
    assert any("1 test identities have a single image" in note for note in data.notes)


def test_partial_data_and_another_folder(tmp_path: Path) -> None:
    write(tmp_path, SMALL, folder="part")
    for n in (0, 7):
        (tmp_path / f"part/Hand_{n:07d}.jpg").unlink()
    with pytest.raises(
        DataError, match=r"for the folder Hands .*holds HandInfo.csv, part/.*images="
    ):
        load_data(f"hands11k:{tmp_path}")
    with pytest.raises(DataError) as caught:
        load_data(f"hands11k:{tmp_path}?images=part")
    missing = ("part/Hand_0000000.jpg", "part/Hand_0000007.jpg")
    place = ("2 of 12 images", "HandInfo.csv", str(tmp_path))
    assert not lacking(str(caught.value), *place, *missing, "missing=skip")
    data = load_data(f"hands11k:{tmp_path}?images=part&missing=skip")
    assert len(data.manifest) == 10
    assert data.manifest.path(0) == tmp_path / "part/Hand_0000001.jpg"


def test_thresholds_that_leave_nobody(tmp_path: Path) -> None:
    write(tmp_path, [(f"{n:07d}", "dorsal_right", 0) for n in (1, 1, 2, 2, 3, 3, 4, 4)])
    with pytest.raises(
        DataError, match=r"left to test on.*numbered 1 to 4.*up to 1050 train.*=half"
    ):
        load_data(f"hands11k:{tmp_path}")
    half = load_data(f"hands11k:{tmp_path}?thresholds=half").manifest
    assert half.identity_list("train") == ["1", "2"]
    assert half.identity_list("test") == ["3", "4"]
    with pytest.raises(DataError, match=r"left to train on"):
        load_data(f"hands11k:{tmp_path}?thresholds=0")
    with pytest.raises(DataError, match=r"lists no image of palmar_left"):
        load_data(f"hands11k:{tmp_path}?aspect=palmar_left")


def test_no_test_person_with_two_images(tmp_path: Path) -> None:
    write(tmp_path, [(f"{n:07d}", "dorsal_right", 0) for n in (1, 1, 2000, 3000)])
    with pytest.raises(DataError, match=r"No test person has two images"):
        load_data(f"hands11k:{tmp_path}")


@pytest.mark.parametrize(
    ("find", "put", "words"),
    [
        ('"0000004"', '"12a"', "line 7, column id: '12a' is not a whole number"),
        (
            "palmar left",
            "palm left",
            "line 15, column aspectOfHand: .*hand aspect named 'palm_left'.*'palmar_left'",
        ),
        ("aspectOfHand", "aspect", "lacks the columns aspectOfHand"),
    ],
)
def test_broken_metadata(tmp_path: Path, find: str, put: str, words: str) -> None:
    write(tmp_path, SMALL)
    file = tmp_path / "HandInfo.csv"
    file.write_text(file.read_text().replace(find, put))
    with pytest.raises(DataError, match=words):
        load_data(f"hands11k:{tmp_path}")


def test_validation_is_closed_set(published: Path) -> None:
    data = load_data(f"hands11k:{published}")
    train, validation = make_validation(data, kind="auto", fraction=0.1, seed=0)
    assert len(train) == 890
    assert validation is not None
    (repeat,) = validation.protocol.repeats
    assert (len(repeat.query), len(repeat.gallery)) == (72, 890)


def test_the_table_is_read_as_any_table(tmp_path: Path) -> None:
    write(tmp_path, SMALL)
    file = tmp_path / "HandInfo.csv"
    lines = file.read_text().splitlines()
    plain = load_data(f"hands11k:{tmp_path}")
    rows = [f"{number},{line}" for number, line in enumerate(lines[1:])]
    file.write_text("\n".join([f",{lines[0]}", *rows, rows[0]]))
    data = load_data(f"hands11k:{tmp_path}")
    assert data.manifest == plain.manifest
    assert any("HandInfo.csv: column 1 has no name and was left out" in note for note in data.notes)
    assert any("1 row names an image again" in note for note in data.notes)


@pytest.mark.parametrize(
    ("row", "find", "put", "words"),
    [
        (3, ",27,", ',"27,', "HandInfo.csv, line 4, column age: a quotation mark opens here"),
        (3, '"0000', '"9' + "9" * 5000, r"line 4, column id: '9{60}'… \(5,0.. characters\) is not"),
        (3, "Hand_", "Ha\0nd_", "HandInfo.csv, line 4: character .* is a zero"),
        (3, ",27,", ",27,28,", "HandInfo.csv, line 4: 10 cells, but the header names 9 columns"),
        (12, "Hand_0000011", "Hand_0000001", r"Hand_0000001.jpg in lines 3 and 13 \(id '"),
    ],
)
def test_the_table_is_read_strictly(
    tmp_path: Path, row: int, find: str, put: str, words: str
) -> None:
    write(tmp_path, SMALL)
    file = tmp_path / "HandInfo.csv"
    lines = file.read_text().splitlines()
    assert find in lines[row]
    lines[row] = lines[row].replace(find, put, 1)
    file.write_text("\n".join(lines) + "\n")
    with pytest.raises(DataError, match=words):
        load_data(f"hands11k:{tmp_path}")
