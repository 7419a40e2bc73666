"""Processes that render: they end with their parent, and a dead one is told."""

import os
import signal
import subprocess
import sys

import pytest

from promptreid.errors import RunError
from promptreid.synth.rendering_processes import render_each

KILLED = """
import os, signal
from promptreid.synth.rendering_processes import render_each

def worker(job):
    return os.getpid()

if __name__ == "__main__":
    for pid in render_each(worker, range(99), workers=2):
        print(pid, flush=True)
        os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGKILL")
def test_workers_of_a_killed_process_end(tmp_path):
    script = tmp_path / "rendering.py"
    script.write_text(KILLED)
    # Who works holds standard output, too: it ends when all have ended.
    done = subprocess.run([sys.executable, script], stdout=subprocess.PIPE, timeout=60, check=False)
    assert done.returncode == -signal.SIGKILL
    assert int(done.stdout)


@pytest.mark.slow
def test_a_process_that_dies_is_told():
    with pytest.raises(RunError, match="A rendering process died"):
        list(render_each(os._exit, [1, 1], workers=2))


def test_one_worker_is_this_process():
    assert list(render_each(lambda job: (job, os.getpid()), "ab", workers=1)) == [
        ("a", os.getpid()),
        ("b", os.getpid()),
    ]
