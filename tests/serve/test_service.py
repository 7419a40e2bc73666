"""A service outlives a change of the gallery's model, and never mixes vectors of two."""

import threading
from pathlib import Path

import pytest
from gallery_model import open_gallery
from served_gallery import ThresholdModel, attach

from promptreid.gallery.gallery import Gallery
from promptreid.gallery.records.sqlite.sqlite_records import SqliteRecords
from promptreid.gallery.upkeep import reembedding
from promptreid.gallery.vector_model import GalleryImage

SEED = 7


@pytest.fixture
def better(served, tmp_path):
    """Another model, which the service can load from where it lies."""
    place = tmp_path / "better"
    place.touch()
    model = ThresholdModel(SEED)
    model.description = {"source": str(place)}
    served.elsewhere[place] = model
    return model


@pytest.fixture
def reembed(served):
    """Change the model as another process does."""

    def change(model, **settings):
        other = Gallery(SqliteRecords.open(Path(served.service.gallery.records.place)))
        told = other.reembed(model, **settings)
        other.close()
        return told

    return change


def ask(served, person, path="/v1/search"):
    return served.client.post(path, files=attach(served.query(person)))


def list_candidates(answer):
    assert answer.status_code == 200, answer.json()
    [one] = answer.json()["answers"]
    return [(who["identity"], who["score"], who["p"]) for who in one["candidates"]]


def search_directly(served, person, seed):
    gallery = open_gallery(Path(served.service.gallery.records.place), seed)
    [answer] = gallery.search([served.query(person)], top=5)
    gallery.close()
    return [
        (one.identity, pytest.approx(one.score, abs=1e-6), pytest.approx(one.p))
        for one in answer.candidates
    ]


def test_it_goes_on_with_the_new_model(served, better, reembed):
    before = [list_candidates(ask(served, person)) for person in range(2)]
    assert before == [search_directly(served, person, 0) for person in range(2)]
    reembed(better, keep_old=True)
    after = [list_candidates(ask(served, person)) for person in range(2)]
    assert after == [search_directly(served, person, SEED) for person in range(2)]
    assert after != before
    assert served.client.get("/v1/info").json()["model"] == better.fingerprint
    assert served.client.get("/ready").status_code == 200
    back = ThresholdModel()
    back.description = better.description
    served.elsewhere[next(iter(served.elsewhere))] = back
    reembed(back)
    assert [list_candidates(ask(served, person)) for person in range(2)] == before


@pytest.mark.parametrize(
    ("path", "field", "fields"),
    [
        ("/v1/entries", "pictures", {"identity": "new"}),
        ("/v1/identities/1/negatives", "pictures", {"seen": "2"}),
        ("/v1/nearest", "pictures", {}),
        ("/v1/search/text", "picture", {"text": "a red coat"}),
    ],
)
def test_whatever_needs_the_model_is_done_with_the_new_one(
    served, better, reembed, path, field, fields
):
    reembed(better)
    sent = attach(served.query(5), field=field)
    answer = served.client.post(path, files=sent, data=fields)
    assert answer.status_code in (200, 201), answer.json()
    assert better.batches[-1] == 1
    gallery = served.service.gallery
    assert gallery.check() == []
    right = better.vectors([GalleryImage(served.query(5))])[0]
    made = [vector for row, vector in gallery.records.entries() if row.identity > 20]
    made += [row.vector for row in gallery.records.negatives()]
    assert [vector.tolist() for vector in made] == [right.tolist()] * len(made)
    assert len(made) == (path != "/v1/nearest" and "text" not in path)


def test_two_pictures_are_compared_by_the_new_model(served, better, reembed):
    reembed(better)
    pair = attach(served.query(5), field="first") + attach(served.query(5), field="second")
    assert served.client.post("/v1/verify", files=pair).json()["same"] is True
    assert better.batches[-1] == 2


def test_a_model_that_is_not_at_hand_is_told_until_it_is(served, better, reembed):
    [(place, model)] = served.elsewhere.items()
    place.unlink()
    reembed(better)
    for path in ("/v1/search", "/v1/nearest"):
        answer = ask(served, 0, path)
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
        assert model.fingerprint[:16] in answer.json()["detail"]
        assert str(place) not in answer.text
    assert served.client.get("/ready").status_code == 503
    assert served.client.get("/v1/info").json()["model"] == model.fingerprint
    added = served.client.post("/v1/entries", files=attach(served.query(0)), data={"identity": "x"})
    assert added.status_code == 503
    assert served.client.get("/v1/identities").json()["total"] == 20
    place.touch()
    served.service.models._missed.clear()  # as after half a minute
    assert list_candidates(ask(served, 0)) == search_directly(served, 0, SEED)
    assert served.client.get("/ready").status_code == 200


@pytest.mark.slow
def test_clients_that_go_on_asking_get_right_answers_alone(served, better, reembed, monkeypatch):
    monkeypatch.setattr(reembedding, "_AT_A_TIME", 16)
    right = [list_candidates(ask(served, 0))]
    answers, end = [], threading.Event()

    def go_on():
        while not end.is_set():
            answers.append(list_candidates(ask(served, 0)))

    threads = [threading.Thread(target=go_on) for _ in range(2)]
    for thread in threads:
        thread.start()
    reembed(better)
    right.append(list_candidates(ask(served, 0)))
    end.set()
    for thread in threads:
        thread.join()
    assert right[1] == search_directly(served, 0, SEED)
    assert right[0] in answers
    assert [answer for answer in answers if answer not in right] == []
