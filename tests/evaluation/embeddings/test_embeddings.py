from __future__ import annotations

import warnings

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from promptreid.errors import EvaluationError
from promptreid.evaluation import Embeddings, read_embeddings, write_embeddings
from promptreid.tensors import write_tensors


def some(count=5, dim=3):
    generator = np.random.default_rng(0)
    return Embeddings.from_vectors(
        generator.standard_normal((count, dim)),
        [f"id{number}" for number in range(count)],
        cameras=[None, *range(count - 1)],
        paths=[f"a/ü {number}.jpg" for number in range(count)],
    )


def test_from_vectors_converts_and_scales():
    values = np.array([[3.0, 4.0], [1e-30, 0.0], [0.0, -1e30]])
    data = Embeddings.from_vectors(values, [7, 8, 9], cameras=np.array([1, 2, 3]))
    assert data.vectors.dtype == torch.float32
    assert torch.allclose(data.vectors, torch.tensor([[0.6, 0.8], [1.0, 0.0], [0.0, -1.0]]))
    assert data.identities == ("7", "8", "9")
    assert data.cameras == ("1", "2", "3")
    assert (len(data), data.dim) == (3, 2)


def test_vectors_can_keep_their_length():
    data = Embeddings.from_vectors(np.array([[3.0, 4.0]]), ["a"], normalize=False)
    assert not data.normalized
    assert data.vectors.tolist() == [[3.0, 4.0]]
    assert torch.allclose(data.unit_vectors(), torch.tensor([[0.6, 0.8]]))


def test_gradients_are_cut():
    vectors = torch.ones(2, 2, requires_grad=True)
    assert not Embeddings.from_vectors(vectors, ["a", "b"]).vectors.requires_grad


def test_select_takes_rows_in_order():
    rows = np.array([3, 0, 3])
    rows.setflags(write=False)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        picked = some().select(rows)
    assert picked.identities == ("id3", "id0", "id3")
    assert picked.cameras == ("2", None, "2")
    assert picked.paths[1] == "a/ü 0.jpg"
    assert torch.equal(picked.vectors, some().vectors[[3, 0, 3]])
    assert len(some().select([])) == 0


@pytest.mark.parametrize("rows", [[5], [-1, 2]])
def test_select_out_of_range_is_told(rows):
    with pytest.raises(EvaluationError, match="allowed are 0 to 4"):
        some().select(rows)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"vectors": np.ones((2, 2))}, "must be a tensor; got ndarray"),
        ({"vectors": torch.eye(2).double()}, "must be float32; got float64"),
        ({"vectors": torch.ones(2)}, r"\(N, D\) matrix.*got shape \(2,\)"),
        ({"vectors": torch.ones(2, 2, dtype=torch.int64)}, "of int64"),
        ({"vectors": torch.ones(2, 0)}, "length 0"),
        ({"vectors": torch.ones(2, 2)}, "do not have unit length, first that of row 0 .x.jpg."),
        ({"vectors": torch.tensor([[1.0, 0.0], [float("nan"), 0.0]])}, r"NaN.*row 1 \(y.jpg\)"),
        ({"identities": ("a",)}, "2 vectors but 1 identities"),
        ({"identities": ["a", "b"]}, "identities must be a tuple"),
        ({"identities": ("a", "")}, r"identity of row 1 \(y.jpg\) is ''"),
        ({"identities": ("a", 3)}, "is 3"),
        ({"cameras": (0,)}, "2 vectors but 1 cameras"),
        ({"cameras": (0, b"c1")}, r"camera of row 1 .y.jpg. is b'c1'; a camera is a name"),
        ({"cameras": (True, 0)}, "is True"),
        ({"paths": ("x.jpg",)}, "2 vectors but 1 paths"),
    ],
)
def test_wrong_content_is_told(change, message):
    good = {
        "vectors": torch.eye(2),
        "identities": ("a", "b"),
        "cameras": (0, None),
        "paths": ("x.jpg", "y.jpg"),
    }
    assert len(Embeddings(**good)) == 2
    with pytest.raises(EvaluationError, match=message):
        Embeddings(**{**good, **change})


def test_zero_and_infinite_vectors_are_told():
    with pytest.raises(EvaluationError, match=r"1 of 2 vectors are zero.*row 1"):
        Embeddings.from_vectors(torch.tensor([[1.0, 0.0], [0.0, 0.0]]), ["a", "b"])
    with pytest.raises(EvaluationError, match=r"NaN or infinity, first that of row 0 .x.jpg."):
        Embeddings.from_vectors(torch.tensor([[float("inf"), 0.0]]), ["a"], paths=["x.jpg"])


def test_saved_and_loaded_are_equal(tmp_path):
    data = some()
    again = read_embeddings(write_embeddings(data, tmp_path / "e.safetensors"))
    assert torch.equal(again.vectors, data.vectors)
    assert again.identities == data.identities
    assert again.cameras == data.cameras
    assert again.paths == data.paths
    assert [path.name for path in tmp_path.iterdir()] == ["e.safetensors"]


def test_saved_and_loaded_without_cameras_and_paths(tmp_path):
    data = Embeddings.from_vectors(np.array([[3.0, 4.0]]), ["a"], normalize=False)
    again = read_embeddings(write_embeddings(data, tmp_path / "e.safetensors"))
    assert again.cameras is None
    assert again.paths == ()
    assert not again.normalized
    assert torch.equal(again.vectors, data.vectors)


def test_writing_where_one_cannot_is_told(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(EvaluationError, match="cannot be written"):
        write_embeddings(some(), tmp_path / "file" / "e.safetensors")


def test_reading_something_else_is_told(tmp_path):
    with pytest.raises(EvaluationError, match="cannot be read"):
        read_embeddings(tmp_path / "missing.safetensors")
    wrong = tmp_path / "wrong.safetensors"
    wrong.write_bytes(b"not a tensor file")
    with pytest.raises(EvaluationError, match="cannot be read"):
        read_embeddings(wrong)
    save_file({"x": torch.ones(1)}, wrong)
    with pytest.raises(EvaluationError, match="no checksums"):
        read_embeddings(wrong)
    write_tensors(wrong, {"x": torch.ones(1)}, {"format": "other"})
    with pytest.raises(EvaluationError, match="format 'other', version None"):
        read_embeddings(wrong)


def test_one_wrong_bit_is_found(tmp_path):
    path = write_embeddings(some(), tmp_path / "e.safetensors")
    whole = path.read_bytes()
    for place in range(0, len(whole), 7):
        content = bytearray(whole)
        content[place] ^= 1 << place % 8
        path.write_bytes(content)
        with pytest.raises(EvaluationError, match="cannot be read"):
            read_embeddings(path)


def test_a_truncated_file_is_told(tmp_path):
    path = write_embeddings(some(), tmp_path / "e.safetensors")
    path.write_bytes(path.read_bytes()[:-4])
    with pytest.raises(EvaluationError, match="cannot be read"):
        read_embeddings(path)
