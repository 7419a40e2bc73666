import pickle
import zipfile

import pytest
import torch
from torch import nn

from promptreid.errors import WeightsError
from promptreid.models.weights.torchscript import is_torchscript, read_torchscript
from promptreid.models.weights.weight_files import read_weights

pytestmark = [
    pytest.mark.skipif(not hasattr(torch.jit, "script"), reason="PyTorch has left TorchScript"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),
]


class Inner(nn.Module):
    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(3, 4)
        self.norm = nn.BatchNorm1d(4)

    def forward(self, x):
        return self.norm(self.linear(x))


class Outer(nn.Module):
    def __init__(self):
        super().__init__()
        self.blocks = nn.Sequential(Inner(), nn.ReLU())
        self.scale = nn.Parameter(torch.tensor(2.5))
        self.matrix = nn.Parameter(torch.arange(6.0).reshape(2, 3).T.half(), requires_grad=False)
        self.register_buffer("input_resolution", torch.tensor(224))
        self.shared = self.scale

    def forward(self, x):
        return self.blocks(x) * self.scale


@pytest.fixture
def archive(tmp_path):
    path = tmp_path / "model.pt"
    # Tracing and scripting keep the modules' attributes in the same way.
    torch.jit.script(Outer().eval()).save(str(path))
    return path


def test_tensors_equal_those_that_running_the_archive_gives(archive):
    expected = torch.jit.load(str(archive)).state_dict()
    found = read_torchscript(archive)
    assert set(found) == set(expected)
    for name, tensor in expected.items():
        assert found[name].dtype == tensor.dtype, name
        assert torch.equal(found[name], tensor), name


def test_archives_are_told_from_plain_weights(archive, tmp_path):
    plain = tmp_path / "plain.pt"
    torch.save({"a": torch.zeros(2)}, plain)
    text = tmp_path / "text.pt"
    text.write_text("no")
    assert is_torchscript(archive)
    assert not is_torchscript(plain)
    assert not is_torchscript(text)


def test_read_weights_knows_openai_by_the_archive(archive):
    weights = read_weights(archive)
    assert weights.openai
    assert "input_resolution" not in weights.tensors
    assert weights.tensors["matrix"].shape == (3, 2)


class Evil:
    def __reduce__(self):
        return (exec, ("raise SystemExit('executed')",))


def test_an_archive_with_anything_else_is_refused_and_not_run(archive, tmp_path):
    evil = tmp_path / "evil.pt"
    with zipfile.ZipFile(archive) as source, zipfile.ZipFile(evil, "w") as target:
        for name in source.namelist():
            content = source.read(name)
            if name.endswith("/data.pkl"):
                content = pickle.dumps(Evil(), protocol=2)
            target.writestr(name, content)
    assert is_torchscript(evil)
    with pytest.raises(WeightsError, match="more than weights"):
        read_weights(evil)
    with pytest.raises(pickle.UnpicklingError, match="exec"):
        read_torchscript(evil)


def test_a_storage_that_is_too_short_is_refused(archive, tmp_path):
    short = tmp_path / "short.pt"
    with zipfile.ZipFile(archive) as source, zipfile.ZipFile(short, "w") as target:
        for name in source.namelist():
            content = source.read(name)
            target.writestr(name, content[:4] if "/data/" in name else content)
    with pytest.raises(WeightsError, match="not a readable weights file"):
        read_weights(short)
