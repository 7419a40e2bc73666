"""Values that CLIP-ReID's code takes for keys that a file leaves out."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

_SOLVER: Mapping[str, Any] = {
    "IMS_PER_BATCH": 64,
    "OPTIMIZER_NAME": "Adam",
    "MAX_EPOCHS": 100,
    "BASE_LR": 3e-4,
    "MOMENTUM": 0.9,
    "WEIGHT_DECAY": 5e-4,
    "WEIGHT_DECAY_BIAS": 5e-4,
    "WARMUP_FACTOR": 0.01,
    "WARMUP_EPOCHS": 5,
    "WARMUP_LR_INIT": 0.01,
    "LR_MIN": 1.6e-5,
    "WARMUP_ITERS": 500,
    "WARMUP_METHOD": "linear",
    "COSINE_MARGIN": 0.5,
    "COSINE_SCALE": 30,
    "CHECKPOINT_PERIOD": 10,
    "LOG_PERIOD": 100,
    "EVAL_PERIOD": 10,
}
_IMAGE_SOLVER: Mapping[str, Any] = {
    "LARGE_FC_LR": False,
    "BIAS_LR_FACTOR": 1,
    "CENTER_LR": 0.5,
    "CENTER_LOSS_WEIGHT": 5e-4,
    "GAMMA": 0.1,
    "STEPS": [40, 70],
}
_COMMON: Mapping[str, Any] = {
    "MODEL.DEVICE": "cuda",
    "MODEL.DEVICE_ID": 0,
    "MODEL.NAME": "resnet50",
    "MODEL.LAST_STRIDE": 1,
    "MODEL.PRETRAIN_PATH": "",
    "MODEL.PRETRAIN_CHOICE": "imagenet",
    "MODEL.NECK": "bnneck",
    "MODEL.IF_WITH_CENTER": "no",
    "MODEL.ID_LOSS_TYPE": "softmax",
    "MODEL.ID_LOSS_WEIGHT": 1.0,
    "MODEL.TRIPLET_LOSS_WEIGHT": 1.0,
    "MODEL.I2T_LOSS_WEIGHT": 1.0,
    "MODEL.METRIC_LOSS_TYPE": "triplet",
    "MODEL.DIST_TRAIN": False,
    "MODEL.NO_MARGIN": False,
    "MODEL.IF_LABELSMOOTH": "on",
    "MODEL.COS_LAYER": False,
    "MODEL.DROP_PATH": 0.1,
    "MODEL.DROP_OUT": 0.0,
    "MODEL.ATT_DROP_RATE": 0.0,
    "MODEL.STRIDE_SIZE": [16, 16],
    "MODEL.SIE_COE": 3.0,
    "MODEL.SIE_CAMERA": False,
    "MODEL.SIE_VIEW": False,
    "INPUT.SIZE_TRAIN": [384, 128],
    "INPUT.SIZE_TEST": [384, 128],
    "INPUT.PROB": 0.5,
    "INPUT.RE_PROB": 0.5,
    "INPUT.PIXEL_MEAN": [0.485, 0.456, 0.406],
    "INPUT.PIXEL_STD": [0.229, 0.224, 0.225],
    "INPUT.PADDING": 10,
    "DATALOADER.NUM_WORKERS": 8,
    "DATALOADER.SAMPLER": "softmax",
    "DATALOADER.NUM_INSTANCE": 16,
    "SOLVER.SEED": 1234,
    "SOLVER.MARGIN": 0.3,
    "TEST.IMS_PER_BATCH": 128,
    "TEST.RE_RANKING": False,
    "TEST.WEIGHT": "",
    "TEST.NECK_FEAT": "after",
    "TEST.FEAT_NORM": "yes",
    "TEST.DIST_MAT": "dist_mat.npy",
    "TEST.EVAL": False,
    "OUTPUT_DIR": "",
}
NAMED_BY_FILE = ("DATASETS.NAMES", "DATASETS.ROOT_DIR")
"""Keys whose defaults nobody means: without them `--data` is asked for."""


def defaults(*, two_stages: bool) -> Mapping[str, Any]:
    """Return every key with its default.

    Args:
        two_stages: Whether the solver has a part for each stage, as `train_clipreid.py` has.
    """
    if two_stages:
        first = {f"SOLVER.STAGE1.{key}": value for key, value in _SOLVER.items()}
        second = {
            f"SOLVER.STAGE2.{key}": value
            for key, value in (dict(_SOLVER) | dict(_IMAGE_SOLVER)).items()
        }
        return MappingProxyType({**_COMMON, **first, **second})
    solver = {
        f"SOLVER.{key}": value for key, value in (dict(_SOLVER) | dict(_IMAGE_SOLVER)).items()
    }
    return MappingProxyType({**_COMMON, **solver})
