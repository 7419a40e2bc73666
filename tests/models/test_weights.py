"""Weight files of others: damaged, hostile or odd ones become a sentence, and nothing else."""

import io
import pickle
import random
import time
import zipfile

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from promptreid.errors import PromptReIDError, WeightsError
from promptreid.interop.clip_reid import read_clip_reid
from promptreid.models.weights import load_strictly, read_weights

TENSORS = {
    "image_encoder.x": torch.arange(6.0).reshape(2, 3),
    "image_encoder.conv1.weight": torch.ones(4, 3, 2, 2),
    "classifier.weight": torch.ones(3, 4).half(),
}


def saved(*, zipped: bool) -> bytes:
    memory = io.BytesIO()
    content = {"state_dict": TENSORS, "epoch": 3}
    torch.save(content, memory, _use_new_zipfile_serialization=zipped)
    return memory.getvalue()


def safetensors(tmp_path) -> bytes:
    save_file(TENSORS, tmp_path / "whole.safetensors")
    return (tmp_path / "whole.safetensors").read_bytes()


def damaged(source: bytes, rng: random.Random) -> bytes:
    """Flip, delete or insert at one to three places, or cut the file."""
    content = bytearray(source)
    if rng.random() < 0.1:
        return bytes(content[: rng.randrange(len(content))])
    for _ in range(rng.choice((1, 2, 3))):
        at, kind = rng.randrange(len(content)), rng.randrange(3)
        if kind == 0:
            content[at] ^= 1 << rng.randrange(8)
        elif kind == 1:
            del content[at : at + rng.choice((1, 4, 16))]
        else:
            content[at:at] = bytes([rng.randrange(256)])
    return bytes(content)


@pytest.mark.parametrize("read", [read_weights, read_clip_reid])
@pytest.mark.parametrize("layout", ["legacy", "zip", "safetensors"])
def test_damage_of_any_kind_is_a_sentence(layout, read, tmp_path):
    source = safetensors(tmp_path) if layout == "safetensors" else saved(zipped=layout == "zip")
    path = tmp_path / ("x.safetensors" if layout == "safetensors" else "x.pth")
    rng = random.Random(f"{layout} {read.__name__}")
    told = []
    for _ in range(400):
        path.write_bytes(damaged(source, rng))
        start = time.monotonic()
        try:
            read(path)
        except PromptReIDError as error:
            told.append(str(error))
        assert time.monotonic() - start < 5
    assert len(told) > 100
    assert all(str(path) in sentence for sentence in told)


def test_one_wrong_bit_in_a_zipped_file_is_found(tmp_path):
    path = tmp_path / "x.pth"
    torch.save({"w": torch.arange(4096.0)}, path)
    content = bytearray(path.read_bytes())
    at = content.index(torch.arange(4096.0).numpy().tobytes())
    content[at + 5000] ^= 16
    path.write_bytes(content)
    with pytest.raises(WeightsError, match=r"damaged: the checksum of its part .*data/0"):
        read_weights(path)


def test_an_archive_that_unpacks_to_gigabytes_is_refused_unread(tmp_path):
    path = tmp_path / "bomb.pth"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("bomb/data.pkl", pickle.dumps({}, protocol=2))
        archive.writestr("bomb/constants.pkl", pickle.dumps({}, protocol=2))
        archive.writestr("bomb/data/0", bytes(200_000_000))
    start = time.monotonic()
    with pytest.raises(WeightsError, match="compressed archive of 200,"):
        read_weights(path)
    assert time.monotonic() - start < 0.5


@pytest.mark.parametrize(
    "tensor",
    [
        torch.zeros(1).expand(1 << 40),
        torch.eye(3).to_sparse(),
        torch.zeros(2, dtype=torch.complex64),
        torch.empty(3, device="meta"),
    ],
    ids=["expanded", "sparse", "complex", "meta"],
)
def test_tensors_that_are_no_arrays_of_stored_numbers_are_refused(tensor, tmp_path):
    path = tmp_path / "x.pth"
    torch.save({"good": torch.zeros(2), "odd": tensor}, path)
    with pytest.raises(WeightsError):
        read_weights(path)


def test_a_pickle_that_nests_without_end_is_refused(tmp_path):
    path = tmp_path / "x.pth"
    path.write_bytes(b"\x80\x02" + b"]" * 200_000 + b"a" * 199_999 + b".")
    with pytest.raises(WeightsError):
        read_weights(path)


def test_weights_of_another_type_do_not_fit():
    layer = nn.Linear(2, 2)
    tensors = {name: value.clone() for name, value in layer.state_dict().items()}
    load_strictly(layer, {**tensors, "bias": tensors["bias"].half()}, source="x")
    with pytest.raises(WeightsError, match=r"1 of another type: bias \(int64 in the file, float32"):
        load_strictly(layer, {**tensors, "bias": tensors["bias"].long()}, source="x")
    with pytest.raises(WeightsError, match=r"bias \(float16 in the file"):
        load_strictly(layer, {**tensors, "bias": tensors["bias"].half()}, source="x", assign=True)
