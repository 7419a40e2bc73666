"""Weight files of others: damaged, hostile or odd ones become a sentence, and nothing else."""

import pickle
import zipfile

import pytest
import torch
from torch import nn

from promptreid.errors import WeightsError
from promptreid.models.weights.weight_files import load_strictly, read_weights


def test_one_wrong_bit_in_a_zipped_file_is_found(tmp_path):
    path = tmp_path / "x.pth"
    torch.save({"w": torch.arange(4096.0)}, path)
    content = bytearray(path.read_bytes())
    at = content.index(torch.arange(4096.0).numpy().tobytes())
    content[at + 5000] ^= 16
    path.write_bytes(content)
    with pytest.raises(WeightsError, match=r"damaged: the checksum of its part .*data/0"):
        read_weights(path)


def test_an_archive_that_unpacks_to_gigabytes_is_refused_unread(tmp_path, monkeypatch):
    path = tmp_path / "bomb.pth"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("bomb/data.pkl", pickle.dumps({}, protocol=2))
        archive.writestr("bomb/constants.pkl", pickle.dumps({}, protocol=2))
        archive.writestr("bomb/data/0", bytes(200_000_000))
    unpacked = []
    monkeypatch.setattr(zipfile.ZipFile, "open", lambda *a, **k: unpacked.append(a))
    with pytest.raises(WeightsError, match="compressed archive of 200,"):
        read_weights(path)
    assert not unpacked


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
