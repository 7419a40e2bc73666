"""Configurations of CLIP-ReID become the recipes that were written after them."""

import pytest

from promptreid.config.recipes import load_recipe
from promptreid.errors import ConfigError
from promptreid.moving.import_config import import_config

PIXELS = {"ViT-B-16": "[0.5, 0.5, 0.5]", "RN50": "[0.485, 0.456, 0.406]"}
SPREAD = {"ViT-B-16": "[0.5, 0.5, 0.5]", "RN50": "[0.229, 0.224, 0.225]"}
PROMPTS = "IMS_PER_BATCH: {size}, BASE_LR: 0.00035, WARMUP_LR_INIT: 0.00001, LR_MIN: 1e-6, "
PROMPTS += "WEIGHT_DECAY: 1e-4, MAX_EPOCHS: {epochs}, WARMUP_EPOCHS: 5"
VIT = "BASE_LR: {lr}, WARMUP_ITERS: 10, WARMUP_FACTOR: 0.1, WEIGHT_DECAY: 0.0001, "
VIT += "WEIGHT_DECAY_BIAS: 0.0001, MAX_EPOCHS: 60, BIAS_LR_FACTOR: 2, STEPS: [30, 50], GAMMA: 0.1"
CNN = "BASE_LR: 0.00035, WARMUP_ITERS: 10, WARMUP_FACTOR: 0.01, WEIGHT_DECAY: 0.0005, "
CNN += "WEIGHT_DECAY_BIAS: 0.0005, MAX_EPOCHS: 120, BIAS_LR_FACTOR: 2, STEPS: '(40, 70)'"


def config(tmp_path, name="ViT-B-16", *, size="[256, 128]", smooth="on", stages=True, **given):
    """Write the settings that were published for a tower, and return the file."""
    vit = name == "ViT-B-16"
    weight = 0.25 if vit and stages else 1.0
    image = (VIT if vit else CNN).format(lr=given.get("lr", "5e-6"))
    prompts = PROMPTS.format(size=given.get("batch", 64), epochs=given.get("epochs", 120))
    solver = f"{{STAGE1: {{{prompts}}}, STAGE2: {{{image}}}}}" if stages else f"{{{image}}}"
    file = tmp_path / "old.yml"
    file.write_text(
        f"MODEL: {{NAME: '{name}', ID_LOSS_WEIGHT: {weight}, IF_LABELSMOOTH: '{smooth}'}}\n"
        f"INPUT: {{SIZE_TRAIN: {size}, SIZE_TEST: {size}, PIXEL_MEAN: {PIXELS[name]}, "
        f"PIXEL_STD: {SPREAD[name]}}}\n"
        "DATALOADER: {SAMPLER: 'softmax_triplet', NUM_INSTANCE: 4}\n"
        f"SOLVER: {solver}\n"
        "TEST: {NECK_FEAT: 'before', EVAL: True}\n"
        "DATASETS:\n"
    )
    return file


def on(name, root="/d"):
    return ("DATASETS.NAMES", f"('{name}')", "DATASETS.ROOT_DIR", root)


@pytest.mark.parametrize(
    ("given", "name", "recipe", "data"),
    [
        ({}, "market1501", "clip-reid", "market1501:/d/Market-1501-v15.09.15"),
        ({"name": "RN50", "epochs": 60}, "msmt17", "clip-reid/cnn", "msmt17:/d/MSMT17"),
        (
            {"size": "[256, 256]", "epochs": 60},
            "veri",
            "clip-reid/vehicle",
            "veri776:/d/VeRi?views=drop",
        ),
        (
            {"size": "[256, 256]", "epochs": 60, "batch": 256, "lr": "5e-5"},
            "VehicleID",
            "clip-reid/vehicleid",
            "vehicleid:/d/VehicleID_V1.0",
        ),
        (
            {"name": "RN50", "size": "[256, 256]", "epochs": 60, "batch": 256, "smooth": "off"},
            "VehicleID",
            "clip-reid/vehicleid-cnn",
            "vehicleid:/d/VehicleID_V1.0",
        ),
    ],
)
def test_published_settings_are_our_recipes(tmp_path, given, name, recipe, data):
    found = import_config(config(tmp_path, **given), on(name))
    assert (found.recipe, dict(found.settings), found.data) == (recipe, {}, data)
    assert found.command() == f"promptreid train {recipe} --data '{data}' --seed 1234".replace(
        "'", "'" if "?" in data else ""
    )
    assert not found.changed


