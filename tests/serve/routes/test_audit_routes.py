"""What the gallery was used for, over HTTP."""

from served_gallery import attach


def test_uses_are_written_down_with_who_asked(served):
    for person in (0, 1):
        served.client.post("/v1/search", files=attach(served.query(person)))
    body = served.client.get("/v1/audit").json()
    assert body["is_on"]
    assert [one["number"] for one in body["records"]] == [2, 1]
    content = body["records"][0]["content"]
    assert (content["kind"], content["asked_by"]) == ("search", "this machine")
    assert content["gallery"] == "people.gallery"
    first = served.client.get("/v1/audit", params={"limit": 1}).json()
    assert first["next"] == 2
    second = served.client.get("/v1/audit", params={"limit": 1, "before": first["next"]}).json()
    assert [one["number"] for one in second["records"]] == [1]
    assert second["next"] is None
    check = served.client.get("/v1/audit/check").json()
    assert check == {"head": body["head"], "problems": []}


def test_who_verified_an_answer_is_written_down(served):
    served.client.post("/v1/search", files=attach(served.query(0)))
    said = {"right": True, "by": "Anna", "words": "seen myself"}
    answer = served.client.post("/v1/audit/1/confirm", json=said)
    assert (answer.status_code, answer.json()) == (200, {"number": 2})
    content = served.client.get("/v1/audit").json()["records"][0]["content"]
    assert content["asked_by"] == "Anna"
    assert (content["answer"]["record"], content["answer"]["right"]) == (1, True)
    assert content["answer"]["token"] == "this machine"
    assert served.client.post("/v1/audit/9/confirm", json=said).status_code == 404


def test_what_names_an_erased_person_is_erased_and_the_chain_holds(served):
    [answer] = served.client.post(
        "/v1/search", files=attach(served.pictures[1]), data={"top": 2}
    ).json()["answers"]
    number = answer["candidates"][0]["number"]
    served.client.delete(f"/v1/identities/{number}", headers={"If-Match": "*"})
    records = served.client.get("/v1/audit").json()["records"]
    assert records[-1]["content"] is None
    assert records[0]["content"]["kind"] == "erasure"
    assert served.client.get("/v1/audit/check").json()["problems"] == []
