from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from facts import lacking

from promptreid.data.load_data import load_data
from promptreid.errors import DataError


def build(root: Path, subjects: dict[int, int], others: dict[int, int]) -> None:
    for folder, people in (("1-501", subjects), ("502-712", others)):
        (root / folder).mkdir(parents=True)
        for subject, images in people.items():
            for n in range(images):
                ending = "JPG" if n % 2 else "jpg"
                (root / folder / f"{subject}_{n + 1}.{ending}").touch()


@pytest.fixture
def root(tmp_path: Path) -> Path:
    build(
        tmp_path / "HD/Original Images",
        {1: 5, 446: 3, 447: 2, 448: 4, 600: 3, 698: 1},
        {1: 3, 448: 2},
    )
    return tmp_path


def test_roles(root: Path) -> None:
    data = load_data(f"hd_hands:{root}/HD")
    m = data.manifest
    assert m.identity_list("train") == ["1", "446", "447"]
    assert m.identity_list("val") == ["1", "446", "447"]
    assert m.identity_list("test") == ["448", "600", "698"]
    # The further subjects are numbered anew; 448 there is not 448 here.
    assert m.identity_list("distractor") == ["1001", "1448"]
    assert Counter(m.splits) == {"train": 7, "val": 3, "test": 8, "distractor": 5}
    protocol = data.protocol
    assert protocol is not None
    assert (protocol.name, protocol.same_camera) == ("hd_hands/gallery_all", "keep")
    distractors = set(m.indices("distractor").tolist())
    for repeat in protocol.repeats:
        assert distractors < set(repeat.gallery.tolist())
        assert len(repeat.gallery) == 3 + 5
        assert Counter(m.identities[row] for row in repeat.query) == {"448": 3, "600": 2}
    assert len({tuple(repeat.query) for repeat in protocol.repeats}) > 4


def test_without_distractors(root: Path) -> None:
    data = load_data(f"hd_hands:{root}?gallery=same")
    assert data.protocol is not None
    assert data.protocol.name == "hd_hands/gallery"
    assert {len(repeat.gallery) for repeat in data.protocol.repeats} == {3}
    assert "distractor" not in data.manifest.splits
    assert not lacking(data.notes[-1], "5 images of further subjects", "502-712", "gallery=all")


def test_published_counts(tmp_path: Path) -> None:
    """502 subjects with 4650 images, 251 of them trained on with 2407; 213 others with 1342."""

    def spread(ids: list[int], images: int) -> dict[int, int]:
        few, more = divmod(images, len(ids))
        return {name: few + (n < more) for n, name in enumerate(ids)}

    train = spread([*range(1, 251), 447], 2407)
    test = spread(list(range(448, 699)), 2243)
    build(tmp_path, train | test, spread(list(range(1, 214)), 1342))
    data = load_data(f"hd_hands:{tmp_path}")
    assert Counter(data.manifest.splits) == {
        "train": 2156,
        "val": 251,
        "test": 2243,
        "distractor": 1342,
    }
    assert data.protocol is not None
    assert {(len(r.query), len(r.gallery)) for r in data.protocol.repeats} == {(1992, 1593)}


def test_nobody_left(root: Path) -> None:
    with pytest.raises(DataError, match=r"left to test on.*numbered 1 to 698.*threshold=N"):
        load_data(f"hd_hands:{root}?threshold=9999")
    with pytest.raises(DataError, match=r"left to train on"):
        load_data(f"hd_hands:{root}?threshold=0")


def test_wrong_layout_and_names(root: Path) -> None:
    with pytest.raises(DataError, match=r"folders 1-501 and 502-712 .*gallery=same"):
        load_data(f"hd_hands:{root / 'HD/Original Images/1-501/..'}/1-501/nowhere")
    (root / "HD/Original Images/1-501/notes.jpg").touch()
    with pytest.raises(DataError, match=r"notes.jpg is not named <subject>_<number>.jpg"):
        load_data(f"hd_hands:{root}")