def test_side_information_and_small_strides(tmp_path):
    changes = ("MODEL.SIE_CAMERA", "True", "MODEL.STRIDE_SIZE", "[12, 12]")
    found = import_config(config(tmp_path), (*on("msmt17"), *changes, "MODEL.SIE_COE", "1.0"))
    assert (found.recipe, found.overrides) == ("clip-reid-sie-olp", ())
    found = import_config(config(tmp_path), (*on("msmt17"), *changes))
    assert found.overrides == ("sie.coefficient=3.0",)
    views = ("MODEL.SIE_VIEW", "True")
    found = import_config(
        config(tmp_path, size="[256, 256]", epochs=60), (*on("veri"), *changes, *views)
    )
    assert found.data == "veri776:/d/VeRi"
    assert found.load().sie.view


def test_the_baseline_has_no_prompts(tmp_path):
    found = import_config(config(tmp_path, stages=False), on("market1501"))
    recipe = found.load()
    assert found.recipe == "clip-reid"
    assert (recipe.stage_mode, recipe.prompt.kind) == ("image_only", "none")
    losses = recipe.stages[-1].losses
    assert (losses.id.weight, losses.triplet.weight) == (1, 1)
    assert losses.i2t is None or losses.i2t.weight == 0


def test_what_a_file_leaves_out_has_the_originals_defaults(tmp_path):
    file = config(tmp_path)
    text = file.read_text().replace(", MAX_EPOCHS: 60", "").replace("GAMMA: 0.1", "MOMENTUM: 0.8")
    file.write_text(text)
    found = import_config(file, (*on("dukemtmc"), "SOLVER.STAGE2.OPTIMIZER_NAME", "SGD"))
    assert dict(found.settings) == {
        "stages.image.epochs": 100,
        "stages.image.optimizer.name": "sgd",
        "stages.image.optimizer.momentum": 0.8,
    }
    soft = import_config(config(tmp_path), (*on("dukemtmc"), "MODEL.NO_MARGIN", "True"))
    assert soft.load().stages[-1].losses.triplet.margin is None


def test_every_key_is_told_once(tmp_path):
    found = import_config(config(tmp_path), (*on("market1501"), "MODEL.DEVICE_ID", "('3')"))
    told = [note.key for note in (*found.exact, *found.changed, *found.dropped)]
    assert len(told) == len(set(told))
    assert {"MODEL.NAME", "SOLVER.STAGE2.STEPS", "TEST.EVAL", "MODEL.DEVICE_ID"} < set(told)
    assert all(note.became for note in found.exact)
    assert all(note.reason for note in found.dropped)


