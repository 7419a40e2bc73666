from __future__ import annotations

from pathlib import Path

import pytest
from facts import lacking

from promptreid.data.inspection.inspect import inspect_data
from promptreid.data.load_data import load_data
from promptreid.errors import ConfigError, DataError


def write(root: Path, text: str) -> Path:
    """Write the table and an empty file for every path in it."""
    file = root / "cows.csv"
    file.write_text(text)
    for line in text.splitlines()[1:]:
        name = line.split(",")[0].strip().replace("\\", "/")
        if name:
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).touch()
    return file


def test_all_columns(tmp_path: Path) -> None:
    file = write(
        tmp_path,
        "path,identity,camera,view,domain,split,breed,age\n"
        "i/1.jpg,7,0,2,north,train,jersey,3\n"
        "i/2.jpg, 8 ,1,,north,train,,4\n"
        "i/3.jpg,9,0,0,south,query,angus,\n"
        "i/4.jpg,9,1,0,south,gallery,angus,5\n"
        "i/5.jpg,0,1,0,south,distractor,,\n",
    )
    data = load_data(f"csv:{file}")
    m = data.manifest
    assert m.name == "cows"
    assert m.identities == ("7", "8", "9", "9", "0")
    assert m.cameras == ("0", "1", "0", "1", "1")
    assert m.views == ("2", None, "0", "0", "0")
    assert m.domains == ("north", "north", "south", "south", "south")
    assert m.attributes["breed"] == ("jersey", "", "angus", "angus", "")
    assert m.attributes["age"] == ("3", "4", "", "5", "")
    assert data.protocol is not None
    assert data.protocol.same_camera == "exclude"
    assert data.protocol.repeats[0].query.tolist() == [2]
    assert data.protocol.repeats[0].gallery.tolist() == [3, 4]
    assert data.notes == ()


def flat(people: str, images: int, cameras: int = 0) -> str:
    lines = ["path,identity" + (",camera" if cameras else "")]
    for who in people:
        for n in range(images):
            lines.append(f"{who}{n}.jpg,{who}" + (f",{n % cameras}" if cameras else ""))
    return "\n".join(lines) + "\n"


def test_path_and_identity_are_enough(tmp_path: Path) -> None:
    data = load_data(f"csv:{write(tmp_path, flat('abcd', 3))}")
    assert set(data.manifest.splits) == {"train", "test"}
    assert set(data.manifest.domains) == {"cows"}
    assert data.protocol is not None
    assert data.protocol.name == "cows/gallery"
    assert data.protocol.same_camera == "keep"
    assert len(data.protocol.repeats) == 10


def test_cameras_bring_the_camera_rule(tmp_path: Path) -> None:
    data = load_data(f"csv:{write(tmp_path, flat('abcd', 4, cameras=2))}")
    m, protocol = data.manifest, data.protocol
    assert protocol is not None
    assert (protocol.name, protocol.same_camera) == ("cows/cameras", "exclude")
    for repeat in protocol.repeats:
        seen = [(m.identities[row], m.cameras[row]) for row in repeat.query]
        assert len(seen) == len(set(seen)) == 4
    kept = load_data(f"csv:{tmp_path}/cows.csv?same_camera=keep").protocol
    assert kept is not None
    assert (kept.name, kept.same_camera) == ("cows/gallery", "keep")


def test_one_camera_or_unknown_ones_switch_the_rule_off(tmp_path: Path) -> None:
    data = load_data(f"csv:{write(tmp_path, flat('abcd', 3, cameras=1))}")
    assert data.protocol is not None
    assert data.protocol.same_camera == "keep"
    assert any("one camera, so the same-camera rule is off" in note for note in data.notes)
    text = flat("abcd", 4, cameras=2).replace(",0\n", ",\n")
    data = load_data(f"csv:{write(tmp_path, text)}")
    assert data.protocol is not None
    assert data.protocol.same_camera == "keep"
    assert any("Some test images have no camera" in note for note in data.notes)


def test_each_identity_in_one_camera_switches_the_rule_off(tmp_path: Path) -> None:
    lines = [f"{who}{n}.jpg,{who},{camera}" for camera, who in enumerate("abcd") for n in range(3)]
    file = write(tmp_path, "\n".join(["path,identity,camera", *lines]) + "\n")
    data = load_data(f"csv:{file}")
    assert data.protocol is not None
    assert (data.protocol.name, data.protocol.same_camera) == ("cows/gallery", "keep")
    assert any("No test identity was seen by two cameras" in note for note in data.notes)
    asked = load_data(f"csv:{file}?same_camera=exclude").protocol
    assert asked is not None
    assert asked.same_camera == "exclude"


