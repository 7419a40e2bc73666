"""A run is tested on nobody who trained it, however its data have changed since."""

import shutil
from pathlib import Path

import pytest
from run_records import environment_record

from promptreid.config.recipes import load_recipe
from promptreid.data.load_data import load_data
from promptreid.errors import RunError
from promptreid.runs.run_data import check_same_data, locate_spec, record_data
from promptreid.runs.run_folder import RunFolder
from promptreid.runs.run_images import list_images, name_people
from promptreid.runs.seen_identities import make_testable


def start(path, *specs, recipe="clip-reid"):
    """Make the folder of a run on data sets, without training."""
    datasets = [load_data(spec) for spec in specs]
    return RunFolder.create(
        path,
        recipe=load_recipe(recipe),
        environment=environment_record(),
        data=[record_data(dataset, "train", run=path) for dataset in datasets],
        images=list_images(datasets),
    )


def names_tested(dataset):
    keys = name_people(dataset.manifest)
    rows = {int(row) for repeat in dataset.protocol.repeats for row in repeat.query}
    return {keys[row][1] for row in rows}


def trained(run):
    return {row.identity for row in run.images() if row.split == "train"}


@pytest.fixture
def folder(tmp_path):
    """Images of 24 people, whose content no reader looks at."""
    for person in range(24):
        for image in range(4):
            file = tmp_path / "set" / f"{person:02d}" / f"{image}.jpg"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(bytes([person, image]) * 50)
    return tmp_path / "set"


@pytest.fixture
def table(folder):
    """The same people as a table without a split."""

    def write(name_people):
        rows = [f"{p}/{image}.jpg,{p}" for p in name_people for image in range(4)]
        (folder / "list.csv").write_text("\n".join(["path,identity", *rows]) + "\n")
        return f"csv:{folder / 'list.csv'}"

    return write


def test_unchanged_data_are_taken_as_they_are(folder, tmp_path):
    run = start(tmp_path / "run", f"folder:{folder}")
    said = []
    dataset = load_data(f"folder:{folder}")
    assert make_testable([run.path], dataset, say=said.append) is dataset
    assert said == []


@pytest.mark.parametrize("gone", ["03", "11", "23"])
def test_a_removed_person_never_puts_one_who_trained_into_the_test(folder, tmp_path, gone):
    run = start(tmp_path / "run", f"folder:{folder}")
    everybody = {row.identity for row in run.images()}
    shutil.rmtree(folder / gone)
    changed = load_data(f"folder:{folder}")
    assert names_tested(changed) & trained(run)  # what the new draw alone would do
    said = []
    fit = make_testable([run.path], changed, say=said.append)
    assert names_tested(fit) == everybody - trained(run) - {gone}
    (sentence,) = said
    assert "are not as when" in sentence
    assert "4 rows removed" in sentence
    assert "The 12 identities that trained stay out of the test" in sentence
    assert any("4 rows removed" in note for note in fit.notes)


def test_new_people_are_tested_too(folder, tmp_path):
    run = start(tmp_path / "run", f"folder:{folder}")
    shutil.copytree(folder / "00", folder / "new")
    fit = make_testable([run.path], load_data(f"folder:{folder}"), say=[].append)
    assert "new" in names_tested(fit)
    assert not names_tested(fit) & trained(run)


def test_a_table_without_split_does_likewise(table, tmp_path):
    names = [f"{person:02d}" for person in range(24)]
    spec = table(names)
    run = start(tmp_path / "run", spec)
    table(names[1:])
    said = []
    fit = make_testable([run.path], load_data(spec), say=said.append)
    assert names_tested(fit) == set(names[1:]) - trained(run)
    assert "4 rows removed" in said[0]


def test_another_draw_of_the_same_folder_is_a_change(folder, tmp_path):
    run = start(tmp_path / "run", f"folder:{folder}")
    fit = make_testable([run.path], load_data(f"folder:{folder}?seed=1"), say=[].append)
    assert names_tested(fit).isdisjoint(trained(run))


def test_several_runs_keep_the_training_people_of_all(folder, tmp_path):
    first = start(tmp_path / "first", f"folder:{folder}")
    second = start(tmp_path / "second", f"folder:{folder}?seed=1")
    dataset = load_data(f"folder:{folder}")
    fit = make_testable([first.path, second.path], dataset, say=[].append)
    assert names_tested(fit).isdisjoint(trained(first) | trained(second))