def test_a_recipe_file_says_the_same(tmp_path):
    found = import_config(config(tmp_path, stages=False), ("INPUT.PIXEL_MEAN", "[0.4, 0.5, 0.6]"))
    file = tmp_path / "mine.yaml"
    file.write_text(found.recipe_text())
    ours, theirs = load_recipe(str(file)), found.load()
    same = {"name", "description", "source"}
    assert ours.model_dump(exclude=same) == theirs.model_dump(exclude=same)
    assert ours.preprocess.normalize.mean == (0.4, 0.5, 0.6)
    assert found.data is None
    assert "--data SPEC" in found.command(str(file))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (("MODEL.METRIC_LOSS_TYPE", "triplet_center"), "METRIC_LOSS_TYPE is 'triplet_center'"),
        (("SOLVER.STAGE2.WEIGHT_DECAY_BIAS", "0"), "biases decay as weights do"),
        (("INPUT.SIZE_TEST", "[384, 128]"), "images have one size"),
        (("DATALOADER.SAMPLER", "softmax"), "must be softmax_triplet"),
        (("DATALOADER.NUM_INSTANCE", "5"), "whole number of identities"),
        (("MODEL.DIST_TRAIN", "True"), "exchange no gradients"),
        (("MODEL.STRIDE_SIZE", "[16, 12]"), "both numbers equal"),
        (("MODEL.NAME", "resnet50"), "must be ViT-B-16 or RN50"),
        (("SOLVER.STAGE2.LARGE_FC_LR", "True"), "LARGE_FC_LR"),
        (("SOLVER.STAGE1.OPTIMIZER_NAME", "Lion"), "Adam, AdamW or SGD"),
        (("MODEL.SIE_CAM", "True"), "Did you mean 'MODEL.SIE_CAMERA'"),
        (
            ("MODEL.PROMPTSG.HEADS", "8", "MODEL.PROMPTSG.LAYERS", "2"),
            "- MODEL.PROMPTSG, with 2 keys, is no section of the original.\n",
        ),
        (("SOLVER.STAG1.BASE_LR", "1"), "Did you mean 'SOLVER.STAGE1'"),
        (("DATASETS.NAMES", "viper"), "the original knows market1501"),
        (("MODEL.SIE_VIEW", "True", *on("occ_duke")), "occ_duke has no views"),
        (("MODEL.SIE_CAMERA", "True", *on("VehicleID")), "names no cameras"),
        (("MODEL.NAME",), "has no value"),
    ],
)
def test_what_has_no_equal_is_refused(tmp_path, changes, words):
    with pytest.raises(ConfigError, match=r".") as caught:
        import_config(config(tmp_path), changes)
    assert words in f"{caught.value}\n"


def test_all_that_has_no_equal_is_named_at_once(tmp_path):
    changes = ("MODEL.DIST_TRAIN", "True", "DATALOADER.SAMPLER", "softmax", "X.Y", "1")
    with pytest.raises(ConfigError) as caught:
        import_config(config(tmp_path), changes)
    assert str(caught.value).count("\n- ") == 3


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a: 1\n", "no configuration that is known"),
        ("MODEL: {JPM: True}\n", "TransReID"),
        ("_BASE_: x.yml\n", "FastReID"),
        ("{model_cfg: {embed_dim: 512}, preprocess_cfg: {}}", "backbone.pretrained=FOLDER"),
        (
            "{architectures: [CLIPModel], vision_config: {patch_size: 16}}",
            "backbone.pretrained=FOLDER",
        ),
        ("- 1\n", "holds no keys"),
        ("a: !!python/object:os.system x\n", "not YAML that can be taken over"),
        ("a: [\n", "not YAML"),
    ],
)
def test_other_files_are_refused_in_words(tmp_path, text, words):
    file = tmp_path / "old.yml"
    file.write_text(text)
    with pytest.raises(ConfigError, match=words):
        import_config(file)
    with pytest.raises(ConfigError, match="cannot be read"):
        import_config(tmp_path / "missing.yml")


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("SOLVER.STAGE2.BASE_LR", "fast"),
        ("SOLVER.STAGE2.STEPS", "30"),
        ("SOLVER.STAGE2.OPTIMIZER_NAME", "[1]"),
        ("SOLVER.SEED", "abc"),
        ("INPUT.PROB", "None"),
        ("MODEL.NAME", "['ViT-B-16']"),
        ("MODEL.STRIDE_SIZE", "[[16], 16]"),
        ("DATASETS.NAMES", "('market1501',)"),
        ("DATASETS.NAMES", "{[]: 1}"),
    ],
)
def test_a_value_of_another_kind_is_refused_with_its_key(tmp_path, key, value):
    with pytest.raises(ConfigError, match=f"{key} is "):
        import_config(config(tmp_path), [key, value])
