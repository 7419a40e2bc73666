"""The application as a whole: whatever is sent, the answer is one that OpenAPI names."""

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)
from served_gallery import attach

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]


def put_through(operation, asked):
    """Send what hypothesis makes of the description of a route, well formed or not."""

    @settings(
        max_examples=6,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.generate],
    )
    @given(case=operation.as_strategy())
    def ask(case):
        answer = case.call()
        case.validate_response(answer, checks=CHECKS)
        asked.append((operation.label, answer.status_code))

    ask()


@pytest.mark.slow
def test_nothing_that_is_sent_breaks_it_or_gets_an_answer_that_is_not_documented(served):
    schema = schemathesis.openapi.from_asgi("/openapi.json", served.app)
    asked: list[tuple[str, int]] = []
    for operation in schema.get_all_operations():
        put_through(operation.ok(), asked)
    assert len({label for label, _ in asked}) >= 25
    assert len({status for _, status in asked}) >= 5
    assert served.client.get("/v1/info").status_code == 200
    assert served.service.gallery.check() == []


def test_every_route_says_what_it_may_answer_and_needs(asked):
    description = asked.client.get("/openapi.json").json()
    assert len(description["paths"]) >= 20
    for path, methods in description["paths"].items():
        for method, route in methods.items():
            assert route["summary"], (method, path)
            assert "429" in route["responses"], (method, path)
    assert "Problem" in description["components"]["schemas"]


def test_the_page_of_the_routes_needs_no_network(asked):
    page = asked.client.get("/docs")
    assert page.headers["content-type"].startswith("text/html")
    for path in asked.client.get("/openapi.json").json()["paths"]:
        assert path in page.text
    assert "<script" not in page.text
    assert "http://" not in page.text.replace("http://testserver", "")
    assert "https://" not in page.text


@pytest.mark.parametrize(
    "path",
    [
        "/page/../../service.py",
        "/page/%2e%2e/application.py",
        "/page//etc/passwd",
        "/..%2f..%2fetc",
    ],
)
def test_no_path_of_a_client_is_opened(asked, path):
    answer = asked.client.get(path)
    assert answer.status_code == 404
    assert "import" not in answer.text


def test_a_failure_is_told_without_its_reason(asked, monkeypatch, caplog):
    def fail(*given, **named):
        raise RuntimeError("secret of the inside")

    monkeypatch.setattr(asked.service.gallery, "search", fail)
    answer = asked.client.post("/v1/search", files=attach(asked.query(0)))
    assert answer.status_code == 500
    assert "secret" not in answer.text
    assert "secret of the inside" in caplog.text
