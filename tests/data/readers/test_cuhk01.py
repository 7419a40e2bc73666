from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from promptreid.data.load_data import load_data
from promptreid.errors import DataError


@pytest.fixture
def root(tmp_path: Path, make_images) -> Path:
    names = [f"{person:04d}{image:03d}.png" for person in range(1, 13) for image in range(1, 5)]
    make_images(tmp_path / "campus", names)
    return tmp_path


def test_halves_and_draws(root: Path) -> None:
    data = load_data(f"cuhk01:{root}?train=6")
    m = data.manifest
    assert Counter(m.splits) == {"train": 24, "test": 24}
    assert len(m.identity_list("train")) == 6
    assert m.paths[:4] == ("0001001.png", "0001002.png", "0001003.png", "0001004.png")
    assert m.cameras[:4] == ("A", "A", "B", "B")
    protocol = data.protocol
    assert protocol is not None
    assert len(protocol.repeats) == 10
    for repeat in protocol.repeats:
        assert {m.cameras[row] for row in repeat.query} == {"A"}
        assert len(repeat.query) == 12
        assert {m.cameras[row] for row in repeat.gallery} == {"B"}
        assert sorted(m.identities[row] for row in repeat.gallery) == sorted(
            m.identity_list("test")
        )
    assert len(set(map(str, (r.gallery for r in protocol.repeats)))) > 5


def test_cuts_and_shots(root: Path) -> None:
    cuts = [
        tuple(load_data(f"cuhk01:{root}?train=6&split={n}").manifest.identity_list("train"))
        for n in range(6)
    ]
    assert len(set(cuts)) == 6
    both = load_data(f"cuhk01:{root}/campus?train=6&shots=2").protocol
    assert both is not None
    assert {len(repeat.gallery) for repeat in both.repeats} == {12}


def test_published_number_of_people(tmp_path: Path) -> None:
    for person in range(1, 972):
        for image in range(1, 5):
            (tmp_path / f"{person:04d}{image:03d}.png").touch()
    m = load_data(f"cuhk01:{tmp_path}?repeats=1").manifest
    assert len(m) == 3884
    assert len(m.identity_list("train")) == 485
    assert len(m.identity_list("test")) == 486


def test_too_few_people_and_bad_names(root: Path) -> None:
    with pytest.raises(DataError, match=r"train=485 of 12 people leaves nobody"):
        load_data(f"cuhk01:{root}")
    (root / "campus/0001009.png").touch()
    with pytest.raises(DataError, match=r"0001009.png is not named by person"):
        load_data(f"cuhk01:{root}?train=6")


def test_what_else_lies_there_is_said(root: Path) -> None:
    (root / "campus/readme.txt").touch()
    (root / "campus/0001004.png").unlink()
    (root / "campus/0001004.png").symlink_to("/mnt/gone.png")
    data = load_data(f"cuhk01:{root}?train=6")
    assert "1 file is no image by its name: .txt." in data.notes
    assert data.lost == ("1 image is a link to nothing, for example 0001004.png -> /mnt/gone.png.",)
