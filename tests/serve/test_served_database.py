"""A gallery in PostgreSQL is served as one in a folder is."""

import io
import zipfile

import pytest
from facts import lacking
from gallery_model import draw_people
from gallery_stores import Combination, create_gallery
from served_gallery import ThresholdModel, attach
from starlette.testclient import TestClient

from promptreid.gallery.records.open_records import open_records
from promptreid.serve.application import create_app
from promptreid.serve.served_models import ServedModel, ServedModels
from promptreid.serve.service import Service
from promptreid.serve.service_settings import ServiceSettings

POSTGRES = Combination("postgres", "pgvector")
PEOPLE, IMAGES = 45, 3


@pytest.fixture(scope="module")
def pictures():
    return draw_people(PEOPLE, IMAGES)[0]


@pytest.fixture
def served(tmp_path, pictures):
    reason = POSTGRES.find_reason_not_run()
    if reason is not None:
        pytest.skip(reason)
    place = POSTGRES.new_place(tmp_path).partition("?")[0]
    gallery = create_gallery(place)
    gallery.add(pictures[3:], draw_people(PEOPLE, IMAGES)[1][3:])
    gallery.close()
    models = ServedModels([ServedModel(ThresholdModel())])
    settings = ServiceSettings(hosts=frozenset({"testserver"}))
    app = create_app(Service.start(open_records(place), models, settings))
    with TestClient(app, raise_server_exceptions=False) as client:
        yield client


def search(served, picture):
    answer = served.post("/v1/search", files=attach(picture))
    assert answer.status_code == 200, answer.json()
    return answer.json()["answers"][0]


@pytest.mark.slow
def test_it_enrols_finds_changes_exports_and_erases(served, pictures):
    info = served.get("/v1/info").json()
    assert info["gallery"].startswith("gallery_")
    assert (info["entries"], info["identities"]) == (132, 44)
    assert search(served, pictures[0])["verdict"] == "nobody"
    sent = attach(*pictures[1:3])
    added = served.post("/v1/entries", files=sent, data={"identity": "anna"})
    assert added.status_code == 201
    assert served.post("/v1/entries", files=sent, data={"identity": "anna"}).status_code == 200
    answer = search(served, pictures[0])
    assert (answer["verdict"], answer["candidates"][0]["identity"]) == ("identity", "anna")
    number = answer["candidates"][0]["number"]
    one = f"/v1/identities/{number}"
    assert served.put(f"{one}/name", json={"name": "Anna B.", "seen": 0}).status_code == 412
    seen = served.get(one).json()["identity"]["version"]
    assert served.put(f"{one}/name", json={"name": "Anna B.", "seen": seen}).status_code == 200
    taken = served.put(f"{one}/name", json={"name": "person 3"}, headers={"If-Match": "*"})
    assert taken.status_code == 409
    assert not lacking(taken.json()["detail"], "person 3", info["gallery"])
    assert "127.0.0.1" not in taken.text
    thumbnail = served.get(f"/v1/entries/{added.json()['pictures'][0]['entry']}/thumbnail")
    assert thumbnail.headers["content-type"] == "image/jpeg"
    archive = zipfile.ZipFile(io.BytesIO(served.get("/v1/export").content))
    assert len(archive.namelist()) == 135
    assert "gallery_entries 134" in served.get("/metrics").text
    erased = served.delete(one, headers={"If-Match": "*"})
    assert erased.status_code == 200, erased.json()
    assert erased.json()["entries"] == 2
    assert search(served, pictures[0])["verdict"] == "nobody"
    assert served.get("/v1/audit/check").json()["problems"] == []
    assert served.get("/v1/audit").json()["head"]["count"] >= 4