def test_a_split_that_the_data_give_is_refused_when_it_moves_people_into_the_test(folder, tmp_path):
    def write(training):
        rows = [
            f"{p:02d}/{i}.jpg,{p:02d},{'train' if p in training else ('query', 'gallery')[i % 2]}"
            for p in range(6)
            for i in range(4)
        ]
        (folder / "list.csv").write_text("\n".join(["path,identity,split", *rows]) + "\n")

    spec = f"csv:{folder / 'list.csv'}"
    write({0, 1, 2})
    run = start(tmp_path / "run", spec)
    write({0, 1})
    with pytest.raises(RunError, match=r"1 of the 4 identities .* were trained on: 02"):
        make_testable([run.path], load_data(spec), say=[].append)
    write({0, 1, 2, 3})
    said = []
    fit = make_testable([run.path], load_data(spec), say=said.append)
    assert names_tested(fit) == {"04", "05"}
    assert "Nobody who is tested has trained" in said[0]


def test_nobody_left_to_test_is_said(folder, tmp_path):
    run = start(tmp_path / "run", f"folder:{folder}")
    for person in {row.identity for row in run.images()} - trained(run):
        shutil.rmtree(folder / person)
    with pytest.raises(RunError, match="nobody is left to test"):
        make_testable([run.path], load_data(f"folder:{folder}"), say=[].append)


def test_other_data_and_lone_checkpoints_are_no_matter(folder, tmp_path):
    run = start(tmp_path / "run", f"folder:{folder}")
    shutil.copytree(folder, tmp_path / "other" / "set")
    shutil.rmtree(tmp_path / "other" / "set" / "03")
    other = load_data(f"folder:{tmp_path / 'other' / 'set'}")
    assert make_testable([run.path], other, say=pytest.fail) is other
    assert make_testable([tmp_path / "lone.safetensors"], other, say=pytest.fail) is other


def test_a_run_that_learned_nothing_may_be_tested_on_everybody(folder, tmp_path):
    run = start(tmp_path / "run", f"folder:{folder}", recipe="zero-shot")
    shutil.rmtree(folder / "03")
    changed = load_data(f"folder:{folder}")
    said = []
    assert names_tested(make_testable([run.path], changed, say=said.append)) == names_tested(
        changed
    )
    assert "4 rows removed" in said[0]


def test_a_relative_place_is_found_from_anywhere(folder, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run = start(Path("run"), "folder:set?train=0.5")
    (record,) = run.data()
    assert locate_spec(run, record) == "folder:set?train=0.5"
    elsewhere = tmp_path / "elsewhere"
    (elsewhere / "set" / "x").mkdir(parents=True)  # a folder of the same name
    monkeypatch.chdir(elsewhere)
    run = RunFolder.open(tmp_path / "run")
    assert locate_spec(run, record) == f"folder:{folder}?train=0.5"


def test_a_run_that_moved_with_its_data_finds_them(folder, tmp_path):
    (tmp_path / "study").mkdir()
    folder = folder.rename(tmp_path / "study" / "set")
    start(tmp_path / "study" / "run", f"folder:{folder}")
    (tmp_path / "study").rename(tmp_path / "moved")
    run = RunFolder.open(tmp_path / "moved" / "run")
    assert locate_spec(run, run.data()[0]) == f"folder:{tmp_path / 'moved' / 'set'}"
    shutil.rmtree(tmp_path / "moved" / "set")
    assert locate_spec(run, run.data()[0]) == f"folder:{folder}"


def test_a_resumed_run_needs_the_rows_and_the_bytes_that_it_began_with(folder, tmp_path):
    spec = f"folder:{folder}"
    run = start(tmp_path / "run", spec)
    image = folder / "05" / "2.jpg"
    before = image.read_bytes()
    image.write_bytes(before)  # another time, the same bytes
    check_same_data(run, [load_data(spec)])
    image.write_bytes(before[:-1] + b"!")
    with pytest.raises(RunError, match=r"1 image file .* not what training began with: 05/2\.jpg"):
        check_same_data(run, [load_data(spec)])
    image.unlink()
    with pytest.raises(RunError, match="1 row removed"):
        check_same_data(run, [load_data(spec)])


def test_images_of_a_closed_set_that_trained_are_never_tested(folder, tmp_path):
    spec = f"folder:{folder}?identities=closed"
    run = start(tmp_path / "run", spec)
    said = []
    dataset = load_data(spec)
    assert make_testable([run.path], dataset, say=said.append) is dataset
    assert said == []
    for person in folder.iterdir():
        (person / "9.jpg").write_bytes(person.name.encode() * 50)
    changed = load_data(spec)
    learned = {row.path for row in run.images() if row.split == "train"}
    query = changed.protocol.repeats[0].query
    assert learned & {changed.manifest.paths[int(row)] for row in query}  # by the new draw
    with pytest.raises(
        RunError, match=r"24 rows added\. \d+ of the 72 images that would be tested"
    ):
        make_testable([run.path], changed, say=said.append)
    for person in folder.iterdir():
        (person / "9.jpg").unlink()
    shutil.rmtree(folder / "03")
    fit = make_testable([run.path], load_data(spec), say=said.append)
    assert "4 rows removed. No image that is tested has trained." in said[0]
    assert said[0] in fit.notes
