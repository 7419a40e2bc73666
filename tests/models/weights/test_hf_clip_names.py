"""Folders of the Hugging Face Hub: weights of transformers and OpenCLIP, and what lies beside."""

import json
from pathlib import Path

import pytest
import torch
from hub_cache import COMMIT, put_in_cache
from huggingface_hub import constants
from safetensors.torch import save_file
from small_models import small_architecture
from torch import Tensor

from promptreid.errors import ModelError, WeightsError
from promptreid.models.towers import backbone as backbone_module
from promptreid.models.towers.backbone import Backbone, build_backbone
from promptreid.models.weights.hf_clip_names import to_openai_names

PIXELS = {"image_mean": [0.1, 0.2, 0.3], "image_std": [0.4, 0.5, 0.6]}
LAYER = {"ln_1": "layer_norm1", "ln_2": "layer_norm2", "attn.out_proj": "self_attn.out_proj",
         "mlp.c_fc": "mlp.fc1", "mlp.c_proj": "mlp.fc2"}  # fmt: skip
WHOLE = {
    "visual.class_embedding": "vision_model.embeddings.class_embedding",
    "visual.conv1.weight": "vision_model.embeddings.patch_embedding.weight",
    "visual.positional_embedding": "vision_model.embeddings.position_embedding.weight",
    "token_embedding.weight": "text_model.embeddings.token_embedding.weight",
    "positional_embedding": "text_model.embeddings.position_embedding.weight",
    "visual.ln_pre": "vision_model.pre_layrnorm",
    "visual.ln_post": "vision_model.post_layernorm",
    "ln_final": "text_model.final_layer_norm",
}


@pytest.fixture
def model(monkeypatch: pytest.MonkeyPatch) -> torch.nn.Module:
    """A small model of OpenCLIP, whose architecture is called "small"."""
    architecture = small_architecture(quick_gelu=False)
    monkeypatch.setattr(backbone_module, "find_architecture", lambda name: architecture)
    return architecture.build(seed=4)


def as_transformers(model: torch.nn.Module) -> dict[str, Tensor]:
    """Name the weights of a model of OpenCLIP as transformers does."""
    named: dict[str, Tensor] = {"text_model.embeddings.position_ids": torch.arange(77)[None]}
    for name, value in model.state_dict().items():
        stem, _, kind = name.rpartition(".")
        if name in ("visual.proj", "text_projection"):
            target = "visual_projection" if name == "visual.proj" else name
            named[f"{target}.weight"] = value.T.contiguous()
        elif ".resblocks." in name:
            tower = "vision" if name.startswith("visual") else "text"
            number, _, part = name.partition(".resblocks.")[2].partition(".")
            place = f"{tower}_model.encoder.layers.{number}"
            if "in_proj" in part:
                for letter, piece in zip("qkv", value.chunk(3), strict=True):
                    kind = part.removeprefix("attn.in_proj_")
                    named[f"{place}.self_attn.{letter}_proj.{kind}"] = piece.contiguous()
            else:
                named[f"{place}.{LAYER[part.rpartition('.')[0]]}.{kind}"] = value
        elif name in WHOLE or name == "logit_scale":
            named[WHOLE.get(name, name)] = value
        elif stem in WHOLE:
            named[f"{WHOLE[stem]}.{kind}"] = value
    return named


def write(folder: Path, tensors: dict[str, Tensor], *, act: str | None = "gelu") -> Path:
    folder.mkdir(exist_ok=True)
    save_file({name: value.clone() for name, value in tensors.items()},
              folder / "model.safetensors")  # fmt: skip
    vision = {"image_size": 64} | ({} if act is None else {"hidden_act": act})
    (folder / "config.json").write_text(json.dumps({"vision_config": vision}))
    (folder / "preprocessor_config.json").write_text(json.dumps(PIXELS))
    return folder


def same(backbone: Backbone, model: torch.nn.Module) -> bool:
    images = torch.rand(2, 3, 64, 64)
    with torch.no_grad():
        ours, theirs = backbone.image(images).projected, model.encode_image(images)
    return torch.allclose(ours, theirs, atol=1e-5)


