"""Single pictures over HTTP."""

import io

from PIL import Image


def test_a_thumbnail_is_small_and_without_tags(asked):
    answer = asked.client.get("/v1/entries/1/thumbnail", params={"size": 16})
    assert answer.headers["content-type"] == "image/jpeg"
    with Image.open(io.BytesIO(answer.content)) as image:
        assert max(image.size) <= 16
        assert not image.getexif()
    assert asked.client.get("/v1/entries/1/thumbnail", params={"size": 9999}).status_code == 422
    for part in ("", "/picture", "/thumbnail"):
        missing = asked.client.get(f"/v1/entries/999{part}")
        assert (missing.status_code, "999" in missing.json()["detail"]) == (404, True)


def test_entries_are_hidden_shown_and_erased(served):
    change = {"entries": [1, 3]}
    for verb, hidden in (("hide", 2), ("unhide", 0)):
        answer = served.client.post(f"/v1/entries/{verb}", json=change)
        assert (answer.status_code, answer.json()) == (200, {"entries": 2})
        assert served.client.get("/v1/info").json()["hidden"] == hidden
    erased = served.client.post("/v1/entries/erase", json=change).json()
    assert (erased["entries"], erased["identities"]) == (2, 0)
    assert served.client.post("/v1/entries/erase", json=change).status_code == 404
    for wrong in ({"entries": []}, {"entries": [0]}, {"entries": ["x"]}, {}, [1]):
        assert served.client.post("/v1/entries/hide", json=wrong).status_code == 422


def test_a_picture_that_lies_elsewhere_and_is_gone_is_told(served, tmp_path):
    file = tmp_path / "away.png"
    Image.fromarray(served.query(0)).save(file)
    records = served.service.gallery.records
    with records.writing():
        records.execute("UPDATE entries SET path = ? WHERE entry = 1", str(file))
        records.execute("DELETE FROM crops WHERE entry = 1")
    assert served.client.get("/v1/entries/1/picture").content == file.read_bytes()
    file.unlink()
    answer = served.client.get("/v1/entries/1/picture")
    assert answer.status_code == 422
    assert str(tmp_path) not in answer.json()["detail"]
