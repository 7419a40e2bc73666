"""`promptreid gallery` and `promptreid search`, with the weights of the package."""

import io
import json
import shutil

import pytest
from facts import lacking

from promptreid.cli.main import main


def run(capsys, *arguments):
    """Run a command; return its exit code, its words in one line, and what it said aside."""
    with pytest.raises(SystemExit) as caught:
        main([str(argument) for argument in arguments])
    captured = capsys.readouterr()
    return caught.value.code, " ".join(captured.out.split()), captured.err


@pytest.fixture(scope="module")
def made(crops, paint, tmp_path_factory):
    """A zero-shot run, and a gallery of twelve people with four of their five pictures."""
    folder = tmp_path_factory.mktemp("gallery")
    for person in sorted(crops.iterdir()):
        shutil.copytree(person, folder / "photos" / person.name)
        (folder / "queries").mkdir(exist_ok=True)
        (folder / "photos" / person.name / "0.png").rename(
            folder / "queries" / f"{person.name}.png"
        )
    paint(folder / "other", identities=14, images=1)
    (folder / "other" / "013" / "0.png").rename(folder / "queries" / "stranger.png")
    model = ["backbone.name=tiny", "backbone.image_size=32"]
    out = folder / "run"
    commands = [
        ["train", "zero-shot", *model, "--data", f"folder:{crops}", "--out", out],
        ["gallery", "create", folder / "people", "--model", out, "--rate", "0.2"],
        ["gallery", "add", folder / "people", f"folder:{folder / 'photos'}"],
    ]
    for command in commands:
        with pytest.raises(SystemExit) as caught:
            main([*map(str, command), "--device", "cpu"])
        assert caught.value.code == 0
    return folder


@pytest.fixture
def place(made, tmp_path):
    """A gallery of one's own."""
    return shutil.copytree(made / "people", tmp_path / "people")


def test_pictures_of_the_enrolled_are_recognised_and_strangers_are_not(made, capsys):
    queries = sorted((made / "queries").iterdir())
    code, out, err = run(
        capsys, "search", made / "people", *queries, "--device", "cpu", "--json", made / "a.json"
    )
    assert code == 0, err
    answers = json.loads((made / "a.json").read_text())["answers"]
    named = [answer["candidates"][0]["identity"] for answer in answers[:12]]
    assert sum(name == query.stem for name, query in zip(named, queries, strict=False)) >= 10
    for answer in answers:
        assert answer["rate"] == 0.2
        assert answer["identities"] == 12
        assert (answer["identity"] is not None) == (answer["p"] <= 0.2)
        assert answer["gap"] >= 0
        assert answer["runner_up"] == answer["candidates"][1]["identity"]
    assert answers[12]["verdict"] == "nobody"
    assert "NOBODY" in out
    assert not lacking(out, str(queries[0]), "12 identities", "20 %", "identity", "score", "p")


def test_json_takes_the_place_of_the_text(made, capsys):
    query = made / "queries" / "000.png"
    code, out, _ = run(capsys, "search", made / "people", query, "--device", "cpu", "--json")
    assert code == 0
    assert json.loads(out)["answers"][0]["image"] == str(query)


def test_adding_again_adds_nothing(made, place, capsys):
    code, out, _ = run(
        capsys, "gallery", "add", place, f"folder:{made / 'photos'}", "--device", "cpu"
    )
    assert code == 0
    assert not lacking(out, "0 images", "48 were there", "48 images of 12 identities")
    arguments = ["--identity", "the stranger", "--camera", "gate", "--device", "cpu"]
    picture = made / "queries" / "stranger.png"
    code, out, _ = run(capsys, "gallery", "add", place, picture, *arguments)
    assert (code, "1 image;" in out) == (0, True)
    code, out, _ = run(capsys, "gallery", "entries", place, "the stranger")
    assert not lacking(out, "camera gate", "stranger.png")


