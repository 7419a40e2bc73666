import json
import stat
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from small_heads import small_head
from small_models import (
    INFO,
    RESNET,
    VIT,
    small_architecture,
    small_backbone,
    take_over,
    tower_widths,
)
from small_prompts import identity_prompt
from small_tokenizer import write_tokenizer

from promptreid.config.model import (
    EmbeddingConfig,
    LoraConfig,
    MlpConfig,
    PartsConfig,
    ReductionConfig,
)
from promptreid.config.recipes import load_recipe
from promptreid.errors import RunError, WeightsError
from promptreid.models.checkpoint import (
    SavedTraining,
    load_model,
    load_training,
    read_info,
    save_model,
)
from promptreid.models.prompts.context_positions import encode_sentences
from promptreid.models.reid import ReIDModel
from promptreid.models.sie import SideInformation
from promptreid.models.towers import backbone as backbone_module
from promptreid.models.towers.backbone import build_backbone
from promptreid.models.tuning.tuning import attach_tuning
from promptreid.models.weights.tokenizers import find_tokenizer
from promptreid.tensors import read_tensors, write_tensors


def build(vision=VIT, **options):
    backbone = small_backbone(vision)
    backbone.image.fit((96, 48), None if vision is RESNET else 12)
    width = backbone.image.widths[1]
    return ReIDModel(
        backbone,
        prompt=identity_prompt(backbone, 4, template="a {context} hand"),
        head=small_head(tower_widths(backbone.image), 4),
        sie=None if vision is RESNET else SideInformation(cameras=2, views=3, width=width),
        embedding=EmbeddingConfig(features=("final",), neck="after"),
        **options,
    ).eval()


@pytest.fixture(scope="module")
def model():
    return build()


@pytest.fixture
def saved(model, tmp_path):
    path = tmp_path / "a folder" / "last.safetensors"
    training = SavedTraining({"optimizer/x/step": torch.tensor(3.0)}, {"epoch": 7})
    save_model(path, model, INFO.updated(classes=("é",)), training=training)
    return path


@torch.no_grad()
@pytest.mark.parametrize("vision", [VIT, RESNET], ids=["vit", "resnet"])
def test_a_loaded_model_computes_the_same_bits(vision, tmp_path, monkeypatch):
    model = build(vision).train()
    features = model.features(torch.randn(4, 3, 96, 48), torch.tensor([0, 1, 0, 1]))
    model.head.neck(model.derived(features))  # moves running statistics
    model.eval()
    path = tmp_path / "model.safetensors"
    save_model(path, model, INFO)
    monkeypatch.setattr(backbone_module, "find_weights", None)  # nothing is fetched
    other, _ = load_model(path)
    assert not other.training
    assert {n: p.requires_grad for n, p in other.named_parameters()} == {
        n: p.requires_grad for n, p in model.named_parameters()
    }
    images, cameras = torch.randn(3, 3, 96, 48), torch.tensor([0, 1, -1])
    assert torch.equal(other.embed(images, cameras), model.embed(images, cameras))
    assert torch.equal(other.prompt.bank(), model.prompt.bank())
    for each in (model, other):
        each.sentence = encode_sentences(each.backbone.text, each.backbone.tokenizer, ["a hand"])
    assert torch.equal(other.sentence, model.sentence)
    assert other.describe() == model.describe()


