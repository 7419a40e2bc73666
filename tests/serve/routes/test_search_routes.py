"""Asking who a picture shows, over HTTP."""

import json

import pytest
from served_gallery import attach

from promptreid.gallery.gallery import Gallery
from promptreid.gallery.vector_model import GalleryImage


def ask(asked, *pictures, route="search", **fields):
    return asked.client.post(f"/v1/{route}", files=attach(*pictures), data=fields)


def test_answers_are_those_of_the_gallery(asked):
    queries = [asked.query(person) for person in range(4)]
    sent = ask(asked, *queries, top=3).json()["answers"]
    plain = asked.service.gallery.search([GalleryImage(one) for one in queries], top=3)
    for number, (body, answer) in enumerate(zip(sent, plain, strict=True)):
        expected = answer.to_dict()
        candidates = expected.pop("candidates")
        assert body["denied"] == expected.pop("denied") == []
        assert {key: body[key] for key in expected} == pytest.approx(expected)
        assert body["picture"] == f"{number}.png"
        assert body["explanation"] == answer.explanation
        for one, candidate in zip(body["candidates"], candidates, strict=True):
            assert {key: one[key] for key in candidate} == pytest.approx(candidate)


def test_conditions_of_a_form_are_those_of_the_gallery(served):
    marked = [served.query(person) for person in range(3)]
    for camera, picture in zip(("gate", "hall", "gate"), marked, strict=True):
        served.client.post(
            "/v1/entries",
            files=attach(picture),
            data={"identity": f"at {camera}", "camera": camera, "time": "2026-03-01", "domain": "d",
                  "attributes": json.dumps({"coat": "red"})},
        )  # fmt: skip
    picture = served.query(5)

    def entries(**fields):
        [answer] = ask(served, picture, top=50, **fields).json()["answers"]
        return {one["identity"] for one in answer["candidates"]}

    assert entries(cameras="gate") == {"at gate"}
    assert entries(cameras=["gate", "hall"]) == {"at gate", "at hall"}
    assert entries(domains="d", since="2026-02-28", until="2026-03-02") == {"at gate", "at hall"}
    assert entries(since="2026-03-02") == set()
    assert entries(wanted_attributes='{"coat": ["red", "blue"]}', identities="at hall") == {
        "at hall"
    }
    assert entries(cameras=["gate", "hall"], camera="gate", other_cameras="true") == {"at hall"}
    [answer] = ask(served, marked[1]).json()["answers"]
    first = answer["candidates"][0]
    assert (first["camera"], first["domain"], first["attributes"]) == ("hall", "d", {"coat": "red"})
    assert first["time"] == 1772323200


def test_nearest_gives_entries(asked):
    [found] = ask(asked, asked.pictures[1], route="nearest", top=3).json()["neighbours"]
    assert found[0]["score"] == pytest.approx(1, abs=1e-5)
    assert found[0]["identity"] == "person 0"
    assert [one["score"] for one in found] == sorted((one["score"] for one in found), reverse=True)


def test_two_pictures_are_compared(asked):
    first, second = asked.pictures[1], asked.pictures[4]
    for pair, same in (((first, first), True), ((first, second), False)):
        files = attach(pair[0], field="first") + attach(pair[1], field="second")
        answer = asked.client.post("/v1/verify", files=files).json()
        assert (answer["same"], answer["threshold"]) == (same, 0.9)
        assert "strangers" in answer["rarity"]


@pytest.mark.parametrize(
    ("fields", "status", "words"),
    [
        ({"rate": "2"}, 422, "rate"),
        ({"rate": "nan"}, 422, "rate"),
        ({"top": "0"}, 422, "top"),
        ({"since": "soon"}, 422, "soon"),
        ({"identities": "zoe"}, 404, "zoe"),
        ({"attributes": "{"}, 422, "attributes"),
        ({"attributes": '{"coat": 3}'}, 422, "coat"),
        ({"camera": "a\x00b"}, 422, "camera"),
    ],
)
def test_wrong_fields_are_told_in_words(asked, fields, status, words):
    answer = ask(asked, asked.query(0), **fields)
    assert answer.status_code == status
    assert words in answer.json()["detail"]


def test_an_empty_gallery_says_so(served):
    for row in served.service.gallery.identities():
        served.client.delete(f"/v1/identities/{row.identity}", headers={"If-Match": "*"})
    answer = ask(served, served.query(0))
    assert answer.status_code == 422
    assert "Nobody is enrolled in people.gallery" in answer.json()["detail"]


def test_another_object_of_the_same_gallery_is_seen(served):
    other = Gallery(type(served.service.gallery.records).open(
        served.service.gallery.records._folder), served.model)  # fmt: skip
    other.add([served.query(7)], ["written elsewhere"])
    [answer] = ask(served, served.query(7)).json()["answers"]
    assert answer["candidates"][0]["identity"] == "written elsewhere"
    other.close()


def test_who_is_left_out_by_a_negative_example_is_said(served):
    picture = served.query(0)
    before = ask(served, picture).json()["answers"][0]["candidates"][0]["identity"]
    served.service.gallery.add_negatives(before, [GalleryImage(picture)])
    [answer] = ask(served, picture).json()["answers"]
    assert [one["identity"] for one in answer["denied"]] == [before]
    assert before in answer["explanation"]
    assert before not in [one["identity"] for one in answer["candidates"]]


def test_uses_are_written_down_with_who_asked(served):
    before = served.service.gallery.audit.head().count
    answer = served.client.post("/v1/search", files=attach(served.query(0)))
    assert answer.status_code == 200
    record = list(served.service.gallery.audit.read())[-1]
    assert record.number == before + 1
    assert record.content["kind"] == "search"
    assert record.content["answer"]["verdict"] == answer.json()["answers"][0]["verdict"]
    assert record.content["asked_by"]
    assert served.service.gallery.audit.verify() == []
