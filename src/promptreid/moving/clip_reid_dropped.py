"""Keys of CLIP-ReID that nothing has to take the place of, each with the reason."""

from __future__ import annotations

from collections.abc import Mapping

NEVER_ACTS = "the original reads it and does nothing with it"
_ALWAYS_SO = "embeddings are always normalised, as any text makes the original do"
_WRITTEN_HERE = "every epoch is logged, and what is needed to go on is kept"
DROPPED: Mapping[str, str] = {
    **dict.fromkeys(
        (
            "MODEL.PRETRAIN_CHOICE",
            "MODEL.PRETRAIN_PATH",
            "MODEL.LAST_STRIDE",
            "MODEL.NECK",
            "MODEL.ID_LOSS_TYPE",
            "MODEL.COS_LAYER",
            "MODEL.DROP_PATH",
            "MODEL.DROP_OUT",
            "MODEL.ATT_DROP_RATE",
            "MODEL.IF_WITH_CENTER",
            "TEST.EVAL",
            "TEST.DIST_MAT",
            "TEST.RE_RANKING",
        ),
        NEVER_ACTS,
    ),
    "MODEL.DEVICE": "`--device` names another than the best there is",
    "MODEL.DEVICE_ID": "`--device cuda:N` names a card",
    "TEST.FEAT_NORM": _ALWAYS_SO,
    "TEST.WEIGHT": "`promptreid evaluate FILE --data SPEC` scores such weights",
    "TEST.IMS_PER_BATCH": "it decides nothing but speed; `evaluate --batch-size` sets it",
    "DATALOADER.NUM_WORKERS": "images are decoded once and kept",
    "OUTPUT_DIR": "`--out` names the folder of the run",
}
DROPPED_IN_SOLVER: Mapping[str, str] = {
    **dict.fromkeys(
        ("COSINE_MARGIN", "COSINE_SCALE", "CENTER_LR", "CENTER_LOSS_WEIGHT"), NEVER_ACTS
    ),
    **dict.fromkeys(("CHECKPOINT_PERIOD", "LOG_PERIOD", "EVAL_PERIOD"), _WRITTEN_HERE),
}
DROPPED_FOR_PROMPTS = ("WEIGHT_DECAY_BIAS", "WARMUP_METHOD", "WARMUP_FACTOR", "WARMUP_ITERS")
DROPPED_FOR_IMAGES = ("WARMUP_EPOCHS", "WARMUP_LR_INIT", "LR_MIN")
