"""Names of backbones and how to build them empty."""

from __future__ import annotations

import difflib
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

import open_clip
import torch
from open_clip.model import CLIP, CustomTextCLIP
from torch import nn

from promptreid.errors import ModelError, unknown_name
from promptreid.models.image_only.image_only_model import (
    ImageOnlyModel,
    build_image_only,
    is_image_only,
)
from promptreid.models.image_only.osnet import OSNETS
from promptreid.models.image_only.solider_swin import SOLIDERS
from promptreid.models.image_only.transreid_vit import TRANSREIDS
from promptreid.models.weights.tiny import build_tiny

TINY = "tiny"
_COMMON = (TINY, "RN50", "ViT-B-16", "ViT-B-32", "ViT-L-14", "ViT-B-16-SigLIP")


@dataclass(frozen=True)
class Architecture:
    """A dual encoder, or a network without a text tower, without weights.

    Attributes:
        name: "tiny", an OpenCLIP model name, or a name of `OSNETS`, `TRANSREIDS` or
            `SOLIDERS`.
        config: OpenCLIP's configuration of it; for networks without a text tower what they have
            beyond what their name says (`shift`, of TransReID's jigsaw branch).
    """

    name: str
    config: dict[str, Any]

    @property
    def has_text(self) -> bool:
        """Whether there is a text tower."""
        return not is_image_only(self.name)

    def build(
        self, *, seed: int = 0, empty: bool = False
    ) -> CLIP | CustomTextCLIP | ImageOnlyModel:
        """Build the model with random weights, leaving the global random state as it was.

        Args:
            seed: Seed of the weights.
            empty: Build without values where possible, for weights that will be assigned.

        Raises:
            ModelError: OpenCLIP cannot build this configuration.
        """
        if self.name == TINY:
            return build_tiny(seed=seed, empty=empty)
        if not self.has_text:
            return build_image_only(self.name, self.config, seed=seed, empty=empty)
        config = deepcopy(self.config)
        kind = CustomTextCLIP if config.pop("custom_text", False) else CLIP
        try:
            if empty:
                with torch.device("meta"):
                    model = kind(**deepcopy(config)).eval()
                if _is_all_in_state(model):
                    return model
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(seed)
                return kind(**config).eval()
        except (RuntimeError, TypeError, ValueError, AssertionError) as error:
            raise ModelError(
                f"OpenCLIP {open_clip.__version__} cannot build {self.name}: {error}. A newer "
                "open_clip_torch or timm may know it."
            ) from error

    def with_quick_gelu(self, quick_gelu: bool) -> Architecture:
        """Return this architecture with OpenAI's activation switched on or off."""
        if self.name == TINY or not self.has_text:
            return self
        return Architecture(self.name, {**self.config, "quick_gelu": quick_gelu})


def _is_all_in_state(model: nn.Module) -> bool:
    """Return whether a state dict fills the whole model.

    Rotary towers keep tables outside their state; OpenCLIP's text mask is not used here.
    """
    state = model.state_dict()
    return all(name in state or name.endswith("attn_mask") for name, _ in model.named_buffers())


def find_architecture(name: str) -> Architecture:
    """Look a backbone up by its name; "ViT-B/16" is read as "ViT-B-16".

    Raises:
        ModelError: The name is unknown, or the architecture cannot serve re-ID here.
    """
    names = [TINY, *OSNETS, *TRANSREIDS, *SOLIDERS, *open_clip.list_models()]
    name = name.replace("/", "-")
    if name not in names:
        close = difflib.get_close_matches(name, names, n=5, cutoff=0.5)
        raise ModelError(
            unknown_name("backbone", name, close or _COMMON)
            + " These are not all: every dual encoder of `open_clip.list_models()` is taken."
        )
    if name == TINY or is_image_only(name):
        return Architecture(name, {})
    config = open_clip.get_model_config(name)
    if "multimodal_cfg" in config:
        raise ModelError(
            f"{name} is a captioning model (CoCa) whose features are pooled by a separate "
            "attention layer. Choose a CLIP, EVA or SigLIP backbone."
        )
    if "hf_model_name" in config["text_cfg"]:
        raise ModelError(
            f"The text tower of {name} is a Hugging Face model; learned prompts need one of "
            "OpenCLIP's own. Choose another backbone, for example ViT-B-16."
        )
    if "timm_model_name" in config["vision_cfg"]:
        config["vision_cfg"]["timm_model_pretrained"] = False
    config.setdefault("quick_gelu", False)
    return Architecture(name, config)
