"""`promptreid search` on plain folders, with nothing but the folder and a picture."""

import json
import shutil

import pytest
from facts import lacking

import promptreid
from promptreid.actions.searches import picture_index
from promptreid.cli.main import main
from promptreid.errors import DataError

pytestmark = pytest.mark.slow


def run(capsys, *arguments):
    """Run a command; return its exit code, its words in one line, and what it said aside."""
    with pytest.raises(SystemExit) as caught:
        main([*map(str, arguments), "--device", "cpu"])
    captured = capsys.readouterr()
    return caught.value.code, " ".join(captured.out.split()), " ".join(captured.err.split())


@pytest.fixture(scope="module")
def pictures(paint, tmp_path_factory):
    """Twenty people with one or two pictures each, a further one of the first, and a stranger."""
    folder = tmp_path_factory.mktemp("search")
    paint(folder / "people", identities=21, images=2)
    (folder / "queries").mkdir()
    (folder / "people" / "000" / "0.png").rename(folder / "queries" / "first.png")
    (folder / "people" / "020" / "0.png").rename(folder / "queries" / "stranger.png")
    shutil.rmtree(folder / "people" / "020")
    return folder


def test_two_arguments_give_an_answer(pictures, tmp_path, capsys):
    queries = [pictures / "queries" / f"{name}.png" for name in ("first", "stranger")]
    page, answers = tmp_path / "found.html", tmp_path / "answers.json"
    code, out, err = run(
        capsys, "search", pictures / "people", *queries, "--rate", "0.1",
        "--html", page, "--json", answers,
    )  # fmt: skip
    assert code == 0, err
    content = json.loads(answers.read_text())
    first, stranger = content["answers"]
    for answer in (first, stranger):
        accepted = answer["p"] <= 0.1
        assert answer["verdict"] == ("identity" if accepted else "nobody")
        assert answer["identities"] == 20
    best = first["candidates"][0]
    assert (best["identity"], best["picture"]) == ("000", "000/1.png")
    assert stranger["score"] < first["score"]
    facts = ["first.png", "10 %", "000/1.png", "stranger.png", "small model that comes", "--model"]
    assert not lacking(out, *facts)
    text = page.read_text()
    assert text.count('<section class="result') == 2
    assert "000/1.png" in text
    code, out, err = run(capsys, "search", pictures / "people", queries[0], "--rate", "0.1")
    assert (code, "000/1.png" in out) == (0, True), err


def test_loose_pictures_are_ranked_and_nobody_is_not_decided(pictures, tmp_path, capsys):
    loose = tmp_path / "loose"
    loose.mkdir()
    for person in range(6):
        shutil.copy(pictures / "people" / f"{person:03d}" / "1.png", loose / f"{person}.png")
    query = pictures / "queries" / "first.png"
    page, answers = tmp_path / "found.html", tmp_path / "answers.json"
    code, out, err = run(
        capsys, "search", loose, query, "--html", page, "--json", answers, "--no-cache", "--top", 3
    )
    assert code == 0, err
    (answer,) = json.loads(answers.read_text())["answers"]
    assert answer["verdict"] == "undecided"
    assert answer["pictures"][0]["picture"] == "0.png"
    assert len(answer["pictures"]) == 3
    assert not lacking(out, "MOST ALIKE", "0.png", "cannot be decided", "folder of their own")
    assert 'class="line"' not in page.read_text()


def test_sentences_rank_alone_and_beside_a_picture(pictures, tmp_path, capsys):
    query = pictures / "queries" / "first.png"
    page, answers = tmp_path / "found.html", tmp_path / "answers.json"
    sentence = ["--text", "a red coat", "--template", "a photo of {text}.", "--top", 3]
    for images, weight in (([], 1), ([query], 0.2)):
        code, out, err = run(
            capsys, "search", pictures / "people", *images, *sentence, "--weight", 0.2,
            "--html", page, "--json", answers,
        )  # fmt: skip
        assert code == 0, err
        (answer,) = json.loads(answers.read_text())["answers"]
        assert (answer["verdict"], answer["weight"]) == ("undecided", weight)
        assert (answer["searched"], answer["missing"]) == (39, 0)
        scores = [one["score"] for one in answer["candidates"]]
        assert scores == sorted(scores, reverse=True)
        assert len({one["identity"] for one in answer["candidates"]}) == 3
        assert all((pictures / "people" / one["picture"]).is_file() for one in answer["candidates"])
        assert not lacking(out, "FITS BEST", "a red coat", "cannot be decided", "never tuned")
        assert "a red coat" in page.read_text()


