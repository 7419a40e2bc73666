"""Dual encoders and image networks with weights, fitted to re-ID's image size and stride."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any

import torch
from open_clip.model import CLIP, CustomTextCLIP
from open_clip.modified_resnet import ModifiedResNet
from open_clip.timm_model import TimmModel
from open_clip.transformer import TextTransformer, VisionTransformer
from torch import nn

from promptreid.data.images.preprocess import Preprocess
from promptreid.errors import ModelError
from promptreid.models.image_only.image_only_model import ImageOnlyModel, name_for_backbone
from promptreid.models.image_only.osnet import OSNet
from promptreid.models.image_only.osnet_tower import OSNetTower
from promptreid.models.image_only.solider_swin import SoliderSwin
from promptreid.models.image_only.solider_tower import SoliderTower
from promptreid.models.image_only.transreid_names import find_input
from promptreid.models.image_only.transreid_tower import TransReIDTower
from promptreid.models.image_only.transreid_vit import TransReIDViT
from promptreid.models.towers.block_runs import BlockRuns, give_runs
from promptreid.models.towers.image_tower import ImageTower
from promptreid.models.towers.position_embeddings import resize_positions
from promptreid.models.towers.resnet import ResNetTower
from promptreid.models.towers.text_tower import NO_VOCABULARY, AbsentText, TextTower
from promptreid.models.towers.timm_tower import TimmTower
from promptreid.models.towers.vit import ViTTower
from promptreid.models.weights.architecture import Architecture, find_architecture
from promptreid.models.weights.pretrained import find_weights
from promptreid.models.weights.tokenizers import (
    Tokenizer,
    describe_tokenizer,
    find_tokenizer,
    restore_tokenizer,
)
from promptreid.models.weights.weight_files import Weights, load_strictly, to_backbone_names
from promptreid.processes.process_group import Processes

_POSITIONS = ("image.positional_embedding", "image.attnpool.positional_embedding")


class Backbone(nn.Module):
    """Image tower and text tower of one CLIP model.

    Attributes:
        image: Image tower.
        text: Text tower.
        logit_scale: Logarithm of the inverse temperature the model was trained with.
        logit_bias: Its logit bias (SigLIP), or None.
        tokenizer: Sentences to token ids.
        native: Size, mean and deviation of the images the weights were trained on.
        architecture: What it was built from.
        pretrained: Where its weights came from, in words.
    """

    logit_bias: nn.Parameter | None

    def __init__(
        self,
        model: CLIP | CustomTextCLIP | ImageOnlyModel,
        *,
        architecture: Architecture,
        tokenizer: Tokenizer,
        native: Preprocess,
        pretrained: str = "none",
    ) -> None:
        """Take over the towers of a model, still at their own size.

        Raises:
            ModelError: A tower is of a kind that re-ID features cannot be taken from.
        """
        super().__init__()
        self.image = _image_tower(model.visual)
        images_only = isinstance(model, ImageOnlyModel)
        self.text = AbsentText() if images_only else TextTower(_text_source(model))
        self.logit_scale = model.logit_scale
        self.logit_bias = model.logit_bias
        self.architecture = architecture
        self.tokenizer = tokenizer
        self.native = native
        self.pretrained = pretrained

    def __deepcopy__(self, memo: dict[int, Any]) -> Backbone:
        """Copy all but the tokenizer, which never changes and whose vocabulary takes a while."""
        memo[id(self.tokenizer)] = self.tokenizer
        twin = memo[id(self)] = self.__new__(type(self))
        twin.__setstate__(deepcopy(self.__dict__, memo))
        return twin

    @property
    def name(self) -> str:
        """Name of the architecture."""
        return self.architecture.name

    def run_blocks(self, *, compiled: bool, checkpointed: bool, say: Callable[[str], None]) -> None:
        """Choose how blocks are run while there are gradients; see `BlockRuns`.

        Blocks of the text tower are not compiled: how many sentences it reads changes from step to
        step.

        Args:
            compiled: Compile the blocks of the image tower.
            checkpointed: Compute blocks of both towers again instead of holding what they computed.
            say: Takes a sentence when nothing can be compiled.

        Raises:
            ModelError: It is not known where the blocks of the image tower are.
        """
        if not (compiled or checkpointed):
            return
        blocks = self.image.blocks()
        if not blocks:
            raise ModelError(
                f"It is not known where the blocks of {self.name} are, so they cannot be compiled "
                "or computed again one by one. Set hardware.compile and hardware.checkpointing to "
                "false, or take another backbone."
            )
        runs = BlockRuns(compiled=compiled, checkpointed=checkpointed, say=say)
        for block in blocks:
            give_runs(block, runs, called=not isinstance(self.image, ViTTower))
        if checkpointed:
            runs = BlockRuns(compiled=False, checkpointed=True, say=say)
            for block in self.text.blocks():
                give_runs(block, runs, called=False)

    def share_rows(self, processes: Processes) -> None:
        """Let processes share images and sentences out, of which each encodes some for all."""
        self.image.processes = self.text.processes = processes

    def describe(self) -> dict[str, Any]:
        """Return all that is needed to build it again without weights, JSON-ready."""
        return {
            "name": self.name,
            "config": self.architecture.config,
            "image_size": list(self.image.image_size),
            "stride": self.image.stride,
            "text": self.text.kind,
            "tokenizer": describe_tokenizer(self.tokenizer),
            "native": self.native.to_dict(),
            "pretrained": self.pretrained,
        }


def build_backbone(
    name: str,
    *,
    pretrained: str | Path = "auto",
    image_size: tuple[int, int] | None = None,
    stride: int | None = None,
    tokenizer: str | Path | None = None,
    quick_gelu: bool | None = None,
    seed: int = 0,
    device: str | torch.device = "cpu",
) -> Backbone:
    """Build a dual encoder for re-ID.

    Args:
        name: "tiny" or an OpenCLIP architecture ("ViT-B-16", "ViT-B/16", "RN50", "ViT-B-16-SigLIP",
            ...), torchreid's OSNet ("osnet_x1_0", ...), or the transformers of TransReID
            ("transreid_vit_base", ...) and SOLIDER ("solider_swin_base", ...), which have no text
            tower.
        pretrained: "auto" (the shipped weights of `tiny`; elsewhere OpenAI's weights, or the first
            OpenCLIP knows), an OpenCLIP tag, "none" for random weights, or a file: OpenAI's `.pt`
            archive, an OpenCLIP checkpoint, any state dict in `.pt`, `.pth`, `.bin` or
            `.safetensors`.
        image_size: Height and width in pixels; None for the size the weights were trained with.
        stride: Step between patches; None for the patch size (ViT) or 16 (ResNet, layer4 stride 1).
        tokenizer: Folder or `tokenizer.json` for architectures whose tokenizer OpenCLIP does not
            contain.
        quick_gelu: Force OpenAI's activation on or off; None to take what the weights were trained
            with.
        seed: Seed of random weights.
        device: Where the model goes.

    Returns:
        The backbone in eval mode, in float32.

    Raises:
        ModelError: The name, tag, size or stride is not possible, or a download fails.
        WeightsError: A weights file is unreadable or does not fit.
    """
    architecture = find_architecture(name)
    source = find_weights(architecture, pretrained)
    activation = source.quick_gelu if quick_gelu is None else quick_gelu
    if activation is not None:
        architecture = architecture.with_quick_gelu(activation)
    backbone = Backbone(
        architecture.build(seed=seed, empty=source.weights is not None),
        architecture=architecture,
        tokenizer=find_tokenizer(architecture, tokenizer),
        native=source.native,
        pretrained=source.origin,
    )
    if source.weights is not None:
        _load_pretrained(backbone, source.weights, source=source.origin)
    backbone.image.fit(image_size or source.native.image_size, stride)
    return backbone.to(device).eval()


def restore_backbone(description: dict[str, Any], tokenizer: str | None = None) -> Backbone:
    """Build a backbone of what `Backbone.describe` gave, ready for its weights to be assigned.

    The tokenizer is the text of its `tokenizer.json`, when it has one.

    Raises:
        ModelError: The installed OpenCLIP cannot build it.
    """
    architecture = Architecture(description["name"], description["config"])
    backbone = Backbone(
        architecture.build(empty=True),
        architecture=architecture,
        tokenizer=restore_tokenizer(architecture, description["tokenizer"], tokenizer),
        native=Preprocess.from_dict(description["native"]),
        pretrained=description["pretrained"],
    )
    if description["text"] == AbsentText.kind:
        backbone.text = AbsentText()
    elif description["text"] == NO_VOCABULARY:
        backbone.text.drop_vocabulary()
    height, width = description["image_size"]
    backbone.image.fit((height, width), description["stride"])
    return backbone


def _load_pretrained(backbone: Backbone, weights: Weights, *, source: str) -> None:
    """Put OpenAI or OpenCLIP weights into a backbone of their own image size.

    A position embedding of another square grid is resized; a scalar stored with one dimension is
    taken.

    Raises:
        WeightsError: A weight is missing, unknown or has another shape.
    """
    if backbone.architecture.has_text:
        tensors = to_backbone_names(weights.tensors)
    else:
        tensors = name_for_backbone(weights.tensors, backbone.name)
    positions = tensors.get("image.trunk.pos_embed")
    if not backbone.architecture.has_text and positions is not None:
        backbone.image.fit(*find_input(positions))
    fitted = backbone.state_dict()
    for name, tensor in tensors.items():
        if name not in fitted or tensor.shape == fitted[name].shape:
            continue
        if tensor.numel() == fitted[name].numel() == 1:
            tensors[name] = tensor.reshape(fitted[name].shape)
        elif name in _POSITIONS and tensor.shape[1:] == fitted[name].shape[1:]:
            tensors[name] = resize_positions(tensor, backbone.image.grid)
    if "logit_bias" in fitted and "logit_bias" not in tensors:
        tensors["logit_bias"] = torch.zeros(fitted["logit_bias"].shape)
    load_strictly(backbone, tensors, source=source, assign=True)


def _image_tower(visual: nn.Module) -> ImageTower:
    if isinstance(visual, VisionTransformer):
        return ViTTower(visual)
    if isinstance(visual, ModifiedResNet):
        return ResNetTower(visual)
    if isinstance(visual, OSNet):
        return OSNetTower(visual)
    if isinstance(visual, SoliderSwin):
        return SoliderTower(visual)
    if isinstance(visual, TransReIDViT):
        return TransReIDTower(visual)
    if isinstance(visual, TimmModel):
        return TimmTower(visual)
    raise ModelError(f"Image towers of type {type(visual).__name__} are not supported.")


def _text_source(model: CLIP | CustomTextCLIP) -> CLIP | TextTransformer:
    if isinstance(model, CLIP):
        return model
    if isinstance(model.text, TextTransformer):
        return model.text
    raise ModelError(f"Text towers of type {type(model.text).__name__} are not supported.")