def test_pictures_of_one_person_are_enrolled_and_roles_are_not_spoken_of(made, place, capsys):
    new = place.parent / "new" / "the stranger"
    new.mkdir(parents=True)
    shutil.copy(made / "queries" / "stranger.png", new)
    table = place.parent / "new.csv"
    table.write_text("path,identity,camera\nnew/the stranger/stranger.png,the stranger,gate\n")
    for spec, added in ((f"folder:{new.parent}", 1), (f"csv:{table}", 0)):
        code, out, err = run(capsys, "gallery", "add", place, spec, "--device", "cpu")
        assert (code, f"enrolled {added} image" in out) == (0, True), err
        assert not any(word in err for word in ("train", "seed", "scored", "same-camera"))


def test_info_says_what_can_be_promised(place, capsys):
    code, out, _ = run(capsys, "gallery", "info", place)
    assert code == 0
    assert not lacking(out, "48 images", "12 identities", "run", "20.0 %")
    for number in range(6):
        run(capsys, "gallery", "hide", place, f"{number:03d}")
    code, out, _ = run(capsys, "gallery", "info", place)
    assert not lacking(out, "24 of them hidden", "6 identities", "28.6 %", "20.0 %", "9")


def test_identities_are_changed_by_commands(place, capsys):
    for command in (
        ["name", place, "000", "Anna"],
        ["merge", place, "001", "Anna"],
        ["split", place, "Anna", "Ben", "--entry", "1"],
        ["hide", place, "--entry", "2", "--entry", "3"],
        ["unhide", place, "--entry", "3"],
        ["check", place],
    ):
        code, _, err = run(capsys, "gallery", *command)
        assert code == 0, err
    code, out, _ = run(capsys, "gallery", "identities", place, "--json")
    rows = {row["name"]: row for row in json.loads(out)}
    assert (rows["Anna"]["entries"], rows["Anna"]["hidden"]) == (7, 1)
    assert rows["Ben"]["entries"] == 1
    assert "001" not in rows


@pytest.mark.parametrize(
    ("words", "record"),
    [
        (["name", "{place}", "000", "anna"], {"identity": "anna", "former": "000"}),
        (["merge", "{place}", "000", "001"], {"identity": "001", "former": "000"}),
        (["hide", "{place}", "000"], {"images": 4}),
        (["unhide", "{place}", "000"], {"images": 4}),
        (["audit", "set", "{place}", "never"], {"gallery": "{place}", "audit": "never"}),
        (["erase", "{place}", "000", "--yes"], {"entries": 4, "identities": 1}),
        (["export", "{place}", "{place}-out", "--identity", "000"], {"images": 4, "elsewhere": 0}),
    ],
)
def test_changes_are_given_as_json(place, capsys, words, record):
    filled = [word.format(place=place) for word in words]
    code, out, err = run(capsys, "gallery", *filled, "--json")
    assert code == 0, err
    given = json.loads(out)
    expected = {
        key: value.format(place=place) if isinstance(value, str) else value
        for key, value in record.items()
    }
    assert {key: given[key] for key in expected} == expected


def test_erasing_asks_and_proves(made, place, capsys, monkeypatch):
    monkeypatch.setattr("sys.stdin", io.StringIO())
    for words in ([], ["004", "--entry", "1"], ["nobody"], ["--entry", "999"]):
        assert run(capsys, "gallery", "erase", place, *words)[0] == 2  # before it is asked
    code, _, err = run(capsys, "gallery", "erase", place, "004")
    assert (code, "4 images of 004" in err) == (130, True)
    code, out, err = run(capsys, "gallery", "erase", place, "004", "--yes", "--refuse")
    assert code == 0, err
    assert not lacking(out, "4 images", "pieces")
    picture = made / "photos" / "004" / "1.png"
    again = ["gallery", "add", place, picture, "--identity", "004", "--device", "cpu"]
    assert not lacking(run(capsys, *again)[2], str(picture), "refused", "gallery allow")
    assert "1 of 1 image" in run(capsys, "gallery", "allow", place, picture)[1]
    assert "enrolled 1 image" in run(capsys, *again)[1]
    run(capsys, "gallery", "erase", place, "004", "--yes")
    code, _, err = run(capsys, "gallery", "erase", place, "004", "--yes")
    assert code == 2
    assert "004" in err


def test_an_export_is_a_data_set(place, tmp_path, capsys):
    code, out, err = run(capsys, "gallery", "export", place, tmp_path / "out")
    assert code == 0, err
    assert "48 images" in out
    code, out, err = run(capsys, "data", "inspect", f"csv:{tmp_path / 'out' / 'entries.csv'}")
    assert not lacking(out, "12", "48"), err