@torch.no_grad()
@pytest.mark.parametrize("kind", ["pcb", "mgn"])
@pytest.mark.parametrize("vision", [VIT, RESNET], ids=["vit", "resnet"])
def test_branches_and_small_additions_come_back(vision, kind, tmp_path):
    backbone = small_backbone(vision)
    backbone.image.fit((96, 48), None)
    widths = tower_widths(backbone.image)
    attach_tuning(backbone.image, lora=LoraConfig(rank=2))
    head = small_head(
        widths,
        4,
        features=("reduced", "part2"),
        classifiers=("linear", "arcface"),
        mlp=MlpConfig(),
        reduction=ReductionConfig(),
        parts=PartsConfig(kind=kind, stripes=3, width=8),
        tower=backbone.image,
    )
    features = ("mlp", "reduced", "part1", "part3")
    model = ReIDModel(backbone, head=head, embedding=EmbeddingConfig(features=features)).eval()
    for parameter in model.parameters():
        parameter.add_(0.01 * torch.randn_like(parameter))
    save_model(tmp_path / "model.safetensors", model, INFO)
    other, _ = load_model(tmp_path / "model.safetensors")
    images = torch.randn(2, 3, 96, 48)
    assert torch.equal(other.embed(images), model.embed(images))
    assert other.describe() == model.describe()


def test_loaded_tensors_are_aligned(saved):
    # Unaligned weights give other last bits, and a resumed run would leave its path.
    model, _ = load_model(saved)
    tensors = [*model.state_dict().values(), *load_training(saved).tensors.values()]
    assert all(tensor.data_ptr() % 64 == 0 for tensor in tensors)


def test_the_file_is_one_plain_safetensors(saved, model):
    assert [entry.name for entry in saved.parent.iterdir()] == [saved.name]
    assert set(load_file(saved)) == set(model.state_dict()) | {"training/optimizer/x/step"}


def test_info_and_training_state_come_back(saved):
    assert read_info(saved) == INFO.updated(classes=("é",))
    training = load_training(saved)
    assert training.values == {"epoch": 7}
    assert {name: t.item() for name, t in training.tensors.items()} == {"optimizer/x/step": 3.0}


def test_a_model_without_training_state_says_so(model, tmp_path):
    path = tmp_path / "best.safetensors"
    save_model(path, model, INFO)
    with pytest.raises(RunError, match="no training state"):
        load_training(path)


def test_tiny_and_timm_backbones_come_back(tmp_path):
    timm = small_architecture(
        {
            "timm_model_name": "test_vit3",
            "timm_pool": "map",
            "timm_proj": "none",
            "image_size": 160,
        },
        embed_dim=96,
        custom_text=True,
        init_logit_bias=-10,
    )
    for backbone in (build_backbone("tiny", pretrained="none"), take_over(timm, timm.build())):
        backbone.image.fit((96, 48), 12)
        model = ReIDModel(backbone).eval()
        save_model(tmp_path / "model.safetensors", model, INFO)
        other, _ = load_model(tmp_path / "model.safetensors")
        images = torch.randn(2, 3, 96, 48)
        with torch.no_grad():
            assert torch.equal(other.embed(images), model.embed(images))


def test_a_tokenizer_travels_in_the_file(tmp_path):
    pytest.importorskip("tokenizers")
    backbone = small_backbone()
    text = {"context_length": 77, "tokenizer_kwargs": {"clean": "canonicalize"}}
    architecture = small_architecture(text=text)
    folder = write_tokenizer(tmp_path / "tokenizer")
    backbone.tokenizer = find_tokenizer(architecture, folder)
    path = tmp_path / "model.safetensors"
    save_model(path, ReIDModel(backbone), INFO)
    (folder / "tokenizer.json").unlink()
    tokenizer = load_model(path)[0].backbone.tokenizer
    assert tokenizer(["A left hand."])[0, :5].tolist() == [2, 9, 6, 1, 1]


def rewrite(path, change):
    tensors, texts = read_tensors(path)
    record = json.loads(texts["promptreid"])
    change(tensors, record)
    write_tensors(path, tensors, {"promptreid": json.dumps(record)})