def test_cameras_keep_their_names(tmp_path: Path) -> None:
    text = (
        "path,identity,camera,split\n1.jpg,a,gate,query\n2.jpg,a,barn,gallery\n3.jpg,b,,gallery\n"
    )
    data = load_data(f"csv:{write(tmp_path, text)}")
    assert data.manifest.cameras == ("gate", "barn", None)
    assert not any("number" in note for note in data.notes)


@pytest.mark.parametrize("first", [0, 1_700_000_000, 202_601_011_234_567_890_123_450])
def test_cameras_of_any_number_are_as_small_ones(tmp_path: Path, first: int) -> None:
    small = load_data(f"csv:{write(tmp_path, flat('abcdef', 4, cameras=2))}")
    rows = [f"{w}{n}.jpg,{w},{first + n % 2}" for w in "abcdef" for n in range(4)]
    data = load_data(f"csv:{write(tmp_path, chr(10).join(['path,identity,camera', *rows]))}")
    assert set(data.manifest.cameras) == {str(first), str(first + 1)}
    assert data.protocol == small.protocol
    assert inspect_data(data, check_images=False).protocol == (
        inspect_data(small, check_images=False).protocol
    )


@pytest.mark.parametrize(
    ("form", "words"),
    [
        (lambda n: f"{n}.0", "'.0' behind numbers: '1' and '1.0'"),
        (lambda n: f"{n:03d}", "zeros before numbers: '001' and '1'"),
        (lambda n: f" {n} ", None),
    ],
)
def test_two_spellings_of_identities_are_a_warning(tmp_path: Path, form, words) -> None:
    rows = [f"{n}_{k}.jpg,{form(n) if k else n}" for n in range(1, 7) for k in range(2)]
    data = load_data(f"csv:{write(tmp_path, chr(10).join(['path,identity', *rows]))}")
    found = inspect_data(data, check_images=False)
    told = [note for note in data.notes if "become" in note]
    assert len(told) == (words is not None)
    if words is not None:
        assert told[0].startswith(f"12 identities become 6 when one ignores {words}.")
        assert told[0] in found.warnings
        assert told[0] not in found.notes


def test_test_rows_are_drawn(tmp_path: Path) -> None:
    rows = "".join(f"{w}{n}.jpg,{w},test\n" for w in "ab" for n in range(3))
    file = write(tmp_path, "path,identity,split\nt.jpg,z,train\n" + rows)
    data = load_data(f"csv:{file}")
    assert data.protocol is not None
    assert {(len(r.query), len(r.gallery)) for r in data.protocol.repeats} == {(4, 2)}


def test_mixed_test_roles_stop(tmp_path: Path) -> None:
    file = write(tmp_path, "path,identity,split\n1.jpg,a,test\n2.jpg,a,query\n3.jpg,a,gallery\n")
    with pytest.raises(DataError, match=r"1 of the first and 2 of the second kind"):
        load_data(f"csv:{file}")