@pytest.mark.parametrize(
    ("arguments", "facts"),
    [
        (["search", "PLACE", "missing.jpg"], ["missing.jpg"]),
        (["search", "nowhere", "PICTURE"], ["nowhere", "gallery create"]),
        (["search", "PLACE", "PICTURE", "--rate", "2"], ["between 0 and 1"]),
        (["search", "PLACE", "PICTURE", "--identity", "zoe"], ["zoe"]),
        (["search", "PLACE", "PICTURE", "--since", "soon"], ["soon"]),
        (["search", "PLACE", "PICTURE", "--other-cameras"], ["--query-camera"]),
        (["search", "PLACE", "PICTURE", "--attribute", "red"], ["NAME=VALUE"]),
        (["gallery", "create", "PLACE", "--model", "RUN"], ["not empty"]),
        (["gallery", "create", "new", "--model", "RUN", "--aggregate", "max"], ["mean-of-K"]),
        (["gallery", "add", "PLACE", "missing.jpg", "--identity", "x"], ["missing.jpg"]),
        (["gallery", "add", "PLACE", "PICTURE"], ["image file", "--identity"]),
        (["gallery", "add", "PLACE", "RUN"], ["NAME:ROOT", "folder:"]),
        (["gallery", "info", "RUN"], ["holds no gallery", "create", "run.gallery --model"]),
        (["gallery", "hide", "PLACE"], ["identity", "entries"]),
    ],
)
def test_mistakes_are_told_in_words(made, place, tmp_path, capsys, monkeypatch, arguments, facts):
    monkeypatch.chdir(tmp_path)
    stands_for = {"PLACE": place, "PICTURE": made / "queries" / "000.png", "RUN": made / "run"}
    code, _, err = run(capsys, *(stands_for.get(word, word) for word in arguments))
    assert code == 2
    assert not lacking(err, *facts)


def test_another_model_is_refused_and_a_lost_one_is_asked_for(made, place, crops, tmp_path, capsys):
    other = tmp_path / "other"
    model = ["backbone.name=tiny", "backbone.image_size=48"]
    run(capsys, "train", "zero-shot", *model, "--data", f"folder:{crops}", "--out", other)
    picture = made / "queries" / "000.png"
    code, _, err = run(capsys, "search", place, picture, "--model", other, "--device", "cpu")
    assert code == 2
    assert not lacking(err, "holds vectors of the model", "but the model given is")
    (made / "run").rename(made / "moved")
    try:
        code, _, err = run(capsys, "search", place, picture)
        assert code == 2
        assert not lacking(err, "run", "--model")
        code, _, err = run(
            capsys, "search", place, picture, "--model", made / "moved", "--device", "cpu"
        )
        assert code == 0, err
    finally:
        (made / "moved").rename(made / "run")


def test_uses_are_written_down_listed_and_verified(made, place, capsys):
    picture = made / "queries" / "000.png"
    code, out, _ = run(capsys, "gallery", "audit", place)
    assert (code, "no uses" in out) == (0, True)
    assert run(capsys, "gallery", "audit", "set", place, "always")[0] == 0
    for _ in range(2):
        run(capsys, "search", place, picture, "--device", "cpu")
    code, out, _ = run(capsys, "gallery", "audit", "confirm", place, "1", "--by", "Dora", "--wrong")
    assert code == 0
    assert not lacking(out, "3", "Dora", "wrong")
    code, out, _ = run(capsys, "gallery", "audit", place)
    assert not lacking(out, "asked (search)", "000", "Dora")
    code, out, _ = run(capsys, "gallery", "audit", place, "--since", "2100-01-01", "--json")
    assert (code, json.loads(out)) == (0, [])
    code, out, _ = run(capsys, "gallery", "audit", "list", place, "--json")
    records = json.loads(out)
    assert [record["number"] for record in records] == [1, 2, 3]
    rate = json.loads(run(capsys, "gallery", "info", place, "--json")[1])["rate"]
    assert records[0]["content"]["answer"]["rate"] == rate
    code, out, _ = run(capsys, "gallery", "audit", "verify", place)
    noted = f"3:{records[-1]['digest']}"
    assert code == 0
    assert not lacking(out, "3 audit records", noted)
    code, out, _ = run(capsys, "gallery", "info", place)
    assert noted in out
    assert run(capsys, "gallery", "audit", "verify", place, "--noted", noted)[0] == 0
    forged = f"2:{'0' * 64}"
    code, out, _ = run(capsys, "gallery", "audit", "verify", place, "--noted", forged)
    assert (code, "Record 2" in out) == (2, True)
    for wrong in ("2", f"²:{'0' * 64}"):
        code, _, err = run(capsys, "gallery", "audit", "verify", place, "--noted", wrong)
        assert (code, "COUNT:DIGEST" in err) == (2, True)
    code, _, err = run(capsys, "gallery", "audit", "confirm", place, "9", "--by", "x", "--right")
    assert (code, "9" in err) == (2, True)
    code, out, _ = run(capsys, "gallery", "audit", "expire", place, "--days", "30", "--json")
    assert (code, json.loads(out)["records"]) == (0, 0)
    for wrong in ("0", "999999"):  # no calendar goes back so far
        code, _, err = run(capsys, "gallery", "audit", "expire", place, "--days", wrong)
        assert (code, wrong in err) == (2, True)