def test_weights_that_do_not_fit_are_listed(saved):
    def change(tensors, record):
        del tensors["sie.embed"]
        tensors["stranger"] = torch.zeros(1)
        tensors["prompt.tokens"] = torch.zeros(4, 4, 3)

    rewrite(saved, change)
    with pytest.raises(WeightsError) as caught:
        load_model(saved)
    assert "1 missing: sie.embed" in str(caught.value)
    assert "1 not part of the model: stranger" in str(caught.value)
    assert "prompt.tokens (4x4x3 in the file, 4x4x128 in the model)" in str(caught.value)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda tensors, record: record.update(format=99), "format 99"),
        (lambda tensors, record: record.pop("model"), "without a description"),
        (lambda tensors, record: record["model"].pop("sie"), "description of the model"),
        (lambda tensors, record: record["model"]["head"].pop("shape"), "description of the"),
    ],
)
def test_damaged_descriptions_are_refused(saved, change, words):
    rewrite(saved, change)
    with pytest.raises(WeightsError, match=words):
        load_model(saved)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda info: info.pop("preprocess"), "preprocess: field required"),
        (
            lambda info: info["preprocess"].update(image_size=[64, "x"]),
            r"preprocess.*valid integer",
        ),
        (lambda info: info["preprocess"].update(image_size=[64, 0]), r"\(64, 0\).*positive"),
        (lambda info: info.update(seed="0"), "seed: input should be a valid integer"),
        (lambda info: info.update(classes="abc"), "classes: input should be a valid tuple"),
        (lambda info: info.update(camera_values=[["a", 1]]), "camera_values"),
        (lambda info: info.update(recipe={"name": 3, "stages": 3}), "recipe"),
        (lambda info: info.update(best={"score": 1.0}), "chosen_at: field required"),
        (lambda info: info.update(colour="red"), "colour: extra inputs"),
    ],
)
def test_a_field_that_is_missing_or_mistyped_is_told(saved, change, words):
    rewrite(saved, lambda tensors, record: change(record["info"]))
    for read in (load_model, read_info):
        with pytest.raises(WeightsError, match=words):
            read(saved)


def test_equal_content_gives_equal_bytes(model, tmp_path):
    recipe = load_recipe("clip-reid/hand")
    info = INFO.updated(recipe=recipe, camera_values=(("a", "0"), ("b", "1")), seed=3)
    first, again = tmp_path / "first.safetensors", tmp_path / "again.safetensors"
    save_model(first, model, info)
    loaded, read = load_model(first)
    assert read == info
    save_model(again, loaded, read)
    assert first.read_bytes() == again.read_bytes()


def test_other_files_are_refused(tmp_path):
    path = tmp_path / "model.safetensors"
    with pytest.raises(WeightsError, match="no checkpoint at"):
        load_model(path)
    path.write_bytes(b"nonsense")
    with pytest.raises(WeightsError, match="not a readable checkpoint"):
        load_model(path)
    save_file({"a": torch.zeros(2)}, path)
    with pytest.raises(WeightsError, match=r"`backbone\.pretrained`"):
        load_model(path)


def test_a_cut_file_is_refused(saved):
    saved.write_bytes(saved.read_bytes()[:-100])
    with pytest.raises(WeightsError, match="not a readable checkpoint"):
        load_model(saved)


def test_a_failed_write_leaves_the_old_file(saved, model, monkeypatch):
    before = saved.read_bytes()

    def full(*arguments, **options):
        Path(arguments[1]).write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("promptreid.tensors.save_file", full)
    with pytest.raises(RunError, match="No space left"):
        save_model(saved, model, INFO)
    assert saved.read_bytes() == before
    assert [entry.name for entry in saved.parent.iterdir()] == [saved.name]


def test_a_file_in_the_way_of_the_folder_is_said(model, tmp_path):
    (tmp_path / "run").write_text("")
    with pytest.raises(RunError, match="cannot be written"):
        save_model(tmp_path / "run" / "last.safetensors", model, INFO)


def test_new_files_are_readable_by_others(saved, tmp_path):
    (tmp_path / "plain").write_text("")
    assert stat.S_IMODE(saved.stat().st_mode) == stat.S_IMODE((tmp_path / "plain").stat().st_mode)
