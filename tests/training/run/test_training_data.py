import numpy as np
import pytest

from promptreid.data.load_data import load_data
from promptreid.data.side_information import SideTables
from promptreid.errors import DataError
from promptreid.training.run.training_data import training_data


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
    two = table(tmp_path / "two.csv", rows("y", ["1", "2"], camera=0))
    data = gather(one, two)
    assert len(data.classes) == 4
    assert data.camera_values == (("one", "0"), ("two", "0"))
    assert np.unique(data.cameras).tolist() == [0, 1]
    assert (data.views == -1).all()
    with pytest.raises(DataError, match="given twice"):
        gather(one, one)


def test_data_sets_of_one_name_are_told_apart_by_folder(tmp_path):
    sites = []
    for site in ("north", "south"):
        (tmp_path / site).mkdir()
        sites.append(table(tmp_path / site / "crops.csv", rows("x", ["1", "2"])))
    data = gather(*sites)
    assert data.classes == ("crops:north/1", "crops:north/2", "crops:south/1", "crops:south/2")
    assert data.domains == ("crops:north", "crops:south")
    assert data.class_domains.tolist() == [0, 0, 1, 1]


def test_tables_of_one_name_over_one_folder_are_two_data_sets(tmp_path):
    """The tables of two cameras may have one name and their pictures one folder."""
    tables = []
    for camera in ("cam1", "cam2"):
        table(tmp_path / f"{camera}.csv", rows(camera, list("abcdef")))
        (tmp_path / "lists" / camera).mkdir(parents=True)
        file = (tmp_path / f"{camera}.csv").rename(tmp_path / "lists" / camera / "list.csv")
        tables.append(load_data(f"csv:{file}?root={tmp_path}"))
    data = gather(*tables)
    assert len(data.classes) == 12
    assert data.classes[0] == "list:cam1/a"
    assert data.domains == ("list:cam1", "list:cam2")


def test_tables_with_the_same_rows_are_one_data_set(tmp_path):
    one = table(tmp_path / "one.csv", rows("x", ["1", "2"]))
    two = table(tmp_path / "two.csv", rows("x", ["1", "2"]))
    with pytest.raises(DataError, match=r"given twice.*one\.csv.*two\.csv"):
        gather(one, two)


def test_data_sets_with_images_in_common(tmp_path):
    one = table(tmp_path / "one.csv", rows("x", ["1", "2"]))
    more = table(tmp_path / "more.csv", rows("x", ["2", "3", "4"]))
    with pytest.raises(DataError, match=r"have 2 images for training in common.*/2-0"):
        gather(one, more)
    with pytest.raises(DataError, match=r"given twice: csv:.*one.csv, csv:.*seed=3"):
        gather(one, load_data(f"{one.spec}?seed=3"))
    tested = [
        row.replace(",train", f",{role}")
        for row, role in zip(rows("x", ["1"]), ("query", "gallery"), strict=True)
    ]
    other = table(tmp_path / "tested.csv", [*tested, *rows("z", ["8", "9"])])
    for order in ((one, other), (other, one)):
        with pytest.raises(DataError, match=r"2 images train in .*one.csv and are tested in .*t"):
            gather(*order)


def test_one_identity_is_not_enough(tmp_path):
    with pytest.raises(DataError, match="at least two identities"):
        gather(table(tmp_path / "a.csv", rows("x", ["1"])))


def test_validation_identities_leave_the_training_rows(tmp_path):
    data = gather(table(tmp_path / "a.csv", rows("x", list("abcdef"))), validation="identities")
    (held,) = data.validations
    assert not set(held.manifest.identities) & set(data.classes)


HANDS = [
    # identity 1 is one person's two sides; "tone" and "sex" hold for a person, "side" does not
    "h/1-0.jpg,1,0,,h,train,dorsal_right,dark,female",
    "h/1-1.jpg,1,0,,h,train,palmar_right,dark,female",
    "h/2-0.jpg,2,0,,h,train,palmar_right,fair,male",
    "h/2-1.jpg,2,0,,h,train,dorsal_left,fair,male",
    "h/3-0.jpg,3,0,,h,train,dorsal_right,fair,",
]