def test_what_does_not_show_somebody_is_said_listed_and_taken_back(made, place, capsys):
    picture = made / "queries" / "000.png"
    code, out, err = run(capsys, "gallery", "not", place, "000", picture, "--device", "cpu")
    assert code == 0, err
    assert not lacking(out, "000", "1 negative example")
    code, out, _ = run(capsys, "search", place, picture, "--device", "cpu")
    assert not lacking(out, "000", "left out", "negative example 1")
    code, out, _ = run(capsys, "gallery", "not", place, "001", "--entry", "1", "--json")
    assert [row["entry"] for row in json.loads(out)] == [1]
    code, out, _ = run(capsys, "gallery", "not", place)
    assert not lacking(out, "not 000", str(picture), "not 001", "entry 1")
    assert "2 negative examples" in run(capsys, "gallery", "info", place)[1]
    code, out, _ = run(capsys, "gallery", "not", place, "--remove", "1", "--remove", "2")
    assert (code, "2" in out) == (0, True)
    assert "no negative examples" in run(capsys, "gallery", "not", place, "000")[1]
    for arguments, fact in (
        (["000", "missing.jpg"], "missing.jpg"),
        (["--remove", "7"], "7"),
        (["000", "--remove", "7"], "--remove"),
    ):
        code, _, err = run(capsys, "gallery", "not", place, *arguments)
        assert (code, fact in err) == (2, True)


def test_the_model_is_changed_and_the_place(made, place, crops, tmp_path, capsys):
    other = tmp_path / "other"
    model = ["backbone.name=tiny", "backbone.image_size=48"]
    run(capsys, "train", "zero-shot", *model, "--data", f"folder:{crops}", "--out", other)
    picture = made / "queries" / "000.png"
    code, out, err = run(
        capsys, "gallery", "reembed", place, "--model", other, "--keep-old", "--device", "cpu"
    )
    assert code == 0, err
    assert not lacking(out, str(other), "48 images", "kept")
    code, out, _ = run(capsys, "gallery", "info", place)
    assert not lacking(out, str(other), "kept")
    assert run(capsys, "search", place, picture, "--device", "cpu")[0] == 0
    code, out, _ = run(
        capsys, "gallery", "reembed", place, "--model", other, "--keep-old", "--device", "cpu"
    )
    assert code == 0
    assert not lacking(out, "48 images", "0 embedded", "before")
    code, out, err = run(capsys, "gallery", "copy", place, tmp_path / "copy")
    assert code == 0, err
    assert not lacking(out, "48 images", "12 identities", "2 models")
    answers = [
        run(capsys, "search", where, picture, "--device", "cpu", "--json")[1]
        for where in (place, tmp_path / "copy")
    ]
    assert json.loads(answers[0])["answers"] == json.loads(answers[1])["answers"]
    assert run(capsys, "gallery", "check", tmp_path / "copy")[0] == 0
    code, _, err = run(capsys, "gallery", "copy", place, tmp_path / "copy")
    assert code == 2
    assert not lacking(err, "not empty", "48")
