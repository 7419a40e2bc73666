"""The gallery as a whole, over HTTP."""

import io
import os
import tempfile
import zipfile

from promptreid.serve.exported_archive import write_archive


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


def test_of_an_export_no_file_has_a_name_while_it_is_sent(asked, tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    gallery, export = asked.service.gallery, asked.service.gallery.export

    def export_long_ago(folder, identity):
        exported = export(folder, identity)
        os.utime(exported.table, (0, 0))  # by a clock that was never set
        return exported

    monkeypatch.setattr(gallery, "export", export_long_ago)
    pieces = write_archive(gallery, "person 1")
    assert list(tmp_path.iterdir()) == []  # so that a killed process leaves no picture
    with zipfile.ZipFile(io.BytesIO(b"".join(pieces))) as archive:
        assert len(archive.namelist()) == 3


def test_a_disk_without_room_for_an_export_is_told(asked, monkeypatch):
    def refuse(folder, identity):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(asked.service.gallery, "export", refuse)
    answer = asked.client.get("/v1/export")
    assert answer.status_code == 507
    assert "No space left" in answer.json()["detail"]
