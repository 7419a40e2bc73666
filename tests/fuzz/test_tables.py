"""Tables of any content through readers and inspection: a data set or a sentence."""

import csv
import io

import numpy as np
import pytest
from damage import damaged, damaged_text, fuzz, odd_words, survives
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from promptreid.data.dataset import DataSet
from promptreid.data.inspection.inspect import inspect_data, render_text
from promptreid.data.load_data import load_data
from promptreid.data.manifest.manifest_files import read_manifest, write_manifest

pytestmark = pytest.mark.slow

NAMES = [f"im/{person}_{number}.png" for person in "abcd" for number in range(4)]
CSV = "path,identity,camera,split,breed\n" + "".join(
    f'{name},"{name[3]}",{number % 2},{"train" if name[3] in "ab" else "test"},"old, red"\n'
    for number, name in enumerate(NAMES)
)
HANDS = (
    "id,age,gender,skinColor,accessories,nailPolish,aspectOfHand,imageName,irregularities\n"
    + "".join(
        f"{person:07d},27,male,fair,0,0,dorsal right,Hand_{person}{number}.jpg,0\n"
        for person in (0, 1, 1051, 1052)
        for number in range(4)
    )
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    root = tmp_path_factory.mktemp("tables")
    hands = [f"Hands/{line.split(',')[7]}" for line in HANDS.splitlines()[1:]]
    for number, name in enumerate([*NAMES, *hands]):
        path = root / name
        path.parent.mkdir(exist_ok=True)
        noise = np.random.default_rng(number).integers(0, 255, (6, 4, 3), dtype=np.uint8)
        Image.fromarray(noise).save(path)
    return root


def inspected(spec):
    """Load, count and render a data set as `data inspect` does."""
    dataset = load_data(spec)
    found = inspect_data(dataset, check_images=False)
    render_text(found)
    return dataset


def test_the_undamaged_tables_are_read(folder):
    (folder / "whole.csv").write_text(CSV)
    (folder / "HandInfo.csv").write_text(HANDS)
    assert len(inspected(f"csv:{folder / 'whole.csv'}").manifest) == len(NAMES)
    assert isinstance(inspected(f"hands11k:{folder}?aspect=dorsal_right"), DataSet)


@fuzz(400)
@given(st.one_of(damaged_text(CSV), damaged(CSV.encode())))
def test_damaged_tables(folder, content):
    (folder / "x.csv").write_bytes(content)
    survives(lambda: inspected(f"csv:{folder / 'x.csv'}"))


@fuzz(150)
@given(st.one_of(damaged_text(HANDS), damaged(HANDS.encode())))
def test_damaged_hand_info(folder, content):
    (folder / "HandInfo.csv").write_bytes(content)
    survives(lambda: inspected(f"hands11k:{folder}?aspect=dorsal_right"))


cells = st.one_of(odd_words, st.text(max_size=8), st.integers().map(str), st.sampled_from("01ab"))
columns = st.sampled_from(
    (
        "identity",
        "camera",
        "view",
        "domain",
        "split",
        "x_1",
        "x_2",
        "y_1",
        "y_2",
        "bbox",
        "id",
        "",
        "breed",
        "Unnamed: 0",
    )
)


@fuzz(250)
@given(st.data())
def test_tables_of_any_cells(folder, data):
    header = ["path", "identity", *data.draw(st.lists(columns, max_size=4))]
    text = io.StringIO()
    table = csv.writer(text, delimiter=data.draw(st.sampled_from(",;\t|")))
    table.writerow(header)
    for _ in range(data.draw(st.integers(0, 6))):
        path = data.draw(st.one_of(st.sampled_from(NAMES), cells))
        table.writerow([path, *(data.draw(cells) for _ in header[1:])])
    (folder / "y.csv").write_bytes(text.getvalue().encode("utf-8", "replace"))
    option = data.draw(st.sampled_from(("", "&boxes=cut", "&boxes=ignore", "&identities=closed")))
    survives(lambda: inspected(f"csv:{folder / 'y.csv'}?missing=skip{option}"))


@fuzz(200)
@given(st.data())
def test_boxes_of_any_numbers(folder, data):
    header = ["path", "identity", "x_1", "y_1", "x_2", "y_2", "bbox"]
    sides = st.one_of(st.integers(-9, 9), st.floats(width=32), st.sampled_from(("", "nan", "1e9")))
    rows = []
    for _ in range(data.draw(st.integers(1, 5))):
        name = data.draw(st.sampled_from(NAMES))
        box = [str(data.draw(sides)) for _ in range(4)]
        rows.append([name, name[3], *box, f"[{', '.join(map(str, data.draw(st.lists(sides))))}]"])
    kept = data.draw(st.sampled_from((slice(0, 6), slice(0, 7), [0, 1, 6])))
    text = io.StringIO()
    table = csv.writer(text)
    for row in (header, *rows):
        table.writerow(row[kept] if isinstance(kept, slice) else [row[at] for at in kept])
    (folder / "z.csv").write_text(text.getvalue())
    survives(lambda: inspect_data(load_data(f"csv:{folder / 'z.csv'}")))


@fuzz(150)
@given(st.one_of(damaged_text(CSV), damaged(CSV.encode())))
def test_damaged_manifests(folder, content):
    (folder / "m.csv").write_bytes(content)
    survives(lambda: read_manifest(folder / "m.csv"))


def test_damaged_parquet(folder, tmp_path):
    (folder / "whole.csv").write_text(CSV)
    path = tmp_path / "m.parquet"
    write_manifest(load_data(f"csv:{folder / 'whole.csv'}").manifest, path)
    whole = path.read_bytes()

    @fuzz(60)
    @given(damaged(whole))
    def check(content):
        path.write_bytes(content)
        survives(lambda: read_manifest(path))

    check()
