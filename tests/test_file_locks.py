"""Locks of files: who holds one, how long others wait, and when it ends."""

import math
import os
import threading
import time

import pytest

from promptreid import file_locks
from promptreid.file_locks import take_lock


@pytest.fixture
def openings(tmp_path):
    """Two openings of one file."""
    opened = [os.open(tmp_path / "lock", os.O_RDWR | os.O_CREAT) for _ in range(2)]
    yield opened
    for descriptor in opened:
        os.close(descriptor)


def test_two_openings_of_one_file_exclude_each_other(openings, tmp_path):
    assert take_lock(openings[0])
    assert take_lock(openings[0])  # it has it already
    assert not take_lock(openings[1])
    os.close(openings.pop(0))
    assert take_lock(openings[0])


@pytest.mark.parametrize("patience", [30, math.inf])
def test_who_is_patient_gets_it_when_the_other_is_done(openings, patience):
    assert take_lock(openings[0])
    taken = []
    waiting = threading.Thread(target=lambda: taken.append(take_lock(openings[1], patience)))
    waiting.start()
    time.sleep(0.01)
    assert not taken
    os.close(openings.pop(0))
    waiting.join(timeout=20)
    assert taken == [True]


def test_who_waited_long_enough_goes_without(openings):
    assert take_lock(openings[0])
    start = time.monotonic()
    assert not take_lock(openings[1], 0.02)
    assert time.monotonic() - start >= 0.02


def test_where_there_are_no_locks_everybody_has_them(openings, monkeypatch):
    monkeypatch.setattr(file_locks, "fcntl", None)
    assert all(take_lock(descriptor) for descriptor in openings)
