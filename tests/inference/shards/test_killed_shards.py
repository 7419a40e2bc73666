"""A process that is killed by signal 9 at any point, and the same command given again."""

import pytest
from forked_processes import run_processes
from shard_folders import hash_files

SERVER = """
import os, signal, sys
from pathlib import Path
import pyarrow.parquet
import torch
from shard_folders import hash_files
from small_models import INFO, small_backbone
from promptreid.data.load_data import load_data
from promptreid.data.packed.image_table import ImageTable
from promptreid.inference.embedder import Embedder
from promptreid.inference.shards.embed_shards import embed_shards
from promptreid.inference.shards.shard_job import ShardOptions
from promptreid.models.reid import ReIDModel
from promptreid.progress import Silent

torch.set_num_threads(1)
pyarrow.array([0])  # it imports pandas, which every child would do again
embedder = Embedder(ReIDModel(small_backbone()), INFO)
table = ImageTable.of_manifest(load_data(f"folder:{sys.argv[1]}").manifest.select(range(3)))
options = ShardOptions(shard_rows=2, batch_size=1, threads=1)
left = 0

def step():
    global left
    left -= 1
    if left == 0:
        os.kill(os.getpid(), signal.SIGKILL)

class Steps(Silent):
    def advance(self, count):
        step()

def around(function):
    def call(*arguments):
        step()
        done = function(*arguments)
        step()
        return done
    return call

def run(out, steps):
    # A process of its own, which dies at a step: after a batch, before a name, or after a name.
    global left
    child = os.fork()
    if not child:
        left = steps
        Path.replace, os.link = around(Path.replace), around(os.link)
        embed_shards(embedder, table, out, options=options, progress=Steps())
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])

base = Path(sys.argv[2])
assert run(base / "whole", 0) == 0
whole, killed = hash_files(base / "whole"), 0
for steps in range(1, 1000):
    out = base / str(steps)
    status = run(out, steps)
    if status == 0:
        break
    assert status == -signal.SIGKILL, status
    assert not (out / "manifest.json").exists() or hash_files(out) == whole
    assert run(out, 0) == 0
    assert hash_files(out) == whole, (steps, hash_files(out), whole)
    killed += 1
print("killed", killed)
"""


@pytest.mark.slow
def test_killed_at_any_step_and_begun_again_gives_the_same_bytes(crops, tmp_path):
    program = tmp_path / "server.py"
    program.write_text(SERVER)
    (ended,) = run_processes([str(program), str(crops), str(tmp_path)], 1)
    assert ended.code == 0, ended.errors
    # Three batches; the job, two shards, two markers and the manifest get their names.
    assert ended.said == "killed 15\n"
    assert len(hash_files(tmp_path / "whole")) == 1 + 2 + 2 + 1
