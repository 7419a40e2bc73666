"""Safetensors files that know when they are damaged."""

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from promptreid.tensors import (
    DamagedTensors,
    ForeignTensors,
    read_metadata,
    read_tensors,
    write_tensors,
)

TENSORS = {
    "matrix": torch.arange(12.0).reshape(3, 4),
    "half": torch.arange(6).to(torch.bfloat16),
    "flags": torch.tensor([True, False, True]),
    "scalar": torch.tensor(3),
    "none": torch.zeros(0, 2),
}


@pytest.fixture
def path(tmp_path):
    write_tensors(tmp_path / "file.safetensors", TENSORS, {"told": "é"})
    return tmp_path / "file.safetensors"


def test_what_was_written_comes_back(path):
    tensors, metadata = read_tensors(path)
    assert metadata == {"told": "é"} == read_metadata(path)
    assert tensors.keys() == TENSORS.keys() == load_file(path).keys()
    for name, tensor in TENSORS.items():
        assert tensors[name].dtype == tensor.dtype
        assert torch.equal(tensors[name], tensor)
    some, _ = read_tensors(path, lambda name: name.startswith("s"))
    assert set(some) == {"scalar"}


def test_equal_content_gives_equal_bytes(path, tmp_path):
    for number in range(8):
        again = tmp_path / f"{number}.safetensors"
        write_tensors(again, TENSORS, {"told": "é"})
        assert again.read_bytes() == path.read_bytes()


@pytest.mark.slow
def test_every_flipped_bit_is_found(path):
    """All but those of a flag, any value of which but 0 is read as true and means the same."""
    content = np.frombuffer(path.read_bytes(), dtype=np.uint8)
    harmless = 0
    for bit in range(8 * len(content)):
        flipped = content.copy()
        flipped[bit // 8] ^= 1 << bit % 8
        path.write_bytes(flipped.tobytes())
        try:
            tensors, metadata = read_tensors(path)
        except DamagedTensors:
            continue
        harmless += 1
        assert metadata == {"told": "é"}
        assert all(torch.equal(tensors[name], TENSORS[name]) for name in TENSORS)
    assert harmless <= 2 * 7


def test_a_part_is_read_though_another_is_damaged(path):
    content = bytearray(path.read_bytes())
    where = content.index(TENSORS["matrix"].numpy().tobytes())
    content[where + 9] ^= 4
    path.write_bytes(content)
    assert set(read_tensors(path, lambda name: name != "matrix")[0]) == TENSORS.keys() - {"matrix"}
    with pytest.raises(DamagedTensors, match="the tensor matrix is not as it was written"):
        read_tensors(path)


@pytest.mark.parametrize("content", [b"", b"nonsense", bytes(100), b"\xff" * 100])
def test_other_content_is_damage(path, content):
    path.write_bytes(content)
    with pytest.raises(DamagedTensors):
        read_metadata(path)


@pytest.mark.parametrize("keep", [7, 300, -1])
def test_a_cut_file_is_damage(path, keep):
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(DamagedTensors):
        read_tensors(path)


def test_a_folder_and_a_missing_file_are_damage(tmp_path):
    for place in (tmp_path, tmp_path / "nothing"):
        with pytest.raises(DamagedTensors):
            read_tensors(place)


def test_files_of_others_are_told_from_damaged_ones(tmp_path):
    save_file({"a": torch.zeros(2)}, tmp_path / "theirs.safetensors", metadata={"format": "pt"})
    with pytest.raises(ForeignTensors):
        read_tensors(tmp_path / "theirs.safetensors")
