"""A service that is killed while clients write has lost nothing it acknowledged."""

import os
import random
import shutil
import signal
import threading
import time

import pytest
from gallery_model import draw_people, make_gallery, open_gallery
from gallery_worker import list_people
from served_process import ServerNursery
from writing_client import WritingClient

from promptreid.gallery.records.erased_bytes import LENGTH, find_in_files

KILLS = int(os.environ.get("PROMPTREID_KILLS", "24")) // 4
"""How many services are killed."""

CLIENTS = 3
LATEST = 0.1
"""Seconds after an acknowledged change within which a service is killed."""

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def nursery():
    made = ServerNursery()
    yield made
    made.close()


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    """A closed gallery of twelve people with two images each; not to be changed."""
    folder = tmp_path_factory.mktemp("prepared") / "people"
    gallery = make_gallery(folder)
    gallery.add(*draw_people(12, 2))
    gallery.close()
    return folder


@pytest.fixture
def write(nursery, prepared, tmp_path):
    """Let clients write into a copy of a gallery until a signal comes; return all that is known."""

    def run(seed, sent, after):
        folder = shutil.copytree(prepared, tmp_path / f"people {seed}")
        acknowledged = threading.Semaphore(0)
        url = nursery.start(folder)
        clients = [
            WritingClient(url, number, seed, acknowledged.release) for number in range(CLIENTS)
        ]
        for client in clients:
            client.start()
        for _ in range(after):
            assert acknowledged.acquire(timeout=60), [client.refused for client in clients]
        time.sleep(random.Random(seed).uniform(0, LATEST))
        end = nursery.end(sent)
        for client in clients:
            client.join()
        return folder, clients, end

    return run


def check_killed(end):
    assert end.alive, "it ended before it was killed"
    assert end.signal == signal.SIGKILL, "it was not the kill that ended it"


def check_kept(folder, prepared, clients):
    """Check that everything acknowledged is there, and of the rest each change whole or not."""
    before = open_gallery(prepared)
    others = list_people(before)
    before.close()
    gallery = open_gallery(folder)
    people = {name: set(hashes) for name, hashes in list_people(gallery).items()}
    for number, client in enumerate(clients):
        own = {name: people.pop(name) for name in [*people] if name.startswith(f"client {number} ")}
        expected = client.list_people()
        unknown = [] if client.unknown is None else [client.unknown.apply(expected)]
        assert own in [expected, *unknown]
    assert people == {name: set(hashes) for name, hashes in others.items()}
    assert gallery.check() == []
    assert not gallery.records.is_compaction_due
    gallery.close()
    erased = [one.encode()[:LENGTH] for client in clients for one in client.erased]
    assert find_in_files(folder.rglob("*"), erased) == []
    assert [client.refused for client in clients] == [[]] * len(clients)


@pytest.mark.parametrize("seed", range(KILLS))
def test_nothing_acknowledged_is_lost_by_a_kill(write, prepared, seed):
    folder, clients, end = write(seed, signal.SIGKILL, 6 + 3 * (seed % 5))
    check_killed(end)
    check_kept(folder, prepared, clients)


def test_a_service_that_ends_in_order_is_not_taken_for_one_that_was_killed(write, prepared):
    folder, clients, end = write(0, signal.SIGTERM, 20)
    with pytest.raises(AssertionError, match="not the kill"):
        check_killed(end)
    assert {change.verb for client in clients for change in client.done} == {
        "enrol", "merge", "erase"
    }  # fmt: skip
    check_kept(folder, prepared, clients)
    lost = clients[0].done.pop(0)
    with pytest.raises((AssertionError, KeyError)):
        check_kept(folder, prepared, clients)
    clients[0].done.insert(0, lost)