def hands(path, rows=HANDS):
    for row in rows:
        image = path.parent / row.partition(",")[0]
        image.parent.mkdir(exist_ok=True)
        image.touch()
    head = "path,identity,camera,view,domain,split,side,tone,sex"
    path.write_text("\n".join([head, *rows]) + "\n")
    return load_data(f"csv:{path}")


def attributes(*datasets, **options):
    return training_data(datasets, validation="none", fraction=0.5, seed=0, **options)


def test_fields_that_hold_for_an_identity_are_told_from_those_of_the_sample(tmp_path):
    data = attributes(hands(tmp_path / "a.csv"), fields=("tone", "side"))
    assert data.fields.identity == {"tone": ("dark", "fair", "fair")}
    assert data.fields.variants == (
        {"side": "dorsal_left"},
        {"side": "dorsal_right"},
        {"side": "palmar_right"},
    )
    assert data.variants.dtype == np.int64
    assert data.variants.tolist() == [1, 2, 2, 0, 1]


def test_without_fields_there_is_one_variant(tmp_path):
    data = attributes(hands(tmp_path / "a.csv"))
    assert data.fields.identity == {}
    assert data.fields.variants == ({},)
    assert data.variants.tolist() == [0] * 5


def test_fields_of_several_data_sets_are_read_together(tmp_path):
    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()
    one = hands(tmp_path / "one" / "one.csv")
    two = hands(tmp_path / "two" / "two.csv", [row.replace("dark", "pale") for row in HANDS[:4]])
    data = attributes(one, two, fields=("tone",))
    assert data.fields.identity["tone"] == ("dark", "fair", "fair", "pale", "fair")


def test_a_field_the_data_lack_is_refused_with_what_there_is(tmp_path):
    with pytest.raises(DataError, match=r"named 'sid'.*'side'.*Known: sex, side, tone.*A prompt"):
        attributes(hands(tmp_path / "a.csv"), fields=("sid",))
    with pytest.raises(DataError, match=r"named 'aspect'.*Known: sex, side, tone.*sie.attribute"):
        attributes(hands(tmp_path / "a.csv"), side_attribute="aspect")


def test_missing_values_of_a_field_are_counted(tmp_path):
    with pytest.raises(DataError, match=r"'sex', but 1 of 5 training images.*h/3-0\.jpg"):
        attributes(hands(tmp_path / "a.csv"), fields=("sex",))
    attributes(hands(tmp_path / "a.csv", HANDS[:4]), fields=("sex",))


def test_an_attribute_stands_for_the_view(tmp_path):
    data = attributes(hands(tmp_path / "a.csv"), side_attribute="sex")
    assert data.view_values == ("female", "male")
    assert data.views.tolist() == [0, 0, 1, 1, -1]
    plain = attributes(hands(tmp_path / "a.csv"))
    assert plain.view_values == ()
    assert plain.views.tolist() == [-1] * 5


def test_validation_rows_name_cameras_as_training_rows_do(tmp_path):
    one = table(tmp_path / "one.csv", rows("x", ["1", "2"], camera=0))
    two = table(tmp_path / "two.csv", rows("y", ["1", "2"], camera=0))
    data = gather(one, two, validation="images")
    for position, held in enumerate(data.validations):
        found = SideTables(cameras=data.camera_values).camera_rows(held.manifest)
        assert found.tolist() == [position] * 4


def test_a_sentence_can_name_the_identity(tmp_path):
    dataset = table(tmp_path / "a.csv", rows("x", ["bella", "anna"]))
    data = training_data([dataset], validation="none", fraction=0.5, seed=0, fields=["identity"])
    assert data.fields.identity == {"identity": ("anna", "bella")}


def test_classes_know_their_domain(tmp_path):
    data = gather(table(tmp_path / "a.csv", rows("y", ["1"]) + rows("x", ["1", "2"])))
    assert data.domains == ("x", "y")
    assert data.class_domains.tolist() == [0, 0, 1]
    one = table(tmp_path / "one.csv", rows("x", ["1", "2"]))
    two = table(tmp_path / "two.csv", rows("z", ["5"]) + rows("w", ["5"]))
    assert gather(one, two).domains == ("one", "two/w", "two/z")
