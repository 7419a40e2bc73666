"""CLIP-ReID's YAML files as recipes, key by key."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from promptreid.moving.clip_reid_data import FOLDERS, VEHICLES, WITHOUT_VIEWS, data_spec
from promptreid.moving.clip_reid_defaults import NAMED_BY_FILE, defaults
from promptreid.moving.clip_reid_dropped import (
    DROPPED,
    DROPPED_FOR_IMAGES,
    DROPPED_FOR_PROMPTS,
    DROPPED_IN_SOLVER,
    NEVER_ACTS,
)
from promptreid.moving.key_ledger import KeyLedger
from promptreid.moving.translation import KeyNote, Translation, as_override, nearest_recipe
from promptreid.text.lists import counted, listed
from promptreid.text.suggest import closest, did_you_mean

_RECIPES = (
    "clip-reid",
    "clip-reid/cnn",
    "clip-reid/vehicle",
    "clip-reid/vehicle-cnn",
    "clip-reid/vehicleid",
    "clip-reid/vehicleid-cnn",
    "clip-reid-sie-olp",
    "clip-reid-sie-olp/vehicle",
)
_OPTIMIZERS = {"Adam": "adam", "AdamW": "adamw", "SGD": "sgd"}
_USUAL_PIXELS = {
    "ViT-B-16": ([0.5, 0.5, 0.5], [0.5, 0.5, 0.5]),
    "RN50": ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]),
}


def translate_clip_reid(values: Mapping[str, Any], *, two_stages: bool) -> Translation:
    """Say a configuration of `train_clipreid.py` or, with one stage, of `train.py` as a recipe.

    Keys that the file leaves out have the original's defaults, not ours.

    Args:
        values: Flat keys of the file.
        two_stages: Whether it is of `train_clipreid.py`.

    Raises:
        ConfigError: Keys are unknown, or have values that have no equal here: all are named.
    """
    known = defaults(two_stages=two_stages)
    work = _ClipReIDLedger(values, {**known, **values}, two_stages=two_stages)
    work.check_keys(known)
    work.read_model()
    work.read_images()
    work.read_losses()
    work.read_batches()
    if two_stages:
        work.read_prompt_stage()
    work.read_image_stage()
    data = work.read_data()
    seed = work.take("SOLVER.SEED", "--seed", int, as_key=False)
    work.refuse()
    if not two_stages:  # the baseline has no texts
        work.settings |= {
            "stage_mode": "image_only",
            "prompt.kind": "none",
            "stages.image.losses.i2t": 0,
        }
    recipe, settings = nearest_recipe(_RECIPES, work.settings)
    origin = "CLIP-ReID's train_clipreid.py" if two_stages else "CLIP-ReID's train.py"
    translation = Translation(
        origin=origin,
        recipe=recipe,
        settings=settings,
        data=data,
        seed=seed,
        exact=tuple(work.exact),
        changed=tuple(work.changed),
        dropped=tuple(work.dropped),
    )
    translation.load()
    return translation


@dataclass
class _ClipReIDLedger(KeyLedger):
    """The ledger of a configuration of CLIP-ReID.

    Attributes:
        two_stages: Whether there is a part for each stage.
    """

    two_stages: bool = True

    def check_keys(self, known: Mapping[str, Any]) -> None:
        """Refuse keys and sections that the original lacks; drop those that never act there."""
        keys = [*known, *NAMED_BY_FILE, "DATASETS"]
        sections = {key.rpartition(".")[0] for key in keys}
        foreign: Counter[str] = Counter()
        for key in self.told:
            section = key.rpartition(".")[0]
            if section not in sections:
                foreign[section] += 1
            elif key not in keys:
                hint = did_you_mean(closest(key, keys))
                self.refused.append(f"{key} is no key of the original.{hint}")
        for section, count in foreign.items():
            others = [name for name in sections if not section.startswith(f"{name}.")]
            hint = did_you_mean(closest(section, others))
            self.refused.append(
                f"{section}, with {counted(count, 'key')}, is no section of the original.{hint}"
            )
        for key, reason in DROPPED.items():
            self.drop(key, reason)
        parts = ("STAGE1.", "STAGE2.") if self.two_stages else ("",)
        for part in parts:
            for key, reason in DROPPED_IN_SOLVER.items():
                self.drop(f"SOLVER.{part}{key}", reason)
        self.expect("MODEL.DIST_TRAIN", False, because="its processes exchange no gradients")

    def read_model(self) -> None:
        """Take over the tower and what is known of cameras and views."""
        name = self.all["MODEL.NAME"]
        if not isinstance(name, str) or name not in _USUAL_PIXELS:
            there = "" if "MODEL.NAME" in self.told else ", which is the original's default,"
            self.refused.append(
                f"MODEL.NAME is {name!r}{there} and must be ViT-B-16 or RN50: the original builds "
                "no CLIP tower of it."
            )
            return
        self.take("MODEL.NAME", "backbone.name")
        stride = self.all["MODEL.STRIDE_SIZE"]
        if name != "ViT-B-16":
            for key in ("STRIDE_SIZE", "SIE_CAMERA", "SIE_VIEW", "SIE_COE"):
                self.drop(f"MODEL.{key}", "it does not act on a ResNet")
            return
        if not isinstance(stride, list) or len(stride) != 2 or stride[0] != stride[1]:
            self.refused.append(
                f"MODEL.STRIDE_SIZE is {stride}: patches have one stride here, both numbers equal."
            )
        else:
            self.take(
                "MODEL.STRIDE_SIZE",
                "backbone.stride",
                lambda both: None if both[0] == 16 else both[0],
            )
        if self.all["MODEL.SIE_CAMERA"] or self.all["MODEL.SIE_VIEW"]:
            self.take("MODEL.SIE_CAMERA", "sie.camera", bool)
            self.take("MODEL.SIE_VIEW", "sie.view", bool)
            self.take("MODEL.SIE_COE", "sie.coefficient", float)
        else:
            self.settings |= {"sie.camera": False, "sie.view": False}
            for key in ("SIE_CAMERA", "SIE_VIEW"):
                if f"MODEL.{key}" in self.told:
                    became = f"sie.{key.removeprefix('SIE_').lower()}=false"
                    self.exact.append(KeyNote(f"MODEL.{key}", False, became))
            self.drop("MODEL.SIE_COE", "neither cameras nor views are told apart")

    def read_images(self) -> None:
        """Take over sizes, pixel statistics and augmentation."""
        size = self.take("INPUT.SIZE_TRAIN", "backbone.image_size")
        if self.all["INPUT.SIZE_TEST"] != size:
            self.refused.append(
                f"INPUT.SIZE_TEST is {self.all['INPUT.SIZE_TEST']} and SIZE_TRAIN {size}: images "
                "have one size here."
            )
        elif "INPUT.SIZE_TEST" in self.told:
            self.exact.append(KeyNote("INPUT.SIZE_TEST", size, "the same size"))
        pixels = self.all["INPUT.PIXEL_MEAN"], self.all["INPUT.PIXEL_STD"]
        usual = pixels == _USUAL_PIXELS.get(str(self.all["MODEL.NAME"]))
        normalize = "clip-reid" if usual else {"mean": pixels[0], "std": pixels[1]}
        if usual:
            self.settings["preprocess.normalize"] = normalize
        else:
            self.settings["preprocess.normalize.mean"] = pixels[0]
            self.settings["preprocess.normalize.std"] = pixels[1]
        for key, value in zip(("INPUT.PIXEL_MEAN", "INPUT.PIXEL_STD"), pixels, strict=True):
            if key in self.told:
                became = f"preprocess.normalize={as_override(normalize)}"
                self.exact.append(KeyNote(key, value, became))
        self.take("INPUT.PROB", "stages.image.augment.flip", float)
        self.take("INPUT.RE_PROB", "stages.image.augment.erase", float)
        self.take("INPUT.PADDING", "stages.image.augment.pad")

    def read_losses(self) -> None:
        """Take over the losses of the image stage."""
        losses = "stages.image.losses"
        self.expect("MODEL.METRIC_LOSS_TYPE", "triplet", because="the original has no other")
        self.take("MODEL.ID_LOSS_WEIGHT", f"{losses}.id.weight", float)
        self.take("MODEL.TRIPLET_LOSS_WEIGHT", f"{losses}.triplet.weight", float)
        smoothing = 0.1 if self.all["MODEL.IF_LABELSMOOTH"] == "on" else 0.0
        self.take("MODEL.IF_LABELSMOOTH", f"{losses}.id.smoothing", lambda _: smoothing)
        if self.two_stages:
            self.take("MODEL.I2T_LOSS_WEIGHT", f"{losses}.i2t.weight", float)
            self.settings[f"{losses}.i2t.smoothing"] = smoothing
        else:
            self.drop("MODEL.I2T_LOSS_WEIGHT", NEVER_ACTS)
        if self.all["MODEL.NO_MARGIN"]:
            self.take("MODEL.NO_MARGIN", f"{losses}.triplet.margin", lambda _: None)
            self.drop("SOLVER.MARGIN", "MODEL.NO_MARGIN asks for the soft margin")
        else:
            self.take("SOLVER.MARGIN", f"{losses}.triplet.margin", float)
            self.drop("MODEL.NO_MARGIN", "the margin is SOLVER.MARGIN")
        self.take("TEST.NECK_FEAT", "embedding.neck")

    def read_batches(self) -> None:
        """Take over identities and images of a batch of the image stage."""
        self.expect(
            "DATALOADER.SAMPLER",
            "softmax_triplet",
            because="with any other the original fails at its first batch",
        )
        solver = "SOLVER.STAGE2" if self.two_stages else "SOLVER"
        size, images = self.all[f"{solver}.IMS_PER_BATCH"], self.all["DATALOADER.NUM_INSTANCE"]
        if not isinstance(size, int) or not isinstance(images, int) or images < 1 or size % images:
            self.refused.append(
                f"{solver}.IMS_PER_BATCH is {size} and DATALOADER.NUM_INSTANCE {images}: a batch "
                "must hold a whole number of identities."
            )
            return
        self.take("DATALOADER.NUM_INSTANCE", "stages.image.batch.images")
        self.take(
            f"{solver}.IMS_PER_BATCH", "stages.image.batch.identities", lambda all: all // images
        )

    def read_prompt_stage(self) -> None:
        """Take over batch, rate and length of the prompt stage."""
        solver, stage = "SOLVER.STAGE1", "stages.prompts"
        self.take(f"{solver}.IMS_PER_BATCH", f"{stage}.batch.size")
        self.take(f"{solver}.MAX_EPOCHS", f"{stage}.epochs")
        self._read_optimizer(solver, stage)
        self.take(f"{solver}.WARMUP_EPOCHS", f"{stage}.schedule.warmup_epochs")
        self.take(f"{solver}.WARMUP_LR_INIT", f"{stage}.schedule.warmup_lr", float)
        self.take(f"{solver}.LR_MIN", f"{stage}.schedule.lr_min", float)
        for key in DROPPED_FOR_PROMPTS:
            self.drop(f"{solver}.{key}", NEVER_ACTS)

    def read_image_stage(self) -> None:
        """Take over rate and length of the image stage."""
        solver = "SOLVER.STAGE2" if self.two_stages else "SOLVER"
        stage = "stages.image"
        self.take(f"{solver}.MAX_EPOCHS", f"{stage}.epochs")
        self._read_optimizer(solver, stage)
        self.take(f"{solver}.BIAS_LR_FACTOR", f"{stage}.optimizer.bias_lr_factor", float)
        decay = self.all[f"{solver}.WEIGHT_DECAY"]
        if self.all[f"{solver}.WEIGHT_DECAY_BIAS"] != decay:
            self.refused.append(
                f"{solver}.WEIGHT_DECAY_BIAS is {self.all[f'{solver}.WEIGHT_DECAY_BIAS']} and "
                f"WEIGHT_DECAY {decay}: biases decay as weights do here."
            )
        elif f"{solver}.WEIGHT_DECAY_BIAS" in self.told:
            self.exact.append(KeyNote(f"{solver}.WEIGHT_DECAY_BIAS", decay, "the same decay"))
        self.take(f"{solver}.STEPS", f"{stage}.schedule.milestones", list)
        self.take(f"{solver}.GAMMA", f"{stage}.schedule.gamma", float)
        self.take(f"{solver}.WARMUP_FACTOR", f"{stage}.schedule.warmup_factor", float)
        self.take(f"{solver}.WARMUP_ITERS", f"{stage}.schedule.warmup_epochs")
        self.expect(f"{solver}.WARMUP_METHOD", "linear", because="rates rise in a line here")
        self.expect(f"{solver}.LARGE_FC_LR", False, because="with it the original fails")
        for key in DROPPED_FOR_IMAGES:
            self.drop(f"{solver}.{key}", NEVER_ACTS)

    def read_data(self) -> str | None:
        """Return the data SPEC, and choose the word for what is on the images."""
        name, root = self.all.get("DATASETS.NAMES"), self.all.get("DATASETS.ROOT_DIR", "../data")
        template = "A photo of a {context} person."
        if name is None or name == "":
            self.drop("DATASETS.ROOT_DIR", "no data set is named; give --data")
        elif not isinstance(name, str) or name not in FOLDERS:
            self.refused.append(
                f"DATASETS.NAMES is {name!r}; the original knows {listed(list(FOLDERS), 'and')}."
            )
            name = None
        else:
            self.exact += [
                KeyNote(key, self.told[key], "--data") for key in NAMED_BY_FILE if key in self.told
            ]
            if name in VEHICLES:
                template = "A photo of a {context} vehicle."
            self._check_side_information(str(name))
        if self.two_stages:
            self.settings["prompt.template"] = template
        if not name:
            return None
        spec = data_spec(str(name), str(root))
        return spec.partition("?")[0] if self.settings.get("sie.view") else spec

    def _check_side_information(self, name: str) -> None:
        if self.settings.get("sie.view") and name in WITHOUT_VIEWS:
            self.refused.append(f"MODEL.SIE_VIEW is True: {name} has no views, the original fails.")
        if self.settings.get("sie.camera") and name == "VehicleID":
            self.refused.append("MODEL.SIE_CAMERA is True: VehicleID names no cameras.")

    def _read_optimizer(self, solver: str, stage: str) -> None:
        name = self.all[f"{solver}.OPTIMIZER_NAME"]
        if not isinstance(name, str) or name not in _OPTIMIZERS:
            self.refused.append(
                f"{solver}.OPTIMIZER_NAME is {name!r}, not {listed(list(_OPTIMIZERS), 'or')}."
            )
            return
        self.take(f"{solver}.OPTIMIZER_NAME", f"{stage}.optimizer.name", _OPTIMIZERS.get)
        self.take(f"{solver}.BASE_LR", f"{stage}.optimizer.lr", float)
        self.take(f"{solver}.WEIGHT_DECAY", f"{stage}.optimizer.weight_decay", float)
        if name == "SGD":
            self.take(f"{solver}.MOMENTUM", f"{stage}.optimizer.momentum", float)
        else:
            self.drop(f"{solver}.MOMENTUM", f"{name} has none")
