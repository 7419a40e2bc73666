"""A real Ray on this machine makes the same bytes."""

import shutil

import pytest
from shard_folders import OPTIONS, hash_files
from small_models import INFO, small_backbone

from promptreid.data.packed.open_table import open_table
from promptreid.errors import DataError
from promptreid.inference.shards.embed_shards import embed_shards
from promptreid.inference.shards.ray_shards import RayRequest, embed_on_ray
from promptreid.models.checkpoint import save_model
from promptreid.models.reid import ReIDModel


@pytest.mark.slow
def test_workers_on_ray_make_the_same_bytes_and_name_what_is_wrong(embedder, crops, tmp_path):
    ray = pytest.importorskip("ray", reason="ray is not installed: promptreid[ray]")
    few = tmp_path / "few"
    for name in ("000", "001", "002"):
        shutil.copytree(crops / name, few / name)
    model = tmp_path / "small.safetensors"
    save_model(model, ReIDModel(small_backbone()), INFO)
    wanted, out = tmp_path / "wanted", tmp_path / "out"
    embed_shards(embedder, open_table(str(few)), wanted, options=OPTIONS)
    shards = sorted((wanted / "shards").iterdir())
    assert len(shards) == 6
    request = RayRequest(str(model), str(few), str(out), OPTIONS, device="cpu")
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, logging_level="ERROR")
    try:
        assert embed_on_ray(request, workers=2).made == 3
        assert hash_files(out) == hash_files(wanted)
        for path in out.glob("shards/rows-000000000007-*"):
            path.unlink()
        (few / "001" / "3.png").write_bytes(b"")
        with pytest.raises(
            DataError, match=r"1 of rows 7 to 13 [\s\S]*few/001/3\.png: the file is"
        ):
            embed_on_ray(request, workers=1)
    finally:
        ray.shutdown()
