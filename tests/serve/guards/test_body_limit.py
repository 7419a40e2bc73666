"""Requests that are too large, too slow or broken."""

import re
from concurrent.futures import ThreadPoolExecutor

import anyio
import pytest
from facts import lacking
from served_gallery import Served, attach

FORM = {"content-type": "multipart/form-data; boundary=x"}
JSON = {"content-type": "application/json"}


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    limits = {"body_bytes": 5000, "json_bytes": 500, "body_seconds": 0.2}
    with Served(tmp_path_factory.mktemp("small"), **limits) as running:
        yield running


def test_a_large_body_is_refused_whether_or_not_it_says_so(small):
    def pieces():
        for _ in range(100):
            yield b"x" * 1000

    for answer in (
        small.client.post("/v1/search", files=attach(b"x" * 6000)),
        small.client.post("/v1/search", content=pieces(), headers=FORM),
        small.client.post("/v1/entries/hide", content=b'{"entries": [' + b"1," * 300),
        small.client.post("/v1/entries/hide", content=pieces()),
        small.client.get("/v1/info", headers={"content-length": "9" * 30}),
    ):
        assert answer.status_code == 413
        assert "bytes" in answer.json()["detail"]
    assert small.client.post("/v1/search", files=attach(small.query(0))).status_code == 200


def test_fields_that_are_wrong_are_told_in_plain_words(small):
    name = "/v1/identities/1/name"
    text = small.client.post("/v1/search", data={"pictures": "a text"}, files={"x": b""})
    broken = small.client.put(name, content=b'{"name": ', headers=JSON)
    several = small.client.put(name, json={"name": "a\nb", "other": 1, "seen": "x"})
    for answer, facts in (
        (text, ["body.pictures", "file"]),
        (broken, ["body", "JSON"]),
        (several, ["body.seen", "integer", "2 more"]),
    ):
        assert answer.status_code == 422
        detail = answer.json()["detail"]
        assert not lacking(detail, *facts)
        assert not re.search("Value error|class|UploadFile", answer.text)
    assert "cannot be seen" in several.text


@pytest.mark.parametrize(
    ("content", "headers"),
    [
        (b"--x\r\nrubbish", FORM),
        (b'--x\r\nContent-Disposition: form-data; name="pictures"\r\n\r\n1\r\n--x--', FORM),
        (b'--x\r\nContent-Disposition: form-data; name="pictures"; filename="a"\r\n\r\n', FORM),
        (b"", FORM),
        (b"rubbish", {"content-type": "multipart/form-data"}),
        (b"{", {"content-type": "application/json"}),
        (b"[" * 400, {"content-type": "application/json"}),
        (b'{"entries": "\xff"}', {"content-type": "application/json"}),
        (b'{"entries": [1e400]}', {"content-type": "application/json"}),
        (b"\x00", {"content-type": b"\xff"}),
    ],
)
@pytest.mark.parametrize("url", ["/v1/search", "/v1/entries", "/v1/entries/hide"])
def test_broken_bodies_are_told_in_words(small, url, content, headers):
    answer = small.client.post(url, content=content, headers=headers)
    assert 400 <= answer.status_code < 500
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["detail"].endswith(".")


async def fall_silent():
    await anyio.sleep_forever()


async def drip():
    await anyio.sleep(0.02)


@pytest.mark.parametrize("wait", [fall_silent, drip])
def test_a_client_that_falls_silent_or_only_holds_a_place_is_told(small, wait):
    sent = []

    async def talk():
        async def receive():
            if sent:
                await wait()
            sent.append("asked")
            return {
                "type": "http.request",
                "body": b"" if sent[1:] else b"--x\r\n",
                "more_body": True,
            }

        answers = []

        async def send(message):
            answers.append(message)

        scope = {
            "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "POST",
            "path": "/v1/search", "raw_path": b"/v1/search", "query_string": b"", "root_path": "",
            "headers": [(b"host", b"testserver"), (b"content-type", FORM["content-type"].encode())],
            "client": ("test", 1), "server": ("testserver", 80), "scheme": "http", "state": {},
        }  # fmt: skip
        with anyio.fail_after(20):
            await small.app(scope, receive, send)
        return answers

    with ThreadPoolExecutor(1) as thread:  # a browser's loop may run in this one
        answers = thread.submit(anyio.run, talk).result()
    assert answers[0]["status"] == 408
    assert b"0.2 s" in answers[1]["body"]
