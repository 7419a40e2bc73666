"""Single pictures over HTTP."""

import io
import threading

import numpy as np
import pytest
from facts import lacking
from PIL import Image
from served_gallery import Served, png


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


@pytest.fixture(scope="module")
def limited(tmp_path_factory):
    """A service that decodes 1,000 pixels, of which entries 1 to 3 are larger pictures."""
    folder = tmp_path_factory.mktemp("limited")
    content = png(np.zeros((40, 30, 3), np.uint8))
    (folder / "large.png").write_bytes(content)
    with Served(folder, picture_pixels=1_000, decoded_pixels=1_000) as running:
        records = running.service.gallery.records
        with records.writing():
            records.execute("UPDATE crops SET content = ? WHERE entry = 1", content)
            for entry, box in ((2, ""), (3, "[0, 0, 8, 8]")):
                records.execute("DELETE FROM crops WHERE entry = ?", entry)
                where = str(folder / "large.png"), box, entry
                records.execute("UPDATE entries SET path = ?, box = ? WHERE entry = ?", *where)
        yield running


@pytest.mark.parametrize("entry", [1, 2, 3])
@pytest.mark.parametrize("part", ["thumbnail", "activation", "picture"])
def test_stored_pictures_are_measured_before_they_are_decoded(limited, entry, part):
    answer = limited.client.get(f"/v1/entries/{entry}/{part}")
    if part == "picture" and entry < 3:  # nothing is decoded
        assert answer.content == png(np.zeros((40, 30, 3), np.uint8))
        return
    assert answer.status_code == 422
    assert not lacking(answer.json()["detail"], "30 x 40 pixels", "1,000", "gallery export")


@pytest.mark.parametrize("part", ["thumbnail", "activation"])
def test_pixels_of_stored_pictures_are_held_of_the_budget(limited, part):
    answers = []
    ask = threading.Thread(
        target=lambda: answers.append(limited.client.get(f"/v1/entries/4/{part}"))
    )
    with limited.service.budget.holding(1_000):
        ask.start()
        ask.join(0.1)
        assert ask.is_alive()
    ask.join(20)
    assert answers[0].status_code == (200 if part == "thumbnail" else 422)  # of a model without


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
