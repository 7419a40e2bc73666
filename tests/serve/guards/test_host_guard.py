"""Requests that a browser was tricked into."""

import pytest


@pytest.mark.parametrize("host", ["evil.example", "testserver.evil.example", "", "127.0.0.1"])
def test_another_host_is_not_answered(asked, host):
    answer = asked.client.get("/v1/info", headers={"host": host})
    assert answer.status_code == 421
    assert "testserver" in answer.json()["detail"]


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"origin": "http://evil.example"}, 403),
        ({"origin": "null"}, 403),
        ({"origin": "http://[broken"}, 403),
        ({"origin": "http://testserver"}, 200),
        ({"sec-fetch-site": "cross-site"}, 403),
        ({"sec-fetch-site": "same-site"}, 403),
        ({"sec-fetch-site": "same-origin"}, 200),
        ({"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate"}, 200),
    ],
)
def test_pages_of_other_sites_are_refused(asked, headers, status):
    assert asked.client.get("/v1/info", headers=headers).status_code == status
    verb = asked.client.post("/v1/entries/hide", json={"entries": [1]}, headers=headers)
    assert verb.status_code == (200 if status == 200 and "sec-fetch-mode" not in headers else 403)
    asked.client.post("/v1/entries/unhide", json={"entries": [1]})


def test_answers_tell_browsers_what_a_page_may_do(asked):
    for page in ("/v1/info", "/docs", "/v1/nothing"):
        headers = asked.client.get(page).headers
        policy = headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["cross-origin-resource-policy"] == "same-origin"
        assert "set-cookie" not in headers
