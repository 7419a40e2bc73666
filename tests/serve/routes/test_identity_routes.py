"""Listing and changing who is enrolled, over HTTP."""

import pytest

ANY = {"If-Match": "*"}


def listed(served, **query):
    return served.client.get("/v1/identities", params=query).json()


def test_pages_hold_everybody_once(asked):
    seen, after = [], 0
    while after is not None:
        page = listed(asked, limit=7, after=after)
        assert page["total"] == 20
        seen += [row["name"] for row in page["identities"]]
        after = page["next"]
    assert seen == [f"person {number}" for number in range(20)]
    assert [row["name"] for row in listed(asked, search="PERSON 11")["identities"]] == ["person 11"]
    seen, after = [], 0
    while after is not None:
        page = listed(asked, search="son 1", limit=5, after=after)
        assert page["total"] == 11
        seen += [row["name"] for row in page["identities"]]
        after = page["next"]
    assert seen == ["person 1", *(f"person {number}" for number in range(10, 20))]
    assert listed(asked, search="nobody of that name") == {
        "identities": [],
        "total": 0,
        "next": None,
    }


def test_words_are_looked_for_in_names_and_notes_as_they_are_now(served):
    first = listed(served)["identities"][0]
    assert listed(served, search="STRASSE person")["total"] == 0
    at = f"/v1/identities/{first['number']}/note"
    served.client.put(at, json={"note": "Seen in Kurze Straße"}, headers=ANY)
    page = listed(served, search="STRASSE person")
    assert [row["name"] for row in page["identities"]] == ["person 0"]


def test_an_identity_is_shown_with_its_pictures(asked):
    row = listed(asked)["identities"][3]
    answer = asked.client.get(f"/v1/identities/{row['number']}")
    body = answer.json()
    assert body["identity"] == row
    assert answer.headers["etag"] == f'"{row["version"]}"'
    assert body["entries"][0]["entry"] == row["cover"]
    assert len(body["entries"]) == row["entries"] == 2


def test_naming_merging_splitting_and_hiding(served):
    first, second = listed(served)["identities"][:2]
    at = f"/v1/identities/{first['number']}"
    put, post = served.client.put, served.client.post
    named = put(f"{at}/name", json={"name": "Anna", "seen": first["version"]}).json()
    noted = put(
        f"{at}/note", json={"note": "seen twice"}, headers={"If-Match": f'"{named["version"]}"'}
    ).json()
    assert (noted["name"], noted["note"]) == ("Anna", "seen twice")
    hidden = post(f"{at}/hide", json={"seen": noted["version"]}).json()
    assert hidden["hidden"] == 2
    shown = post(f"{at}/unhide", json={"seen": hidden["version"]}).json()
    merged = post(f"{at}/merge", json={"into": second["number"], "seen": shown["version"]}).json()
    assert (merged["name"], merged["entries"]) == ("person 1", 4)
    assert served.client.get(at).status_code == 404
    split = post(
        f"/v1/identities/{second['number']}/split",
        json={"entries": [first["cover"]], "name": "Ben", "seen": merged["version"]},
    ).json()
    assert (split["name"], split["entries"], split["cover"]) == ("Ben", 1, first["cover"])


CHANGES = [
    ("PUT", "name", {"name": "x"}),
    ("PUT", "note", {"note": "x"}),
    ("POST", "merge", {"into": 3}),
    ("POST", "split", {"entries": [1], "name": "x"}),
    ("POST", "hide", {}),
    ("POST", "unhide", {}),
    ("DELETE", "", None),
]


@pytest.mark.parametrize(("method", "verb", "body"), CHANGES)
def test_a_change_says_what_it_was_made_from(asked, method, verb, body):
    """Without a version 428, with an old one 412, with two that differ 400; nothing is changed."""
    row = listed(asked)["identities"][0]
    url = f"/v1/identities/{row['number']}/{verb}".rstrip("/")
    content = {} if body is None else {"json": body}
    assert asked.client.request(method, url, **content).status_code == 428
    old = asked.client.request(method, url, headers={"If-Match": '"1"'}, **content)
    assert old.status_code == 412
    assert "Look again" in old.json()["detail"]
    assert (
        asked.client.request(method, url, headers={"If-Match": "x"}, **content).status_code == 400
    )
    if body is not None:
        both = asked.client.request(
            method, url, headers={"If-Match": '"1"'}, json={**body, "seen": row["version"]}
        )
        assert both.status_code == 400
    assert listed(asked)["identities"][0] == row


def test_what_cannot_be_done_is_told(asked):
    post, put = asked.client.post, asked.client.put
    taken = put("/v1/identities/1/name", json={"name": "person 1"}, headers=ANY)
    assert (taken.status_code, "person 1" in taken.json()["detail"]) == (409, True)
    assert post("/v1/identities/1/merge", json={"into": 1}, headers=ANY).status_code == 422
    assert post("/v1/identities/1/merge", json={"into": 999}, headers=ANY).status_code == 404
    foreign = post("/v1/identities/1/split", json={"entries": [9], "name": "x"}, headers=ANY)
    assert (foreign.status_code, "9" in foreign.json()["detail"]) == (422, True)
    unknown = put("/v1/identities/1/name", json={"name": "x", "colour": 3}, headers=ANY)
    assert (unknown.status_code, "colour" in unknown.json()["detail"]) == (422, True)
    for number in ("0", "-1", "1.5", "x", "99999999999999999999"):
        assert asked.client.get(f"/v1/identities/{number}").status_code == 422


def test_erasing_proves_that_nothing_is_left(served):
    row = listed(served)["identities"][0]
    picture = served.client.get(f"/v1/entries/{row['cover']}/picture").content
    answer = served.client.delete(
        f"/v1/identities/{row['number']}", headers={"If-Match": f'"{row["version"]}"'}
    )
    body = answer.json()
    assert (answer.status_code, body["entries"], body["identities"]) == (200, 2, 1)
    assert body["pieces"] > 0
    assert served.client.get(f"/v1/entries/{row['cover']}/picture").status_code == 404
    store = served.service.gallery.records._folder
    assert all(picture[-60:] not in file.read_bytes() for file in store.iterdir())


def test_a_change_while_an_identity_is_read_is_not_overwritten(served, monkeypatch):
    """Who saw the pictures from before a change must not pass for one who saw it."""
    gallery, at = served.service.gallery, "/v1/identities/1"
    read = gallery.entries

    def read_and_change(identity):
        rows = read(identity)
        gallery.note(identity, "changed by somebody else")
        return rows

    monkeypatch.setattr(gallery, "entries", read_and_change)
    seen = served.client.get(at).headers["etag"]
    answer = served.client.put(f"{at}/name", json={"name": "zoe"}, headers={"If-Match": seen})
    assert answer.status_code == 412
