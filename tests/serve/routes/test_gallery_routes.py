"""The gallery as a whole, over HTTP."""

import io
import zipfile


def test_info_says_what_can_be_promised(asked):
    info = asked.client.get("/v1/info").json()
    facts = asked.service.gallery.info()
    for name in ("entries", "identities", "calibrating", "rate", "least_rate", "needed"):
        assert info[name] == getattr(facts, name)
    assert info["gallery"] == "people.gallery"
    assert info["rights"] == ["search", "enrol", "erase", "audit"]
    assert info["abilities"] == {
        "verify": True,
        "activation": False,
        "text": False,
        "audit": True,
    }


def test_an_export_is_one_archive(asked):
    answer = asked.client.get("/v1/export")
    assert answer.headers["content-type"] == "application/zip"
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        assert archive.testzip() is None
        table = archive.read("entries.csv").decode().splitlines()
        assert len(archive.namelist()) == 41
    assert len(table) == 41
    one = asked.client.get("/v1/export", params={"identity": 1})
    with zipfile.ZipFile(io.BytesIO(one.content)) as archive:
        assert len(archive.namelist()) == 3
    assert asked.client.get("/v1/export", params={"identity": 999}).status_code == 404
