"""A real Ray on this machine makes the same bytes, and another engine goes on with them."""

import shutil
from dataclasses import replace

import pytest
import ray
import torch
from shard_folders import OPTIONS, hash_files
from small_models import INFO, small_backbone

from promptreid.data.packed.open_table import open_table
from promptreid.errors import DataError, RunError
from promptreid.inference.shards.embed_shards import embed_shards
from promptreid.inference.shards.ray_shards import RayRequest, embed_on_ray
from promptreid.models.checkpoint import save_model
from promptreid.models.reid import ReIDModel


@pytest.fixture
def small_ray(monkeypatch):
    """A Ray of one processor that serves no page and reports to nobody."""
    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    # Its binaries may be read for the first time, beside other tests.
    monkeypatch.setenv("RAY_gcs_server_port_wait_time_s", "150")
    quiet = {"log_to_driver": False, "logging_level": "ERROR"}
    ray.init(address="local", num_cpus=1, include_dashboard=False, **quiet)
    yield
    ray.shutdown()


@pytest.mark.slow
@pytest.mark.usefixtures("small_ray")
def test_a_worker_on_ray_makes_the_same_bytes_and_names_what_is_wrong(embedder, crops, tmp_path):
    few = tmp_path / "few"
    for name in ("000", "001", "002"):
        shutil.copytree(crops / name, few / name)
    model = tmp_path / "small.safetensors"
    save_model(model, ReIDModel(small_backbone()), INFO)
    wanted, out = tmp_path / "wanted", tmp_path / "out"
    embed_shards(embedder, open_table(str(few)), wanted, options=OPTIONS)
    whole = hash_files(wanted)
    picture = few / "002" / "4.png"
    content = picture.read_bytes()
    picture.write_bytes(b"")
    request = RayRequest(str(model), str(few), str(out), OPTIONS, device="cpu")
    with pytest.raises(DataError, match=r"1 of rows 14 to 14 [\s\S]*few/002/4\.png: the file is"):
        embed_on_ray(request, workers=1)
    picture.write_bytes(content)
    made = hash_files(out)
    assert len(made) == 5  # the job, and two shards with their markers
    assert made.items() < whole.items()
    embed_shards(embedder, open_table(str(few)), out, options=OPTIONS)
    assert hash_files(out) == whole
    assert embed_on_ray(request, workers=1).made == 0
    other = tmp_path / "other.safetensors"
    changed = small_backbone()
    torch.nn.init.zeros_(changed.logit_scale)
    save_model(other, ReIDModel(changed), INFO)
    with pytest.raises(RunError, match="differs in model"):
        embed_on_ray(replace(request, model=str(other)), workers=1)
