"""Who may do what."""

import pytest
from served_gallery import Served, attach

from promptreid.serve.access_tokens import EVERY_GALLERY, TokenBook, make_token


@pytest.fixture
def guarded(tmp_path):
    """A service with tokens, and a token of each kind."""
    file = tmp_path / "tokens.json"
    place = str(tmp_path / "people.gallery")
    made = {
        "door": make_token(file, "door", place, ["search"]),
        "office": make_token(file, "office", EVERY_GALLERY, ["search", "enrol"]),
        "owner": make_token(file, "owner", place, ["search", "enrol", "erase", "audit"]),
        "other": make_token(file, "other", "/another.gallery", ["search", "enrol", "erase"]),
    }
    with Served(tmp_path, tokens=TokenBook(file, place)) as running:
        yield running, made, file


def test_without_a_token_nothing_is_told(guarded):
    served, _, _ = guarded
    for headers in ({}, {"authorization": "Bearer wrong"}, {"authorization": "Basic x"}):
        for page in ("/v1/info", "/metrics", "/v1/entries/1/picture", "/v1/nothing"):
            answer = served.client.get(page, headers=headers)
            assert answer.status_code == 401
            assert answer.headers["www-authenticate"] == "Bearer"
            assert ("not known" in answer.json()["detail"]) == bool(headers)
    for page in ("/health", "/ready", "/docs", "/openapi.json"):
        assert served.client.get(page).status_code == 200


def test_rights_are_those_of_the_file(guarded):
    served, tokens, _ = guarded
    requests = {
        "search": ("POST", "/v1/search", {"files": attach(served.query(0))}),
        "enrol": ("POST", "/v1/entries/hide", {"json": {"entries": [1]}}),
        "erase": ("POST", "/v1/entries/erase", {"json": {"entries": [999]}}),
        "audit": ("GET", "/v1/audit", {}),
    }
    allowed = {"door": ["search"], "office": ["search", "enrol"], "other": [],
               "owner": ["search", "enrol", "erase", "audit"]}  # fmt: skip
    for name, token in tokens.items():
        headers = {"authorization": f"Bearer {token}"}
        info = served.client.get("/v1/info", headers=headers).json()
        assert (info["caller"], info["rights"]) == (name, allowed[name])
        for right, (method, url, content) in requests.items():
            answer = served.client.request(method, url, headers=headers, **content)
            assert (answer.status_code == 403) == (right not in allowed[name]), (name, right)
            if answer.status_code == 403:
                assert name in answer.json()["detail"]


def test_a_token_that_is_taken_away_is_refused_at_once(guarded):
    served, tokens, file = guarded
    headers = {"authorization": f"Bearer {tokens['door']}"}
    assert served.client.get("/v1/info", headers=headers).status_code == 200
    new = make_token(file, "door", EVERY_GALLERY, ["search"])
    assert served.client.get("/v1/info", headers=headers).status_code == 401
    headers = {"authorization": f"Bearer {new}"}
    assert served.client.get("/v1/info", headers=headers).status_code == 200


def test_nobody_is_let_in_while_the_tokens_cannot_be_read(guarded, caplog):
    served, tokens, file = guarded
    headers = {"authorization": f"Bearer {tokens['owner']}"}
    content = file.read_text()
    file.write_text("{")
    answer = served.client.get("/v1/info", headers=headers)
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
    assert str(file) not in answer.text
    assert str(file) in caplog.text
    file.write_text(content)
    assert served.client.get("/v1/info", headers=headers).status_code == 200
