"""Enrolling over HTTP."""

import hashlib

from served_gallery import attach, png


def enrol(served, *pictures, identity="new", **fields):
    return served.client.post(
        "/v1/entries", files=attach(*pictures), data={"identity": identity, **fields}
    )


def test_what_is_sent_is_enrolled_byte_for_byte(served):
    picture = png(served.query(0))
    answer = enrol(served, picture, camera="gate", time="60", attributes='{"coat": "red"}')
    assert answer.status_code == 201
    body = answer.json()
    assert (body["added"], body["present"]) == (1, 0)
    [image] = body["pictures"]
    assert image["status"] == "enrolled"
    entry = served.client.get(f"/v1/entries/{image['entry']}").json()
    assert entry["content_hash"] == hashlib.sha256(picture).hexdigest()
    assert (entry["camera"], entry["time"], entry["attributes"]) == ("gate", 60, {"coat": "red"})
    sent = served.client.get(f"/v1/entries/{image['entry']}/picture")
    assert (sent.content, sent.headers["content-type"]) == (picture, "image/png")
    assert served.service.gallery.check() == []


def test_the_same_request_again_changes_nothing(served):
    first = enrol(served, served.query(0), served.query(1)).json()
    again = enrol(served, served.query(0), served.query(1))
    assert again.status_code == 200
    assert [one["entry"] for one in again.json()["pictures"]] == [
        one["entry"] for one in first["pictures"]
    ]
    assert {one["status"] for one in again.json()["pictures"]} == {"present"}
    other = enrol(served, served.query(0), served.query(2), identity="somebody else")
    statuses = [(one["status"], one["identity"]) for one in other.json()["pictures"]]
    assert statuses == [("other identity", "new"), ("enrolled", "somebody else")]


def test_one_broken_picture_enrols_none(served):
    before = served.client.get("/v1/info").json()["entries"]
    answer = enrol(served, served.query(0), b"\x89PNG\r\n\x1a\nrubbish")
    assert answer.status_code == 422
    assert "1.png" in answer.json()["detail"]
    assert served.client.get("/v1/info").json()["entries"] == before


def test_names_that_cannot_be_shown_are_refused(served):
    for name in ("", "  ", "a\nb", "x" * 201, "\u202eanna"):
        answer = enrol(served, served.query(0), identity=name)
        assert answer.status_code == 422, name
        assert "identity" in answer.json()["detail"]


def test_what_was_erased_for_good_is_refused(served):
    [image] = enrol(served, served.query(0)).json()["pictures"]
    served.service.gallery.erase(entries=[image["entry"]], refuse=True)
    answer = enrol(served, served.query(0), served.query(1))
    assert answer.status_code == 201
    assert [one["status"] for one in answer.json()["pictures"]] == ["refused", "enrolled"]
    assert answer.json()["pictures"][0]["entry"] is None
