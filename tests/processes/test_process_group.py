"""Who shares what, and what a process is told by the one that started it."""

import copy

import pytest
import torch

from promptreid.errors import ConfigError
from promptreid.processes.launch import is_first, is_launched, local_rank
from promptreid.processes.lost_process import Member
from promptreid.processes.process_group import ALONE, Processes, joined_processes
from promptreid.processes.row_shares import are_shared


@pytest.mark.parametrize("rows", [3, 4, 10, 11])
def test_rows_are_shared_out_whole_and_evenly(rows):
    shares = Processes(count=3).shares(rows)
    assert [row for share in shares for row in range(rows)[share]] == list(range(rows))
    sizes = [share.stop - share.start for share in shares]
    assert max(sizes) - min(sizes) <= 1
    assert [Processes(rank, 3).share(rows) for rank in range(3)] == shares


def test_every_process_computes_rows_that_are_too_few_to_share():
    processes = Processes(2, 3, host=object())
    assert processes.share(2) == slice(0, 2)
    assert not are_shared(2, processes)
    assert are_shared(3, processes)
    assert not are_shared(3, ALONE)


def test_alone_nothing_is_exchanged():
    assert ALONE.any(True)
    assert not ALONE.any(False)
    assert ALONE.of_first("value") == "value"
    ALONE.wait()
    assert ALONE.is_first
    assert copy.deepcopy(ALONE) is ALONE


def test_what_torchrun_tells(monkeypatch):
    for name in ("RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT", "LOCAL_RANK"):
        monkeypatch.delenv(name, raising=False)
    assert not is_launched()
    assert is_first()
    assert local_rank() == 0
    monkeypatch.setenv("WORLD_SIZE", "2")  # other launchers set some of these names
    monkeypatch.setenv("RANK", "1")
    assert not is_launched()
    assert is_first()
    with joined_processes("cpu") as processes:
        assert processes is ALONE
    monkeypatch.setenv("MASTER_ADDR", "localhost")
    monkeypatch.setenv("MASTER_PORT", "1")
    monkeypatch.setenv("LOCAL_RANK", "1")
    assert is_launched()
    assert not is_first()
    assert local_rank() == 1


def test_each_process_takes_a_card_of_its_own(monkeypatch):
    monkeypatch.setenv("LOCAL_RANK", "1")
    two = (Member("here", 1), Member("here", 2))
    processes = Processes(1, 2, two, host=object())
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert processes.pick_device(None) is None
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert processes.pick_device(None) == processes.pick_device("cuda") == "cuda:1"
    assert processes.pick_device("cpu") == "cpu"
    with pytest.raises(ConfigError, match=r"--device cuda:0 .* 2 processes"):
        processes.pick_device("cuda:0")
    apart = Processes(1, 2, (Member("there", 1), Member("here", 2)), host=object())
    assert apart.pick_device("cuda:0") == "cuda:0"
    assert ALONE.pick_device("cuda:3") == "cuda:3"
