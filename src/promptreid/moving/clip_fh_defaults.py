"""Keys of CLIP-FH's files: the values that its code takes for absent ones, and what never acts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

BACKBONES: Mapping[str, str] = {
    "vitb16": "ViT-B-16",
    "vitb32": "ViT-B-32",
    "rn50": "RN50",
    "rn101": "RN101",
    "rn50x4": "RN50x4",
    "rn50x16": "RN50x16",
    "rn50x64": "RN50x64",
}
ASPECTS: Mapping[str, str] = {
    "dorsal_r": "dorsal_right",
    "dorsal_l": "dorsal_left",
    "palmar_r": "palmar_right",
    "palmar_l": "palmar_left",
}
STAGE_MODES: Mapping[str, str] = {
    "prompt_only": "prompts_only",
    "image_only": "image_only",
    "prompt_then_image": "prompts_then_image",
}
DEFAULTS: Mapping[str, Any] = {
    "num_splits": 10,
    "stage_mode": "prompt_then_image",
    "epochs_prompt": 20,
    "epochs_image": 20,
    "lr_prompt": 1e-4,
    "lr_visual": 1e-5,
    "weight_decay_prompt": 5e-4,
    "weight_decay_visual": 5e-4,
    "unfreeze_blocks": 0,
    "loss_use_id": True,
    "loss_use_triplet": False,
    "loss_use_center": False,
    "loss_use_supcon": True,
    "center_lr": 0.5,
    "classifier": "linear",
    "bnneck_reduction": False,
    "bnneck_dim": 256,
    "supcon_temperature": 0.07,
    "early_stop_patience": 10,
}
"""Values that the code takes for keys that a file leaves out."""

_FOLDERS = "`--out` names the folder of the run, which holds everything"
_IGNORED = "the original reads it and does nothing with it, or never reads it"
_LOADER = "images are decoded once and kept"
DROPPED: Mapping[str, str] = {
    **dict.fromkeys(
        ("experiment", "output_dir", "save_dir", "log_dir", "save_path", "log_path"), _FOLDERS
    ),
    **dict.fromkeys(("num_workers", "shuffle", "pin_memory"), _LOADER),
    **dict.fromkeys(
        (
            "pretrained",
            "clip_init",
            "pseudo_token_dim",
            "pseudo_token_init",
            "cross_attention_layers",
            "attention_heads",
            "use_composed_prompt",
            "stage",
            "val_type",
            "val_split",
            "input_size",
            "freeze_prompt",
            "prompt_template_list",
            "early_stop_prompt_norm",
        ),
        _IGNORED,
    ),
    **dict.fromkeys(("save_frequency", "log_frequency"), "every epoch is logged"),
    "simplified_prompt": "the sentence without a word is made of prompt.template",
    "ctx_init": "the original never starts from it; prompt.init does here",
    "use_flip": "`promptreid evaluate --flip` adds the mirrored image",
    **dict.fromkeys(
        ("resume_from", "resume_from_checkpoint"),
        "`promptreid train --resume` goes on with a run that was stopped",
    ),
    **dict.fromkeys(
        ("use_arcface", "arcface_scale", "arcface_margin", "loss_use_arcface"),
        "no gradient of it reaches what learns there; stages.image.losses.arcface=1 adds one",
    ),
}
"""Keys that nothing takes the place of, and why."""

TAKEN = (
    "dataset",
    "aspect",
    "variant",
    "model",
    "clip_model",
    "batch_size",
    "epochs",
    "lr",
    "loss",
    "loss_list",
    "n_ctx",
    "prompt_template",
    "lr_text",
    "weight_decay_text",
    "freeze_text",
    "freeze_text_encoder",
    "center_loss_weight",
    "transformer_layers",
    "lr_clip_visual",
    "lr_modules",
    "weight_decay",
    "loss_id_weight",
    "loss_tri_weight",
    "supcon_loss_weight",
    "prompt_ckpt",
    "resume_prompt_from",
    "model_path",
)
"""Other keys that are known; these have no default there."""


def known_keys() -> tuple[str, ...]:
    """Name every key that a file may have."""
    return tuple(dict.fromkeys((*TAKEN, *DEFAULTS, *DROPPED)))
