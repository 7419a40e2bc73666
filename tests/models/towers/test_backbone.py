import pickle
import socket
from copy import deepcopy

import pytest
import torch
from open_clip.model import build_model_from_openai_state_dict
from safetensors.torch import save_file
from small_models import small_architecture, small_backbone

from promptreid.data.images.preprocess import CLIP_MEAN, HALF
from promptreid.errors import ModelError, WeightsError
from promptreid.hub import hub_files
from promptreid.models.towers import backbone as backbone_module
from promptreid.models.towers.backbone import build_backbone
from promptreid.models.weights import pretrained, tiny
from promptreid.models.weights.architecture import Architecture, find_architecture


@pytest.fixture
def small(monkeypatch):
    """Let the name "small" mean a small OpenCLIP architecture without weights of its own."""
    architecture = small_architecture(quick_gelu=False)
    monkeypatch.setattr(
        backbone_module,
        "find_architecture",
        lambda name: architecture if name == "small" else find_architecture(name),
    )
    return architecture


def images(*size):
    return torch.randn(2, 3, *size, generator=torch.Generator().manual_seed(0))


def same(backbone, other):
    mine, theirs = backbone.state_dict(), other.state_dict()
    return set(mine) == set(theirs) and all(torch.equal(mine[n], theirs[n]) for n in mine)


def test_random_weights_depend_on_the_seed_and_leave_the_global_state():
    before = torch.random.get_rng_state()
    one, two = (build_backbone("tiny", pretrained="none", seed=5) for _ in range(2))
    assert torch.equal(torch.random.get_rng_state(), before)
    assert same(one, two)
    assert not same(one, build_backbone("tiny", pretrained="none", seed=6))
    assert not one.training
    assert one.pretrained == "none"


def test_a_copy_has_weights_of_its_own_and_shares_the_vocabulary():
    backbone = small_backbone()
    twin, again = deepcopy([backbone, backbone])
    assert twin is again
    assert same(twin, backbone)
    assert twin.tokenizer is backbone.tokenizer
    weights = backbone.state_dict()
    assert all(
        value.data_ptr() != weights[name].data_ptr() for name, value in twin.state_dict().items()
    )
    assert torch.equal(twin.image(images(64, 64)).final, backbone.image(images(64, 64)).final)


def test_size_and_stride():
    backbone = build_backbone("tiny", pretrained="none", image_size=(96, 48), stride=12)
    assert backbone.image.grid == (7, 3)
    assert backbone.image(images(96, 48)).projected.shape == (2, backbone.text.embed_dim)
    assert backbone.native.image_size == tiny.NATIVE.image_size
    with pytest.raises(ModelError, match="between 1 and 16"):
        build_backbone("tiny", pretrained="none", stride=20)


def test_names():
    assert find_architecture("ViT-B/16").name == "ViT-B-16"
    assert find_architecture("ViT-B-16-SigLIP").config["custom_text"]
    with pytest.raises(ModelError, match="Did you mean 'ViT-B-16'"):
        find_architecture("ViT-B16")
    with pytest.raises(ModelError, match=r"Known: .*tiny"):
        find_architecture("zzzz")
    with pytest.raises(ModelError, match="captioning"):
        find_architecture("coca_ViT-B-32")
    with pytest.raises(ModelError, match="Hugging Face"):
        find_architecture("roberta-ViT-B-32")


def test_an_impossible_configuration_is_refused():
    with pytest.raises(ModelError, match="cannot build odd"):
        Architecture("odd", {"embed_dim": 8, "vision_cfg": {"wdth": 3}, "text_cfg": {}}).build()


def openai_names(backbone):
    names = {}
    for name, tensor in backbone.state_dict().items():
        image = name.startswith("image.")
        names["visual." + name[6:] if image else name.removeprefix("text.")] = tensor
    return names


