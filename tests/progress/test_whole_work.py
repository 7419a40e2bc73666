"""The time that is left for all of it, from what its parts have taken."""

import pytest

from promptreid.progress import Silent
from promptreid.progress import whole_work as module
from promptreid.progress.whole_work import Whole, Work, task_name


@pytest.fixture
def clock(monkeypatch):
    class Clock:
        now = 50.0

    monkeypatch.setattr(module.time, "monotonic", lambda: Clock.now)
    return Clock


def do(whole, clock, title, units, each):
    whole.start(title, units, "images")
    whole.advance(units)
    clock.now += units * each
    whole.finish()


@pytest.mark.parametrize(
    ("title", "name"),
    [
        ("image 3/20", "image"),
        ("half 1/2: image 3/20", "half: image"),
        ("embedding crops", "embedding"),
        ("half 2/2: embedding crops", "embedding"),
        ("image features", "image features"),
    ],
)
def test_tasks_are_named_by_what_they_do(title, name):
    assert task_name(title) == name


def test_parts_that_were_measured_count_by_their_own_speed(clock):
    works = [
        Work("embedding", 300),
        Work("image", 200, 3.0),
        Work("half: image", 200, 3.0, "image"),
    ]
    whole = Whole(Silent(), works)
    assert whole.seconds_after() is None
    do(whole, clock, "embedding crops", 100, 0.1)  # 10 s for a third
    guessed = 200 * 0.1 + 400 * 3 * 0.1
    assert whole.seconds_after() == pytest.approx(guessed)
    do(whole, clock, "image 1/2", 100, 0.5)
    assert whole.seconds_after() == pytest.approx(200 * 0.1 + 300 * 0.5)
    whole.start("image 2/2", 100, "images")
    assert whole.seconds_after() == pytest.approx(200 * 0.1 + 200 * 0.5)  # beyond this task
    whole.finish()
    do(whole, clock, "half 1/2: image 1/2", 100, 0.5)
    assert whole.seconds_after() == pytest.approx(200 * 0.1 + 100 * 0.5)


def test_what_was_skipped_is_not_waited_for(clock):
    """A stage that stops early leaves epochs that never come."""
    whole = Whole(Silent(), [Work("prompts", 1000), Work("image", 200)])
    do(whole, clock, "prompts 1/10", 100, 0.1)
    assert whole.seconds_after() == pytest.approx(1100 * 0.1)
    whole.start("image 1/2", 100, "images")
    assert whole.seconds_after() == pytest.approx(100 * 0.1)


def test_the_listener_hears_what_follows():
    heard = []

    class Listener(Silent):
        def later(self, seconds):
            heard.append(seconds)

    whole = Whole(Listener(), [Work("image", 200)])
    assert heard == [whole.seconds_after]
