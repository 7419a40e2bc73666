"""Damaged weight files of every layout: weights or a sentence; of our own, only a sentence."""

import io

import pytest
import torch
from damage import damaged, edits, fuzz, survives, with_damage
from hypothesis import given
from safetensors.torch import save as safetensors_bytes
from torch import nn

from promptreid.config.model import EmbeddingConfig
from promptreid.data.images.preprocess import Preprocess
from promptreid.errors import PromptReIDError
from promptreid.evaluation import Embeddings, read_embeddings, write_embeddings
from promptreid.inference.load import load
from promptreid.inference.published.published_file import read_published
from promptreid.models.checkpoint import load_model, save_model
from promptreid.models.checkpoint_info import CheckpointInfo
from promptreid.models.reid import ReIDModel
from promptreid.models.towers.backbone import build_backbone
from promptreid.models.weights.weight_files import read_weights

pytestmark = pytest.mark.slow

TENSORS = {
    "image_encoder.x": torch.arange(6.0).reshape(2, 3),
    "image_encoder.class_embedding": torch.ones(4),
    "image_encoder.conv1.weight": torch.ones(4, 3, 2, 2),
    "image_encoder.positional_embedding": torch.ones(5, 4),
    "classifier.weight": torch.ones(3, 4).half(),
}


def pickled(*, zipped: bool) -> bytes:
    memory = io.BytesIO()
    content = {"state_dict": TENSORS, "epoch": 3}
    torch.save(content, memory, _use_new_zipfile_serialization=zipped)
    return memory.getvalue()


def scripted() -> bytes:
    memory = io.BytesIO()
    torch.jit.save(torch.jit.script(nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4))), memory)
    return memory.getvalue()


@pytest.mark.parametrize("read", [read_weights, read_published])
@pytest.mark.parametrize(
    ("name", "make"),
    [
        ("legacy.pth", lambda: pickled(zipped=False)),
        ("zipped.pth", lambda: pickled(zipped=True)),
        pytest.param(
            "scripted.pt",
            scripted,
            marks=[
                pytest.mark.skipif(not hasattr(torch.jit, "script"), reason="no TorchScript"),
                pytest.mark.filterwarnings("ignore::FutureWarning"),
            ],
        ),
        ("plain.safetensors", lambda: safetensors_bytes(TENSORS)),
    ],
)
def test_weights_of_others(name, make, read, tmp_path):
    path, refused = tmp_path / name, []

    @fuzz(150)
    @given(damaged(make()))
    def check(content):
        path.write_bytes(content)
        found = survives(lambda: read(path))
        if isinstance(found, PromptReIDError):
            refused.append(str(found))

    check()
    assert len(refused) > 50
    assert all(str(path) in sentence for sentence in refused)


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    path = tmp_path_factory.mktemp("checkpoint") / "model.safetensors"
    backbone = build_backbone("tiny", pretrained="none", image_size=(32, 32), seed=0)
    model = ReIDModel(backbone, embedding=EmbeddingConfig(features=("projected",), neck="before"))
    preprocess = Preprocess(image_size=(32, 32), mean=(0.5,) * 3, std=(0.5,) * 3)
    save_model(path, model, CheckpointInfo(preprocess=preprocess))
    return path.read_bytes()


@pytest.mark.parametrize("read", [load_model, load])
def test_checkpoints(checkpoint, read, tmp_path):
    path = tmp_path / "model.safetensors"
    path.write_bytes(checkpoint)
    read(path)

    @fuzz(30)
    @given(edits)
    def check(changes):
        content = with_damage(checkpoint, changes)
        path.write_bytes(content)
        found = survives(lambda: read(path))
        assert content == checkpoint or isinstance(found, PromptReIDError)

    check()


def test_kept_embeddings(tmp_path):
    path = tmp_path / "e.safetensors"
    vectors = torch.eye(6)
    embeddings = Embeddings.from_vectors(
        vectors, list("aabbcc"), paths=[f"{n}.jpg" for n in "123456"]
    )
    write_embeddings(embeddings, path)
    whole = path.read_bytes()

    @fuzz(300)
    @given(damaged(whole))
    def check(content):
        path.write_bytes(content)
        found = survives(lambda: read_embeddings(path))
        assert content == whole or isinstance(found, PromptReIDError)

    check()