def test_pictures_are_ranked_one_by_one_and_re_ranked(pictures, tmp_path, capsys):
    query, answers = pictures / "queries" / "first.png", tmp_path / "answers.json"
    ranked = []
    for more in ([], ["--rerank"]):
        code, out, err = run(
            capsys, "search", pictures / "people", query, "--pictures", *more, "--top", 39,
            "--json", answers, "--html", tmp_path / "found.html",
        )  # fmt: skip
        assert code == 0, err
        (answer,) = json.loads(answers.read_text())["answers"]
        assert answer["verdict"] == "undecided"
        ranked.append(answer["pictures"])
        assert not lacking(out, "MOST ALIKE", "identity", "000/1.png")
    scores = [one["score"] for one in ranked[0]]
    assert scores == sorted(scores, reverse=True)
    assert all(one["picture"].startswith(one["identity"]) for one in ranked[0])
    keys = [{one["picture"] for one in pictures} for pictures in ranked]
    assert keys[0] == keys[1]
    assert ranked[0] != ranked[1]


@pytest.mark.parametrize(
    ("arguments", "facts"),
    [
        (["PEOPLE", "QUERY", "--rerank"], ["--pictures"]),
        (["PEOPLE", "QUERY", "--text", "coat", "--pictures"], ["--text", "--pictures"]),
        (["PEOPLE"], ["IMAGE", "--text"]),
        (["PEOPLE", "QUERY", "--template", "a {text}"], ["--text"]),
        (["PEOPLE", "--text", " "], ["empty"]),
        (["PEOPLE", "--text", "coat", "--template", "a coat"], ["a coat", "{text}"]),
        (["PEOPLE", "missing.png"], ["missing.png"]),
        (["PEOPLE", "QUERIES"], ["is a folder", "*.jpg"]),
        (["PEOPLE", "QUERY", "TEXT"], ["no.jpg", "no known image format"]),
        (["nowhere", "QUERY"], ["nowhere", "gallery create"]),
        (["PEOPLE", "QUERY", "--model", "nowhere"], ["nowhere"]),
        (["QUERIES", "QUERY", "--html", "QUERIES"], ["directory"]),
        (["csv:nowhere.csv", "QUERY"], ["nowhere.csv"]),
    ],
)
def test_mistakes_are_told_in_words(pictures, tmp_path, capsys, arguments, facts):
    stands_for = {
        "PEOPLE": pictures / "people",
        "QUERIES": pictures / "queries",
        "QUERY": pictures / "queries" / "first.png",
        "TEXT": tmp_path / "no.jpg",
    }
    stands_for["TEXT"].write_text("no picture")
    code, _, err = run(capsys, "search", *(stands_for.get(word, word) for word in arguments))
    assert code == 2
    assert not lacking(err, *facts)
    assert "internal error" not in err


def test_no_folder_is_embedded_for_a_picture_that_cannot_be_read(
    pictures, tmp_path, capsys, monkeypatch
):
    whole, cut = pictures / "queries" / "first.png", tmp_path / "cut.png"
    cut.write_bytes(whole.read_bytes()[:-200])
    monkeypatch.setattr(picture_index, "open_picture_gallery", None)
    code, _, err = run(capsys, "search", pictures / "people", whole, cut)
    assert code == 2
    assert not lacking(err, "cut.png", "truncated")
    with pytest.raises(DataError, match=r"cut\.png"):
        promptreid.search(pictures / "people", whole, cut)