def test_queries_without_gallery(tmp_path: Path) -> None:
    file = write(tmp_path, "path,identity,split\n1.jpg,a,query\n2.jpg,b,train\n")
    data = load_data(f"csv:{file}")
    assert data.protocol is None
    assert any("query or gallery images but not both" in note for note in data.notes)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("file,identity\n1.jpg,a\n", "needs the columns path and identity. There is no column"),
        ("path,id\n1.jpg,a\n", "no column named 'identity'. Known: id, path"),
        ("path,identity\n1.jpg,nan\n2.jpg, \n", "has a known identity: empty .1., 'nan' .1."),
        ("path,identity\n,a\n", "cows.csv, line 2, column path: the cell is empty"),
        ("path,identity\n", "has a header but no rows"),
        (
            "path,identity,split\n1.jpg,a,training\n",
            "line 2, column split: .*split named 'training'.*'train'",
        ),
        ("path,identity,split\n1.jpg,a,\n", "line 2, column split: .*no split named ''"),
        ("path,identity\n1.jpg,a,b\n", "line 2: 3 cells"),
        ("path,identity,split\n1.jpg,a,train\n2.jpg,a,query\n", "both train and query"),
        ("path,identity\n../1.jpg,a\n2.jpg,b\n", "climbs out"),
    ],
)
def test_mistakes_are_named(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(DataError, match=words):
        load_data(f"csv:{write(tmp_path, text)}")


@pytest.mark.parametrize("word", ["unknown", "nan", "-1", "NULL", "None", "n/a", "?", ""])
def test_unknown_identities_are_left_out_before_anything_is_drawn(
    tmp_path: Path, word: str
) -> None:
    known = load_data(f"csv:{write(tmp_path, flat('abcd', 4))}")
    text = flat("abcd", 4) + "".join(f"x{n}.jpg,{word}\n" for n in range(8))
    data = load_data(f"csv:{write(tmp_path, text)}")
    assert data.manifest == known.manifest
    assert data.protocol == known.protocol
    told = repr(word) if word else "empty"
    assert data.notes[0].startswith(
        f"8 of 24 images are left out, since their identity is not known: {told} (8)."
    )


def test_unknown_words_can_be_names(tmp_path: Path) -> None:
    text = flat("abcd", 4) + "".join(f"x{n}.jpg,unknown\n" for n in range(8))
    data = load_data(f"csv:{write(tmp_path, text)}?unknown=keep")
    assert data.manifest.identities.count("unknown") == 8
    data = load_data(f"csv:{tmp_path}/cows.csv?unknown=d,c")
    assert sorted(set(data.manifest.identities)) == ["a", "b"]
    assert not any("is named" in note for note in data.notes)
    data = load_data(f"csv:{tmp_path}/cows.csv?unknown=e")
    assert any("No identity, camera or view is named 'e'" in note for note in data.notes)


@pytest.mark.parametrize("word", ["-1", "nan", "NULL", "unknown", "-1.0"])
def test_an_unknown_camera_is_as_an_empty_cell(tmp_path: Path, word: str) -> None:
    text = flat("abcd", 4, cameras=2)
    file = write(tmp_path, text.replace(",0\n", ",\n"))
    empty = load_data(f"csv:{file}")
    write(tmp_path, text.replace(",0\n", f",{word}\n"))
    data = load_data(f"csv:{file}")
    assert data.manifest == empty.manifest
    assert data.protocol == empty.protocol
    assert data.notes[0].startswith(f"The camera of 8 of 16 images is not known: {word!r} (8).")


def test_unknown_words_of_other_columns(tmp_path: Path) -> None:
    text = (
        "path,identity,domain,view,hat\n1.jpg,a,NaN,?,none\n2.jpg,a,,front,nan\n"
        "3.jpg,b,south,-1,-1\n4.jpg,b,south,front,red\n"
    )
    data = load_data(f"csv:{write(tmp_path, text)}")
    assert data.manifest.domains == ("cows", "cows", "south", "south")
    assert data.manifest.views == (None, "front", None, "front")
    assert data.manifest.attributes["hat"] == ("none", "", "-1", "red")
    assert [note.split(" is not known: ")[0] for note in data.notes[:3]] == [
        "The domain of 2 of 4 images",
        "The view of 2 of 4 images",
        "The attribute hat of 1 of 4 images",
    ]


def test_missing_images(tmp_path: Path) -> None:
    file = write(tmp_path, flat("abcd", 3))
    for name in ("a0.jpg", "a1.jpg", "b0.jpg", "b1.jpg"):
        (tmp_path / name).unlink()
    with pytest.raises(
        DataError, match=r"4 of 12 images listed in cows.csv .*a0.jpg, a1.jpg, b0.j"
    ):
        load_data(f"csv:{file}")
    data = load_data(f"csv:{file}?missing=skip")
    assert len(data.manifest) == 8
    assert any("4 of 12" in note and "skipped" in note for note in data.notes)
    with pytest.raises(DataError, match=r"12 of 12"):
        load_data(f"csv:{file}?missing=skip&root={tmp_path / 'elsewhere'}")


def test_windows_and_absolute_paths(tmp_path: Path) -> None:
    write(tmp_path, "path,identity\ni\\1.jpg,a\ni\\2.jpg,b\n")
    (tmp_path / "far").mkdir()
    (tmp_path / "far/3.jpg").touch()
    with (tmp_path / "cows.csv").open("a") as stream:
        stream.write(f"{tmp_path / 'far/3.jpg'},b\n")
    m = load_data(f"csv:{tmp_path / 'cows.csv'}").manifest
    assert m.paths == ("i/1.jpg", "i/2.jpg", f"{tmp_path}/far/3.jpg")
    assert m.path(2) == tmp_path / "far/3.jpg"


def test_not_a_file(tmp_path: Path) -> None:
    (tmp_path / "herd.csv").touch()
    with pytest.raises(DataError, match=r"cow.csv is not a file.*holds herd.csv"):
        load_data(f"csv:{tmp_path / 'cow.csv'}")
    with pytest.raises(DataError, match=r"is not a file"):
        load_data(f"csv:{tmp_path}")


def test_nameless_columns_are_left_out_with_a_note(tmp_path: Path) -> None:
    plain = load_data(f"csv:{write(tmp_path, flat('abcdef', 4, cameras=2))}")
    lines = (tmp_path / "cows.csv").read_text().splitlines()
    for number, text in enumerate(
        (
            [f",{lines[0]}", *(f"{n},{line}" for n, line in enumerate(lines[1:]))],
            [f",,{lines[0]}", *(f"{n},{n},{line}" for n, line in enumerate(lines[1:]))],
            [f"{line}," for line in lines],
            [lines[0], *(f"{line}," for line in lines[1:])],
            [f";{lines[0]};".replace(",", ";"), *(f"0;{x};".replace(",", ";") for x in lines[1:])],
        )
    ):
        file = tmp_path / f"{number}.csv"
        file.write_text("\n".join(text) + "\n")
        data = load_data(f"csv:{file}")
        assert data.manifest.paths == plain.manifest.paths
        assert data.manifest.identities == plain.manifest.identities
        assert data.manifest.cameras == plain.manifest.cameras
        assert data.manifest.attributes == {}
        assert data.notes[0].startswith(f"{number}.csv: ")
        assert "left out" in data.notes[0]


def test_an_open_quotation_mark_swallows_nothing(tmp_path: Path) -> None:
    lines = ["path,identity,note", *(f"{who}{n}.jpg,{who},ok" for who in "abcdef" for n in "0123")]
    lines[10] = lines[10].replace(",ok", ',"left hand')
    with pytest.raises(DataError, match=r"cows.csv, line 11, column note: .* never closed"):
        load_data(f"csv:{write(tmp_path, chr(10).join(lines))}")


def test_a_long_outline_is_an_attribute(tmp_path: Path) -> None:
    outline = "[1, 2], " * 25_000
    lines = flat("abc", 2).replace("identity", "identity,segmentation").splitlines()
    lines = [lines[0], f'a0.jpg,a,"{outline}"', *(f"{line}," for line in lines[2:])]
    data = load_data(f"csv:{write(tmp_path, chr(10).join(lines))}")
    assert data.manifest.attributes["segmentation"] == (outline.strip(), "", "", "", "", "")


REPEATED = ((26, 2, "a0"), (27, 3, "a1"), (28, 6, "b0"))


@pytest.mark.parametrize("seed", range(4))
def test_rows_that_repeat_an_image_are_left_out(tmp_path: Path, seed: int) -> None:
    once = load_data(f"csv:{write(tmp_path, flat('abcdef', 4))}?seed={seed}")
    file = write(tmp_path, flat("abcdef", 4) + "a0.jpg,a\na1.jpg , a\nb0.jpg,b\n")
    data = load_data(f"csv:{file}?seed={seed}")
    assert data.manifest == once.manifest
    pairs = (
        "line 26 as line 2 (a0.jpg)",
        "line 27 as line 3 (a1.jpg)",
        "line 28 as line 6 (b0.jpg)",
    )
    assert not lacking(data.notes[0], "cows.csv", "3 rows", *pairs)


@pytest.mark.parametrize("seed", range(4))
def test_contradicting_rows_stop_whatever_is_drawn(tmp_path: Path, seed: int) -> None:
    file = write(tmp_path, flat("abcdef", 4) + "a0.jpg,f\nb0.jpg,c\n./b0.jpg,b\n")
    with pytest.raises(DataError) as error:
        load_data(f"csv:{file}?seed={seed}")
    assert not lacking(
        str(error.value),
        f"{file}: 5 rows",
        "2 images",
        "a0.jpg in lines 2 and 26 (identity 'a' and 'f')",
        "b0.jpg in lines 6, 27 and 28 (identity 'b' and 'c')",
    )


def test_rows_of_one_image_that_differ_in_camera_or_split(tmp_path: Path) -> None:
    text = "path,identity,camera,split\na.jpg,a,1,query\na.jpg,a,1,gallery\nb.jpg,a,2,gallery\n"
    assert len(load_data(f"csv:{write(tmp_path, text)}").manifest) == 3
    with pytest.raises(DataError, match=r"a.jpg in lines 2, 3 and 5 \(camera '1' and '2'\)"):
        load_data(f"csv:{write(tmp_path, text + 'a.jpg,a,2,query')}")
    with pytest.raises(DataError, match=r"lines 2, 3 and 5 \(split query and gallery and train\)"):
        load_data(f"csv:{write(tmp_path, text + 'a.jpg,a,1,train')}")


def test_a_full_path_is_the_same_image(tmp_path: Path) -> None:
    file = write(tmp_path, flat("abcd", 3) + f"{tmp_path}/a0.jpg,b\n")
    with pytest.raises(DataError, match=r"a0.jpg in lines 2 and 14 \(identity 'a' and 'b'\)"):
        load_data(f"csv:{file}")


def test_other_spellings_of_file_names(tmp_path: Path) -> None:
    file = write(tmp_path, flat("abcd", 3))
    file.write_text(flat("abcd", 3).replace("a0.jpg", "A0.JPG") + "a0.jpg,a\n")
    data = load_data(f"csv:{file}")
    assert data.manifest.paths.count("a0.jpg") == 1
    assert "A0.JPG is a0.jpg" in data.notes[0]
    assert "line 14 as line 2 (a0.jpg)" in data.notes[1]


@pytest.mark.parametrize(
    "written", ["./i/1.jpg", "i//1.jpg", "i/x/../1.jpg", ".\\i\\1.jpg", "i\\x\\..\\1.jpg"]
)
def test_paths_are_plain(tmp_path: Path, written: str) -> None:
    write(tmp_path, "path,identity\ni/1.jpg,a\ni/2.jpg,b\n")
    file = tmp_path / "cows.csv"
    file.write_text(f"path,identity\n{written},a\ni/2.jpg,b\n")
    assert load_data(f"csv:{file}").manifest.paths == ("i/1.jpg", "i/2.jpg")


@pytest.mark.parametrize("root", ["pictures", "lists/../pictures", "pictures/.", "./pictures"])
def test_the_root_may_be_named_in_any_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, root: str
) -> None:
    (tmp_path / "pictures").mkdir()
    write(tmp_path / "pictures", "path,identity\ni/1.jpg,a\ni/2.jpg,b\n")
    (tmp_path / "lists").mkdir()
    (tmp_path / "pictures/cows.csv").rename(tmp_path / "lists/cows.csv")
    monkeypatch.chdir(tmp_path)
    for start in ("", f"{tmp_path}/"):
        manifest = load_data(f"csv:lists/cows.csv?root={start}{root}").manifest
        assert manifest.root == tmp_path / "pictures"
        assert manifest.path(0).is_file()


