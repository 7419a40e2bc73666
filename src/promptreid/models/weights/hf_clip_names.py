"""Weights of CLIP as Hugging Face's transformers names them, and their names in OpenAI's."""

from __future__ import annotations

import re
from collections.abc import Mapping

import torch
from torch import Tensor

_MARK = "vision_model.pre_layrnorm.weight"  # so misspelled there
_LAYER = re.compile(r"(vision|text)_model\.encoder\.layers\.(\d+)\.(.+)\.(weight|bias)")
_TOWERS = {"vision": "visual.transformer.resblocks", "text": "transformer.resblocks"}
_PARTS = {
    "self_attn.out_proj": "attn.out_proj",
    "layer_norm1": "ln_1",
    "layer_norm2": "ln_2",
    "mlp.fc1": "mlp.c_fc",
    "mlp.fc2": "mlp.c_proj",
}
_SINGLE = {
    "vision_model.embeddings.class_embedding": "visual.class_embedding",
    "vision_model.embeddings.patch_embedding.weight": "visual.conv1.weight",
    "vision_model.embeddings.position_embedding.weight": "visual.positional_embedding",
    "text_model.embeddings.token_embedding.weight": "token_embedding.weight",
    "text_model.embeddings.position_embedding.weight": "positional_embedding",
    "logit_scale": "logit_scale",
    **{
        f"{theirs}.{kind}": f"{ours}.{kind}"
        for theirs, ours in {
            "vision_model.pre_layrnorm": "visual.ln_pre",
            "vision_model.post_layernorm": "visual.ln_post",
            "text_model.final_layer_norm": "ln_final",
        }.items()
        for kind in ("weight", "bias")
    },
}
_TURNED = {"visual_projection.weight": "visual.proj", "text_projection.weight": "text_projection"}
"""Matrices that are written as a linear layer's there, and from the other side here."""
_COUNTERS = ("vision_model.embeddings.position_ids", "text_model.embeddings.position_ids")
_QKV = ("q_proj", "k_proj", "v_proj")


def has_hf_names(tensors: Mapping[str, Tensor]) -> bool:
    """Tell whether weights are of a CLIP model of transformers."""
    return _MARK in tensors


def to_openai_names(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Give the weights of a CLIP model of transformers OpenAI's names.

    Queries, keys and values are one matrix there. What has no equal keeps its name, so that whoever
    loads the weights names it.

    Args:
        tensors: Weights by transformers' names.
    """
    renamed: dict[str, Tensor] = {}
    for name, tensor in tensors.items():
        layer = _LAYER.fullmatch(name)
        if name in _COUNTERS:
            continue
        if name in _TURNED and tensor.ndim == 2:
            renamed[_TURNED[name]] = tensor.T.contiguous()
        elif layer is None:
            renamed[_SINGLE.get(name, name)] = tensor
        elif layer[3] in _PARTS:
            renamed[f"{_TOWERS[layer[1]]}.{layer[2]}.{_PARTS[layer[3]]}.{layer[4]}"] = tensor
        elif (joined := _join_projections(tensors, name)) is None:
            renamed[name] = tensor
        else:
            renamed[f"{_TOWERS[layer[1]]}.{layer[2]}.attn.in_proj_{layer[4]}"] = joined
    return renamed


def _join_projections(tensors: Mapping[str, Tensor], name: str) -> Tensor | None:
    """Join the three projections of which one is named; None where they cannot be."""
    own = next((part for part in _QKV if f".self_attn.{part}." in name), None)
    if own is None:
        return None
    parts = [tensors.get(name.replace(f".{own}.", f".{part}.")) for part in _QKV]
    present = [part for part in parts if part is not None]
    if len(present) < len(_QKV) or len({part.shape for part in present}) > 1:
        return None
    return torch.cat(present)
