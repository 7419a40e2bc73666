"""More requests than a service takes."""

import threading
import time

import pytest
from served_gallery import Served, attach


@pytest.fixture
def small(tmp_path):
    with Served(tmp_path, requests=3, wait_seconds=1.0) as running:
        yield running


def test_what_is_beyond_the_queue_is_sent_away_at_once(small):
    small.model.go.clear()
    statuses = []

    def ask():
        answer = small.client.post("/v1/search", files=attach(small.query(0)))
        statuses.append(answer.status_code)

    threads = [threading.Thread(target=ask) for _ in range(3)]
    threads[0].start()
    assert small.model.begun.acquire(timeout=10)  # alone in its batch: the others wait behind it
    for thread in threads[1:]:
        thread.start()
    while small.service.metrics.inside < 3:
        assert any(thread.is_alive() for thread in threads)
        time.sleep(0.01)
    answer = small.client.get("/v1/info")
    assert (answer.status_code, answer.headers["retry-after"]) == (429, "1")
    assert small.client.get("/health").status_code == 200
    while not statuses.count(503):  # behind what is computed: not come to in a second
        assert any(thread.is_alive() for thread in threads)
        time.sleep(0.01)
    small.model.go.set()
    for thread in threads:
        thread.join()
    assert statuses.count(200) >= 1
    assert small.client.get("/v1/info").status_code == 200
    assert small.service.metrics.inside == 0
