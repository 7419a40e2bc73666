"""The rows of a data set that its protocol tests."""

from pathlib import Path

import numpy as np
import pytest

from promptreid.data.dataset import DataSet
from promptreid.data.manifest.manifest import Manifest, Sample
from promptreid.data.protocol import Protocol, Repeat
from promptreid.errors import EvaluationError
from promptreid.evaluation import TestSet


def dataset(protocol, splits="query gallery gallery train query", domains="aaaaa"):
    rows = [
        Sample(
            f"{row}.png",
            f"{row}" if split in ("train", "val") else str(row % 2),
            split,
            camera="3" if row else None,
            domain=domain,
        )
        for row, (split, domain) in enumerate(zip(splits.split(), domains, strict=True))
    ]
    return DataSet("set:/data", Manifest.of("set", Path("/data"), rows), protocol)


def test_rows_are_numbered_by_the_protocol():
    repeats = (Repeat([4], [1, 2]), Repeat([4], [2]))
    found = TestSet.of(dataset(Protocol("two", repeats, "keep", "step")))
    assert (found.spec, found.name, len(found)) == ("set:/data", "set", 3)
    assert found.manifest.paths == ("1.png", "2.png", "4.png")
    assert [repeat.query.tolist() for repeat in found.protocol.repeats] == [[2], [2]]
    assert [repeat.gallery.tolist() for repeat in found.protocol.repeats] == [[0, 1], [1]]
    (first,) = found.first_repeat().protocol.repeats
    assert np.array_equal(first.gallery, [0, 1])
    assert len(found.first_repeat()) == 3


def test_identities_and_cameras_are_named_for_people():
    protocol = Protocol("one", (Repeat([0, 4], [1, 2]),), "keep", "step")
    found = TestSet.of(dataset(protocol))
    assert found.identity_names() == ("0", "1", "0", "0")
    assert found.camera_names() == ("", "3", "3", "3")
    several = TestSet.of(dataset(protocol, domains="abbbb"))
    assert several.identity_names() == ("a/0", "b/1", "b/0", "b/0")


def test_a_data_set_without_test_images_says_what_it_holds():
    with pytest.raises(EvaluationError) as caught:
        TestSet.of(dataset(None, splits="train train val train val"))
    text = str(caught.value)
    assert "set:/data has nothing to test on: no query and gallery images" in text
    assert "3 train images, 2 val images" in text
    assert "Give a data set with test images" in text
