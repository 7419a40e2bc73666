"""What is exported runs elsewhere, gives the model's vectors, says what it is, and is whole."""

import inspect
import json
import subprocess
import sys

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from exported_models import PREPROCESS, SIZE, info_of, with_head, with_sides
from facts import lacking
from PIL import Image

from promptreid.data.images.transforms import normalize
from promptreid.errors import ConfigError, ModelError
from promptreid.inference.embedder import Embedder
from promptreid.inference.exporting import export_model as exporting
from promptreid.inference.exporting.traced_file import KEY, PT2_FILE

STRANGERS = {"threshold": 0.5, "far": 0.01, "pairs": 1000}


@pytest.fixture(scope="module")
def embedder():
    model = with_sides()
    return Embedder(model, info_of(model, verification=STRANGERS))


@pytest.fixture(scope="module")
def written(embedder, tmp_path_factory):
    """One export for all tests that look at an ONNX file, with all that may stand in it."""
    if "dynamic_shapes" not in inspect.signature(torch.onnx.export).parameters:
        pytest.skip("this torch is too old to write ONNX from a program of torch.export")
    folder = tmp_path_factory.mktemp("exported")
    pixels = np.random.default_rng(0).integers(0, 256, (50, 30, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(folder / "real.png")
    result = embedder.export(
        folder / "deep" / "mine.onnx", camera="input", images=[folder / "real.png"]
    )
    return folder / "deep" / "mine.onnx", result


def pictures(count):
    generator = torch.Generator().manual_seed(count)
    return torch.randint(0, 256, (count, 3, *SIZE), dtype=torch.uint8, generator=generator)


@pytest.mark.slow
@torch.no_grad()
@pytest.mark.parametrize("count", [1, 2, 5, 64])
def test_onnx_gives_the_vectors_of_the_model(embedder, written, count):
    images, cameras = pictures(count), torch.arange(count) % 5 - 1  # unknown, known, and beyond
    session = onnxruntime.InferenceSession(written[0], providers=["CPUExecutionProvider"])
    inputs = {"images": images.float().numpy(), "cameras": cameras.numpy()}
    (found,) = session.run(["embeddings"], inputs)
    wanted = embedder.model.embed(normalize(images, PREPROCESS), cameras)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, wanted.numpy(), atol=1e-5)
    assert len(set(found[:, 0].round(6))) == count  # neither images nor cameras are lost


@pytest.mark.slow
def test_onnx_is_one_sound_file_that_says_what_it_is(embedder, written):
    path, result = written
    model = onnx.load(path)
    onnx.checker.check_model(model, full_check=True)
    assert [entry.name for entry in path.parent.iterdir()] == ["mine.onnx"]
    assert {entry.domain: entry.version for entry in model.opset_import}[""] == 18
    shapes = {
        value.name: [dim.dim_param or dim.dim_value for dim in value.type.tensor_type.shape.dim]
        for value in (*model.graph.input, *model.graph.output)
    }
    width = embedder.width
    assert shapes == {
        "images": ["batch", 3, *SIZE],
        "cameras": ["batch"],
        "embeddings": ["batch", width],
    }
    (entry,) = model.metadata_props
    assert entry.key == KEY
    said = json.loads(entry.value)
    assert (said["size"], said["mean"], said["std"]) == (
        [32, 16],
        [0.4, 0.5, 0.6],
        [0.2, 0.25, 0.3],
    )
    assert (said["input"], said["camera"], said["cameras"]) == (
        "pixels",
        "input",
        ["c0", "c1", "c2"],
    )
    assert (said["width"], said["verification"]) == (width, STRANGERS)
    assert len(said["weights_sha256"]) == 64
    assert result.to_dict() | {"check": None} == {
        "path": str(path),
        "format": "onnx",
        "size": path.stat().st_size,
        "image_size": [32, 16],
        "pixels": "pixels",
        "inputs": ["images", "cameras"],
        "width": width,
        "notes": list(result.notes),
        "check": None,
    }
    assert result.check.images == 2  # the real one, and one of a single colour
    assert result.check.cosine > 0.99999
    assert result.check.difference < 1e-5


@pytest.mark.slow
@torch.no_grad()
def test_a_program_of_torch_runs_where_promptreid_is_not(tmp_path):
    model = with_sides(3, 2)
    embedder = Embedder(model, info_of(model))
    sides = torch.tensor([-1, 0, 2]), torch.tensor([1, -1, 0])
    result = embedder.export(
        tmp_path / "mine.pt2", pixels="unit", camera="input", view="input", check=4
    )
    assert result.inputs == ("images", "cameras", "views")
    assert result.check.difference < 1e-5
    torch.save((pictures(3).float() / 255, *sides), tmp_path / "inputs.pt")
    script = f"""
import sys, torch
sys.modules["promptreid"] = sys.modules["open_clip"] = None
said = {{"{PT2_FILE}": ""}}
program = torch.export.load("mine.pt2", extra_files=said)
torch.save(program.module()(*torch.load("inputs.pt")), "vectors.pt")
print(said["{PT2_FILE}"])
"""
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert json.loads(done.stdout)["input"] == "unit"
    wanted = model.embed(normalize(pictures(3), PREPROCESS), *sides)
    torch.testing.assert_close(torch.load(tmp_path / "vectors.pt"), wanted, atol=1e-5, rtol=0)


@pytest.fixture
def quickly(monkeypatch):
    """Let a file be opened as the graph itself, turned by an angle, which takes no time."""
    turned = {"by": 0.0, "graphs": []}

    def write(graph, path, metadata, *, opset):
        turned["graphs"].append(graph)
        path.write_bytes(b"graph")

    def open_graph(path, graph):
        def run(*inputs):
            vectors = graph(*inputs)
            return vectors + turned["by"] * vectors.roll(1, dims=1)

        return run

    monkeypatch.setattr(exporting, "write_onnx", write)
    monkeypatch.setattr(exporting, "open_onnx", open_graph)
    return turned


def test_a_file_that_computes_something_else_is_not_kept(embedder, quickly, tmp_path):
    assert embedder.export(tmp_path / "a.onnx", camera="input").check.images == 9
    quickly["by"] = 1e-3
    with pytest.raises(ModelError) as caught:
        embedder.export(tmp_path / "b.onnx")
    assert not lacking(str(caught.value), "0.99999", str(tmp_path / "b.onnx"))
    before = (tmp_path / "a.onnx").read_bytes()
    with pytest.raises(ModelError):
        embedder.export(tmp_path / "a.onnx", overwrite=True)
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.onnx"]
    assert (tmp_path / "a.onnx").read_bytes() == before
    assert embedder.export(tmp_path / "b.onnx", check=0).check is None


def test_half_is_compared_less_strictly(embedder, quickly, tmp_path):
    result = embedder.export(tmp_path / "a.onnx", half=True, pixels="unit")
    assert 0.999 < result.check.cosine < 1
    assert quickly["graphs"][0].tower.conv1.weight.dtype == torch.float16
    assert embedder.model.backbone.image.conv1.weight.dtype == torch.float32
    quickly["by"] = 0.1
    with pytest.raises(ModelError, match="half"):
        embedder.export(tmp_path / "b.onnx", half=True)


def test_what_is_there_is_not_overwritten_by_accident(embedder, quickly, tmp_path):
    (tmp_path / "a.onnx").write_text("precious")
    for path in (tmp_path / "a.onnx", tmp_path):
        with pytest.raises(ConfigError) as caught:
            embedder.export(path, to="onnx" if path != tmp_path else None)
        assert str(path) in str(caught.value)
    assert not quickly["graphs"]
    embedder.export(tmp_path / "a.onnx", overwrite=True)
    assert (tmp_path / "a.onnx").read_bytes() == b"graph"


def test_a_tracker_gets_a_note_of_its_own_beside_the_file(embedder, quickly, tmp_path):
    result = embedder.export(tmp_path / "people.onnx", consumer="boxmot")
    assert (result.pixels, result.notes) == ("imagenet", ())
    note = json.loads((tmp_path / "people.onnx.metadata.json").read_text())
    assert note == {
        "schema_version": 1,
        "model_name": "people",
        "img_size": [32, 16],
        "preprocess": "resize",
    }
    (tmp_path / "other.onnx.metadata.json").write_text("{}")
    with pytest.raises(ConfigError, match=r"other\.onnx\.metadata\.json"):
        embedder.export(tmp_path / "other.onnx", consumer="boxmot")
    named = embedder.export(tmp_path / "osnet_mine.onnx", consumer="boxmot")
    assert "osnet" in named.notes[0]


@pytest.mark.parametrize("package", ["onnx", "onnxscript", "onnxruntime"])
def test_a_missing_package_is_named_with_its_remedy(embedder, package, monkeypatch, tmp_path):
    if package == "onnxruntime":
        monkeypatch.setattr(exporting, "write_onnx", lambda graph, path, said, opset: path.touch())
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(ConfigError) as caught:
        embedder.export(tmp_path / "a.onnx")
    assert not lacking(str(caught.value), package, "promptreid[export]")
    assert not list(tmp_path.iterdir())


def test_a_torch_that_is_too_old_for_onnx_is_named(embedder, monkeypatch, tmp_path):
    def export_of_torch_2_4(model, args, f, *, dynamo=False): ...

    monkeypatch.setattr(torch.onnx, "export", export_of_torch_2_4)
    with pytest.raises(ConfigError) as caught:
        embedder.export(tmp_path / "a.onnx")
    assert not lacking(str(caught.value), torch.__version__, "constraints.txt", ".pt2")
    assert not list(tmp_path.iterdir())


def test_a_model_in_16_bits_is_not_exported(tmp_path):
    model = with_head()
    with pytest.raises(ConfigError, match="fp32"):
        Embedder(model, info_of(model), precision="bf16").export(tmp_path / "a.onnx")


def test_an_unknown_option_names_the_closest(embedder, tmp_path):
    with pytest.raises(ConfigError) as caught:
        embedder.export(tmp_path / "a.onnx", cameras="mean")
    assert not lacking(str(caught.value), "cameras", "camera")
