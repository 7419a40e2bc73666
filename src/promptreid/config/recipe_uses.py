"""The recipes of the package by what they are for, each with when to take it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

_ROWS: Mapping[str, Mapping[str, str]] = MappingProxyType(
    {
        "Start here": {
            "zero-shot": "you want to know what the pretrained model does without training",
            "clip-reid/tiny": "you have no GPU, or want a first result within minutes",
            "clip-reid/demo": "you want what `promptreid demo` trains, on hands",
        },
        "People": {
            "clip-reid": "you have a GPU and crops of people; the published method",
            "clip-reid/cnn": "you want the same with ResNet-50",
            "clip-reid-sie-olp": "you know the cameras and have time for more patches",
            "prompt-sg": "you want a sentence of its own for each image, in one stage",
            "prompt-sg/cnn": "you want PromptSG with ResNet-50",
        },
        "Vehicles": {
            "clip-reid/vehicle": "you have VeRi-776 or crops of vehicles from several cameras",
            "clip-reid/vehicle-cnn": "you want the same with ResNet-50",
            "clip-reid-sie-olp/vehicle": "you know cameras and viewpoints as well",
            "clip-reid/vehicleid": "you have VehicleID, with its larger batches",
            "clip-reid/vehicleid-cnn": "you want the same with ResNet-50",
        },
        "Hands": {
            "zero-shot/hand": "you want scores without training, and side and skin tone read off",
            "zero-shot/hand-text": "you want those sentences to count in the similarity too",
            "clip-reid/hand": "you have a GPU and hands; mirrored hands stay apart",
            "clip-reid/hand-cnn": "you want the same with ResNet-50",
            "hand-clip": "you want the two stages of HandCLIP in one run",
            "hand-clip/joint": "you want its second stage to teach the prompts, too",
            "prompt-sg/hand": "you want PromptSG on hands, with the side in the sentence",
            "prompt-sg/hand-words": "you study what words of images do, not scores",
            "prompt-sg/hand-v*": "you repeat a version of the hand study, 1 to 11",
            "prompt-sg/hand-cnn-v*": "you repeat one with ResNet-50",
        },
        "Several data sets, or one that was never seen": {
            "mta-clip": "you train on several sites and want one model for all",
            "mta-clip/cnn": "you want the same with ResNet-50",
            "mta-clip/single": "you want its adapter and tokens on one data set",
            "mta-clip/joint": "you want the baseline: one label space, nothing else",
            "mta-clip/prompts": "you want the baseline with its tokens alone",
            "mta-clip/adapter": "you want the baseline with its adapter alone",
        },
        "Fine-tuning without text": {
            "finetune-ce": "you want the plainest training there is",
            "finetune-ce/last-blocks": "you have few images, and the early blocks shall stay",
            "finetune-ce/lora": "you want few weights to learn, inside the attention",
            "finetune-ce/vpt": "you want a frozen tower with a few learned tokens",
            "finetune-ce/vpt-deep": "you want such tokens at every block",
            "finetune-losses": "you want the strong baseline: neck, identities and triplets",
        },
        "Losses one by one": {
            "finetune-losses/ce-center": "you compare center loss",
            "finetune-losses/ce-triplet": "you compare triplets",
            "finetune-losses/ce-triplet-center": "you compare the full Bag of Tricks",
            "finetune-losses/ce-triplet-arcface": "you compare ArcFace",
            "finetune-losses/circle": "you compare Circle loss",
            "finetune-losses/contrastive": "you compare supervised contrast alone",
            "finetune-losses/memory": "you compare contrast against earlier batches",
            "finetune-losses/hardest": "you end with the images that are confused most",
            "finetune-losses/mixed": "you compare mixed images and AugMix",
            "finetune-losses/pcb": "you compare horizontal stripes",
            "finetune-losses/mgn": "you compare branches for halves and thirds",
        },
        "One stage at a time": {
            "prompt-learning": "you want prompts first, to look at or to reuse",
            "prompt-guided": "you go on from a run that learned prompts",
        },
        "Readings of PromptSG": {
            "prompt-sg/single": "you compare the reading with a single fetched token",
            "prompt-sg/simplified": "you compare the sentence without a word",
            "prompt-sg/no-interaction": "you compare the word without the interaction",
        },
        "Pictures that nobody has labelled": {
            "pretrain-moco": "you have many, and little memory",
            "pretrain-supcon": "you have many, and memory for large batches",
        },
    }
)
_OTHER = "More"


@dataclass(frozen=True)
class UseRow:
    """A line of the list of recipes.

    Attributes:
        name: Name of the recipe, or of several that differ at the `*`.
        take_if: When to take it; goes on from "take this if".
    """

    name: str
    take_if: str


def recipe_uses(described: Mapping[str, str]) -> dict[str, list[UseRow]]:
    """Sort all recipes by use; what each is stands for those that no use names."""
    rows_by_use: dict[str, list[UseRow]] = {}
    left = dict(described)
    for use, rows in _ROWS.items():
        for name, take_if in rows.items():
            meant = [other for other in left if _fits(other, name)]
            for other in meant:
                del left[other]
            if meant:
                rows_by_use.setdefault(use, []).append(UseRow(name, take_if))
    for name, description in left.items():
        rows_by_use.setdefault(_OTHER, []).append(UseRow(name, description))
    return rows_by_use


def find_use(name: str) -> tuple[str, str]:
    """Return the use of a recipe and when to take it; two empty texts where none names it."""
    for use, rows in _ROWS.items():
        for other, take_if in rows.items():
            if _fits(name, other):
                return use, take_if
    return "", ""


def _fits(name: str, pattern: str) -> bool:
    start, star, _ = pattern.partition("*")
    return name.removeprefix(start).isdigit() if star else name == pattern