@pytest.mark.parametrize("kind", ["openai", "plain", "wrapped", "safetensors", "own module"])
def test_files_give_the_weights_back(kind, small, tmp_path):
    source = small_backbone()
    state = openai_names(source)
    path = tmp_path / ("weights.safetensors" if kind == "safetensors" else "weights.pt")
    if kind == "openai":
        numbers = {"input_resolution": 64, "context_length": 77, "vocab_size": 49408}
        torch.save(state | {name: torch.tensor(n) for name, n in numbers.items()}, path)
    elif kind == "wrapped":
        state = {"module." + name: tensor for name, tensor in state.items()}
        torch.save({"epoch": 3, "state_dict": state}, path)
    elif kind == "safetensors":
        save_file(state, path)
    elif kind == "own module":
        own = {n if n.startswith(("visual", "logit")) else "text." + n: t for n, t in state.items()}
        torch.save(own, path)
    else:
        torch.save(state, path)
    loaded = build_backbone("small", pretrained=path)
    assert same(loaded, source)
    assert loaded.pretrained == str(path)
    # OpenAI's files carry three numbers, by which their activation is known.
    assert loaded.architecture.config["quick_gelu"] is (kind == "openai")
    assert build_backbone("small", pretrained=path, quick_gelu=True).architecture.config[
        "quick_gelu"
    ]


@pytest.mark.skipif(not hasattr(torch.jit, "trace_module"), reason="PyTorch has left TorchScript")
@pytest.mark.filterwarnings("ignore::torch.jit.TracerWarning", "ignore::FutureWarning")
def test_openai_archive_equals_open_clip(small, tmp_path):
    """A TorchScript archive, half of it in half precision, as OpenAI published them."""
    model = build_model_from_openai_state_dict(openai_names(small_backbone())).float()
    expected = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    with torch.no_grad():
        traced = torch.jit.trace_module(model, {"encode_image": images(64, 64)}, check_trace=False)
    halved = 0
    for tensor in traced.parameters():
        if torch.equal(tensor.half().float(), tensor):
            tensor.data = tensor.data.half()
            halved += 1
    assert halved > 20
    path = tmp_path / "clip.pt"
    traced.save(str(path))
    loaded = build_backbone("small", pretrained=path)
    assert loaded.architecture.config["quick_gelu"]
    found = openai_names(loaded)
    assert set(found) == set(expected)
    for name, tensor in found.items():
        assert tensor.dtype == torch.float32
        assert torch.equal(tensor, expected[name]), name
    with torch.no_grad():
        projected = loaded.image(images(64, 64)).projected
        assert torch.allclose(projected, model.float().encode_image(images(64, 64)), atol=1e-5)


def test_position_embeddings_of_another_square_are_resized(small, tmp_path):
    source = small_backbone()
    source.image.fit((96, 96), None)
    path = tmp_path / "weights.pt"
    torch.save(openai_names(source), path)
    loaded = build_backbone("small", pretrained=path)
    assert loaded.image.grid == (4, 4)
    assert torch.equal(loaded.image.positional_embedding[0], source.image.positional_embedding[0])


def test_what_does_not_fit_is_listed(small, tmp_path):
    state = openai_names(small_backbone())
    del state["visual.proj"]
    state["visual.extra"] = torch.zeros(1)
    state["ln_final.weight"] = torch.zeros(7)
    path = tmp_path / "weights.pt"
    torch.save(state, path)
    with pytest.raises(WeightsError) as caught:
        build_backbone("small", pretrained=path)
    message = str(caught.value)
    assert "1 missing: image.proj;" in message
    assert "1 not part of the model: image.extra;" in message
    assert "text.ln_final.weight (7 in the file, 128 in the model)" in message


def test_a_long_list_is_cut(small, tmp_path):
    path = tmp_path / "weights.pt"
    torch.save({"logit_scale": torch.tensor([3.0])}, path)
    with pytest.raises(WeightsError) as caught:
        build_backbone("small", pretrained=path)
    assert "missing: " in str(caught.value)
    assert ", …" in str(caught.value)
    assert "logit_scale" not in str(caught.value)