def test_weights_of_transformers_are_read(tmp_path: Path, model: torch.nn.Module) -> None:
    folder = write(tmp_path / "clip", as_transformers(model))
    for place in (folder, folder / "model.safetensors"):
        backbone = build_backbone("small", pretrained=place)
        assert same(backbone, model)
        assert backbone.native.mean == (0.1, 0.2, 0.3)
        assert backbone.native.image_size == (64, 64)
    state = model.state_dict()
    assert torch.equal(backbone.text.token_embedding.weight, state["token_embedding.weight"])
    assert torch.equal(backbone.text.text_projection, state["text_projection"])
    assert backbone.logit_scale == state["logit_scale"]


@pytest.mark.parametrize("act", ["quick_gelu", None])
def test_the_activation_is_that_of_the_configuration(
    tmp_path: Path, model: torch.nn.Module, act: str | None
) -> None:
    folder = write(tmp_path / "clip", as_transformers(model), act=act)
    backbone = build_backbone("small", pretrained=folder)
    assert backbone.architecture.config["quick_gelu"]
    assert not same(backbone, model)
    (folder / "config.json").unlink()
    with pytest.raises(WeightsError, match=r"config\.json.*QuickGELU"):
        build_backbone("small", pretrained=folder)


def test_every_tensor_is_placed_or_named(tmp_path: Path, model: torch.nn.Module) -> None:
    tensors = as_transformers(model)
    layer = "vision_model.encoder.layers.1"
    del tensors[f"{layer}.self_attn.k_proj.bias"]
    tensors["visual_projection.weight"] = torch.zeros(5, 128)
    tensors[f"{layer}.mlp.gate.weight"] = torch.zeros(2)
    with pytest.raises(WeightsError) as caught:
        build_backbone("small", pretrained=write(tmp_path / "clip", tensors))
    words = str(caught.value)
    for name in (f"{layer}.self_attn.q_proj.bias", f"{layer}.mlp.gate.weight",
                 "resblocks.1.attn.in_proj_bias", "image.proj (128x5"):  # fmt: skip
        assert name in words
    assert set(to_openai_names(as_transformers(model))) == {
        name for name in model.state_dict() if not name.endswith("attn_mask")
    }


def test_a_folder_of_openclip_says_pixels_and_activation(
    tmp_path: Path, model: torch.nn.Module
) -> None:
    save_file(model.state_dict(), tmp_path / "open_clip_model.safetensors")
    config = {
        "model_cfg": {"quick_gelu": True, "vision_cfg": {"image_size": 64}},
        "preprocess_cfg": {"mean": [0.5, 0.4, 0.3], "std": [0.2, 0.2, 0.2]},
    }
    file = tmp_path / "open_clip_config.json"
    file.write_text(json.dumps(config))
    backbone = build_backbone("small", pretrained=tmp_path)
    assert backbone.architecture.config["quick_gelu"]
    assert (backbone.native.mean, backbone.native.image_size) == ((0.5, 0.4, 0.3), (64, 64))
    config["model_cfg"]["quick_gelu"] = False
    file.write_text(json.dumps(config))
    assert same(build_backbone("small", pretrained=tmp_path), model)
    for text, words in (
        ("[", "cannot be read as JSON"),
        ("[]", "JSON object"),
        ('{"model_cfg": 3}', "model_cfg must be an object"),
        ('{"preprocess_cfg": {"mean": [1, 2]}}', "no statistics of pixels"),
    ):
        file.write_text(text)
        with pytest.raises(WeightsError, match=words):
            build_backbone("small", pretrained=tmp_path)


def test_a_folder_without_weights_is_refused(tmp_path: Path, model: torch.nn.Module) -> None:
    (tmp_path / "notes.txt").touch()
    with pytest.raises(WeightsError, match=r"model\.safetensors.*notes\.txt"):
        build_backbone("small", pretrained=tmp_path)
    with pytest.raises(ModelError):
        build_backbone("small", pretrained="nothing")


def test_models_on_the_hub_bring_what_lies_beside(
    tmp_path: Path, model: torch.nn.Module, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    folder = write(tmp_path / "clip", as_transformers(model))
    put_in_cache(tmp_path / "cache", "ann/clip", folder / "model.safetensors", "model.safetensors")
    with pytest.raises(WeightsError, match=r"no config\.json"):
        build_backbone("small", pretrained="hf:ann/clip")
    for name in ("config.json", "preprocessor_config.json"):
        put_in_cache(tmp_path / "cache", "ann/clip", folder / name, name)
    backbone = build_backbone("small", pretrained="hf:ann/clip")
    assert same(backbone, model)
    assert backbone.native.mean == (0.1, 0.2, 0.3)
    assert backbone.pretrained == f"hf:ann/clip@{COMMIT}"
