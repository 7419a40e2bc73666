from pathlib import Path

import numpy as np
import pytest

from promptreid.data.dataset import DataSet
from promptreid.data.manifest.manifest import Manifest, Sample
from promptreid.data.protocol import fixed_protocol
from promptreid.errors import DataError
from promptreid.figures.selection import pick_identities, pick_images


def data(*, protocol=True, identities=10, gallery=2, lone=()):
    rows = [Sample(f"t{n}.png", f"train{n % 3}", "train") for n in range(6)]
    for identity in range(identities):
        name = f"{identity:02d}"
        rows += [Sample(f"{name}q{n}.png", name, "query", camera="0") for n in range(2)]
        if identity not in lone:
            rows += [Sample(f"{name}g{n}.png", name, "gallery", camera="1") for n in range(gallery)]
    rows += [Sample(f"d{n}.png", "nobody", "distractor", camera="1") for n in range(5)]
    manifest = Manifest.of("set", Path("/nowhere"), rows)
    rule = fixed_protocol(manifest, name="set", same_camera="exclude") if protocol else None
    return DataSet("set:/nowhere", manifest, rule)


def test_identities_come_with_all_their_test_images():
    found = pick_identities(data(), identities=4, seed=1)
    assert len(found.identities) == 4
    assert list(found.identities) == sorted(found.identities)
    assert len(found.manifest) == 16
    assert set(found.manifest.splits) == {"query", "gallery"}
    assert found.roles == found.manifest.splits
    names = [found.identities[group] for group in found.groups]
    assert tuple(names) == found.manifest.identities


def test_the_draw_follows_the_seed_alone():
    picks = [pick_identities(data(), identities=4, seed=seed).identities for seed in (0, 0, 1, 2)]
    assert picks[0] == picks[1]
    assert len(set(picks)) == 3


def test_fewer_identities_than_asked_for_are_all_taken():
    assert len(pick_identities(data(), identities=50).identities) == 10
    with pytest.raises(DataError, match="has 1 identities"):
        pick_identities(data(identities=1), identities=5)


def test_distractors_and_training_images_are_never_shown():
    for seed in range(5):
        found = pick_identities(data(), identities=10, seed=seed)
        assert not {"nobody", "train0", "train1", "train2"} & set(found.manifest.identities)


def test_without_a_protocol_all_images_may_be_shown():
    found = pick_identities(data(protocol=False), identities=99)
    assert set(found.roles) == {"image"}
    assert "train0" in found.identities
    assert "nobody" not in found.identities
    assert len(pick_images(data(protocol=False), images=999).roles) == 6 + 40


def test_images_are_queries_of_different_people_as_far_as_there_are_enough():
    found = pick_images(data(), images=6, seed=4)
    assert found.roles == ("query",) * 6
    assert len(set(found.manifest.identities)) == 6
    more = pick_images(data(), images=13, seed=4)
    counts = np.unique(more.manifest.identities, return_counts=True)[1]
    assert sorted(counts) == [1] * 7 + [2] * 3
    assert len(pick_images(data(), images=999).roles) == 20


def test_domains_are_named_where_there_are_several():
    rows = [
        Sample(f"{domain}{identity}{n}.png", identity, "query", domain=domain)
        for domain in ("a", "b")
        for identity in ("1", "2")
        for n in range(2)
    ]
    both = DataSet("x:/y", Manifest.of("x", Path("/y"), rows), None)
    assert pick_identities(both, identities=9).identities == ("a/1", "a/2", "b/1", "b/2")