def test_the_folder_of_nobody(tmp_path: Path) -> None:
    file = write(tmp_path, "path,identity\n1.jpg,a\n")
    with pytest.raises(ConfigError, match=r"~nosuchuser/x: there is no user 'nosuchuser'"):
        load_data(f"csv:{file}?root=~nosuchuser/x")


def test_paths_outside_the_root_have_a_way_in(tmp_path: Path) -> None:
    write(tmp_path, "path,identity\ni/1.jpg,a\ni/2.jpg,b\n")
    (tmp_path / "lists").mkdir()
    file = tmp_path / "lists/cows.csv"
    file.write_text("path,identity\n../i/1.jpg,a\n../i/2.jpg,b\n")
    with pytest.raises(DataError, match=r"line 2, column path: '../i/1.jpg' climbs.*root=DIR"):
        load_data(f"csv:{file}")
    file.write_text("path,identity\nC:\\i\\1.jpg,a\n")
    with pytest.raises(DataError, match=r"line 2, column path: 'C:.*is a path of Windows.*root=D"):
        load_data(f"csv:{file}")


def test_numbers_of_thousands_of_digits(tmp_path: Path) -> None:
    digits = "9" * 5000
    text = f"path,identity,camera,view\n1.jpg,{digits},{digits},{digits}\n2.jpg,2,1,1\n"
    manifest = load_data(f"csv:{write(tmp_path, text)}").manifest
    assert manifest.identity_list() == ["2", digits]
    assert len(set(manifest.cameras)) == len(set(manifest.views)) == 2


def test_a_zero_in_a_path(tmp_path: Path) -> None:
    file = write(tmp_path, "path,identity\n1.jpg,a\n2.jpg,b\n")
    file.write_bytes(b"path,identity\n1.jpg,a\n2\0.jpg,b\n")
    with pytest.raises(DataError, match=r"cows.csv, line 3: character 2 of the line is a zero"):
        load_data(f"csv:{file}")
