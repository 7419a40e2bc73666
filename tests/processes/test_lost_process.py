"""Which process is gone, and what is said of it."""

import os
import subprocess
import sys

import pytest
from facts import lacking

from promptreid.errors import RunError
from promptreid.processes.lost_process import Member, name_lost
from promptreid.processes.process_group import Processes


@pytest.fixture
def child():
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    yield process
    process.kill()
    process.communicate()


def test_a_killed_process_is_named(child):
    here = Member.here()
    member = Member(here.host, child.pid)
    assert not member.has_ended()
    assert not here.has_ended()
    child.kill()
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    assert member.has_ended()  # nobody has asked how it ended
    child.wait()
    assert member.has_ended()
    assert not Member("elsewhere", child.pid).has_ended()
    processes = Processes(0, 2, (here, member), host=object())
    with pytest.raises(RunError) as caught, processes.named_losses():
        raise RuntimeError("Connection closed by peer")
    facts = ("Rank 1", f"process {child.pid}", here.host, "of 2", "--resume", "--max-restarts")
    assert not lacking(str(caught.value), *facts)


def test_silence_is_told_where_nobody_knows_who_has_ended():
    members = (Member.here(), Member("elsewhere", 7))
    said = str(name_lost(members, 0, RuntimeError("Timed out waiting 1800000ms\nat line 3")))
    assert not lacking(said, "Rank 0 of 2", "elsewhere", "Timed out", "--resume")
    assert "line 3" not in said
