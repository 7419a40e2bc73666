import numpy as np
import pytest

from promptreid.data.dataset import load_data
from promptreid.errors import DataError
from promptreid.training.data import training_data


def table(path, rows):
    for row in rows:  # a data set must exist, but nothing here opens its images
        image = path.parent / row.partition(",")[0]
        image.parent.mkdir(exist_ok=True)
        image.touch()
    path.write_text("\n".join(["path,identity,camera,view,domain,split", *rows]) + "\n")
    return load_data(f"csv:{path}")


def gather(*datasets, validation="none"):
    return training_data(datasets, validation=validation, fraction=0.5, seed=0)


def rows(domain, identities, camera=3):
    return [
        f"{domain}/{name}-{k}.jpg,{name},{camera},,{domain},train"
        for name in identities
        for k in range(2)
    ]


def test_labels_ascend_by_identity_and_not_by_row(tmp_path):
    data = gather(table(tmp_path / "a.csv", rows("x", ["10", "9", "2"])))
    assert data.classes == ("2", "9", "10")
    assert data.labels.tolist() == [2, 2, 1, 1, 0, 0]


def test_same_name_in_two_domains_is_two_people(tmp_path):
    data = gather(table(tmp_path / "a.csv", rows("y", ["1", "2"]) + rows("x", ["1", "2"])))
    assert data.classes == ("x/1", "x/2", "y/1", "y/2")
    assert data.labels.tolist() == [2, 2, 3, 3, 0, 0, 1, 1]


def test_two_data_sets_share_neither_people_nor_cameras(tmp_path):
    one = table(tmp_path / "one.csv", rows("x", ["1", "2"], camera=0))
    two = table(tmp_path / "two.csv", rows("x", ["1", "2"], camera=0))
    data = gather(one, two)
    assert len(data.classes) == 4
    assert len(data.camera_values) == 2
    assert np.unique(data.cameras).tolist() == [0, 1]
    assert (data.views == -1).all()
    with pytest.raises(DataError, match="given twice"):
        gather(one, one)


def test_one_identity_is_not_enough(tmp_path):
    with pytest.raises(DataError, match="at least two identities"):
        gather(table(tmp_path / "a.csv", rows("x", ["1"])))


def test_validation_identities_leave_the_training_rows(tmp_path):
    data = gather(table(tmp_path / "a.csv", rows("x", list("abcdef"))), validation="identities")
    (held,) = data.validations
    assert not set(held.manifest.identities) & set(data.classes)
