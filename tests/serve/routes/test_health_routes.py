"""What those who watch a service see."""


def test_a_stopped_service_is_alive_but_not_ready(served):
    for page in ("/health", "/ready"):
        assert served.client.get(page).json() == {"status": "ok"}
    served.service.worker.close()
    assert served.client.get("/health").status_code == 200
    answer = served.client.get("/ready")
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")


def test_who_watches_may_call_by_any_name_and_ask_for_no_body(asked):
    for page in ("/health", "/ready"):
        for ask in (asked.client.get, asked.client.head):
            assert ask(page, headers={"host": "10.1.2.3:8080"}).status_code == 200
    assert asked.client.get("/v1/info", headers={"host": "10.1.2.3:8080"}).status_code == 421
    assert set(asked.client.get("/openapi.json").json()["paths"]["/ready"]) == {"get"}


def test_metrics_count_answers_by_route(served):
    for number in (1, 2, 999):
        served.client.get(f"/v1/entries/{number}")
    served.client.get("/v1/entries/3/nothing")
    served.client.get("/no/such/page")
    text = served.client.get("/metrics").text
    lines = dict(line.rpartition(" ")[::2] for line in text.splitlines() if line[0] != "#")
    route = 'route="/v1/entries/{entry}"'
    counts = [lines[f'promptreid_requests_total{{method="GET",{route},status="{status}"}}']
              for status in (200, 404)]  # fmt: skip
    assert counts == ["2", "1"]
    assert lines['promptreid_requests_total{method="any",route="other",status="404"}'] == "2"
    assert lines[f'promptreid_request_seconds_bucket{{{route},le="+Inf"}}'] == "3"
    assert lines["promptreid_gallery_entries"] == "40"
    assert lines["promptreid_requests_inside"] == "0"


def test_methods_that_nobody_answers_are_one_series(served):
    for number in range(3):
        assert served.client.request(f"MADE-UP-{number}", "/health").status_code == 405
    text = served.client.get("/metrics").text
    assert "MADE-UP" not in text
    assert 'promptreid_requests_total{method="any",route="/health",status="405"} 3' in text