class Evil:
    def __reduce__(self):
        return (exec, ("raise SystemExit('executed')",))


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (lambda path: torch.save({"a": Evil()}, path), "pickle can run code"),
        (lambda path: path.write_bytes(pickle.dumps(Evil())), "pickle can run code"),
        (lambda path: path.write_bytes(b"not weights at all"), "weights"),
        (lambda path: path.write_bytes(b""), "not a readable"),
        (lambda path: torch.save([1, 2], path), "holds a list"),
        (lambda path: torch.save({"epoch": 3}, path), "no tensors"),
        (lambda path: None, "no weights file"),
    ],
)
def test_other_files_are_refused_and_never_run(content, words, tmp_path):
    path = tmp_path / "weights.pt"
    content(path)
    with pytest.raises(WeightsError, match=words):
        build_backbone("tiny", pretrained=path)


def test_a_damaged_safetensors_file_is_refused(tmp_path):
    path = tmp_path / "weights.safetensors"
    path.write_bytes(b"\x08\0\0\0\0\0\0\0{broken}")
    with pytest.raises(WeightsError, match="not a readable"):
        build_backbone("tiny", pretrained=path)


def test_unknown_tags_name_the_known_ones():
    with pytest.raises(ModelError, match="'laion400m_e31'"):
        build_backbone("ViT-B-16", pretrained="laion400m")
    with pytest.raises(ModelError, match="lists no weights"):
        build_backbone("ViT-S-16", pretrained="auto")


def test_without_a_network_the_sentence_says_what_to_do(monkeypatch):
    def offline(*arguments, **options):
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(hub_files, "getproxies", dict)
    monkeypatch.setattr(pretrained, "_find_cached", lambda hub: None)
    monkeypatch.setattr(socket, "getaddrinfo", offline)
    with pytest.raises(ModelError, match="'openai' of ViT-B-16 could not be fetched") as caught:
        build_backbone("ViT-B-16")
    assert "backbone.pretrained=FILE" in str(caught.value)


@pytest.mark.parametrize("name", ["", "weights.bin"])
def test_an_earlier_download_is_used_without_asking_the_network(monkeypatch, tmp_path, name):
    asked = []

    def look(repository, file):
        asked.append((repository, file))
        return str(tmp_path / file) if file.endswith(".bin") else None

    monkeypatch.setattr(pretrained, "try_to_load_from_cache", look)
    monkeypatch.setattr(socket, "getaddrinfo", None)
    found = pretrained._download("ViT-B-16", "openai", {"hf_hub": f"timm/clip/{name}"})
    assert found == tmp_path / (name or "open_clip_pytorch_model.bin")
    assert asked[0][0] == "timm/clip"
    assert asked[0][1].endswith(".safetensors")


def test_native_statistics():
    assert build_backbone("tiny", pretrained="none").native.mean == HALF
    source = pretrained.find_weights(find_architecture("ViT-B-16"), "none")
    assert source.native.mean == pytest.approx(CLIP_MEAN)
    assert source.native.image_size == (224, 224)
    assert pretrained.find_weights(find_architecture("ViT-B-16-SigLIP"), "none").native.mean == HALF


def test_the_activation_follows_the_tag(monkeypatch, tmp_path, small):
    path = tmp_path / "weights.pt"
    torch.save(openai_names(small_backbone()), path)
    for quick_gelu in (True, False):
        monkeypatch.setattr(
            pretrained, "get_pretrained_cfg", lambda *a, q=quick_gelu: {"quick_gelu": q, "url": "x"}
        )
        monkeypatch.setattr(pretrained, "_download", lambda *a: path)
        loaded = build_backbone("small", pretrained="openai")
        assert loaded.architecture.config["quick_gelu"] is quick_gelu
        assert loaded.pretrained == "openai"


def test_tiny_ships_its_weights():
    backbone = build_backbone("tiny")
    assert backbone.pretrained == "tiny"
    assert not same(backbone, build_backbone("tiny", pretrained="none"))


def test_missing_tiny_weights_are_said(monkeypatch, tmp_path):
    monkeypatch.setattr(tiny, "WEIGHTS", tmp_path / "none.safetensors")
    with pytest.raises(WeightsError, match="are not installed"):
        build_backbone("tiny")
