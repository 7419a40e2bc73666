"""Files in the layout of published CLIP-ReID: the names, the content, and what they cannot hold."""

from dataclasses import replace

import pytest
import torch
from exported_models import info_of
from facts import lacking
from published import published_name as independent_name
from small_heads import small_head
from small_models import RESNET, TEXT, VIT, small_architecture, take_over, tower_widths
from small_prompts import identity_prompt, image_prompt
from torch.nn import functional as F

import promptreid
from promptreid.config.model import EmbeddingConfig, LoraConfig, PartsConfig, VisualPromptConfig
from promptreid.data.images.preprocess import IMAGENET_MEAN, IMAGENET_STD, Preprocess
from promptreid.errors import ConfigError, ModelError
from promptreid.inference.embedder import Embedder
from promptreid.inference.exporting.clip_reid_file import published_name
from promptreid.inference.published.published_file import read_published
from promptreid.models.reid import ReIDModel
from promptreid.models.sie import SideInformation
from promptreid.models.tuning.tuning import attach_tuning

SIZE = (256, 128)


def small(name="ViT-B-16", vision=VIT, *, size=SIZE, **options):
    """A backbone of a published name, but small."""
    smaller = {"layers": 2, "width": 64, "patch_size": 32} if vision is VIT else {"layers": [1] * 4}
    architecture = small_architecture(vision | smaller, text=TEXT | {"layers": 1}, **options)
    backbone = take_over(architecture, replace(architecture, name=name).build(seed=1))
    backbone.architecture = replace(architecture, name=name)
    backbone.image.fit(size, None)
    return backbone


def build(name="ViT-B-16", vision=VIT, *, sie=None, prompt=True, head=None, neck="before", **more):
    backbone = small(name, vision, **more)
    if sie is not None:
        sie = SideInformation(width=backbone.image.widths[1], **sie)
    widths = tower_widths(backbone.image)
    head = small_head(widths, 7, tower=backbone.image, **(head or {}))
    for norm in head.necks.values():
        norm.running_mean.normal_(generator=torch.Generator().manual_seed(4))
    words = identity_prompt(backbone, 7) if prompt is True else prompt
    words = words(backbone) if callable(words) and not isinstance(words, torch.nn.Module) else words
    embedding = EmbeddingConfig(features=("final", "projected"), neck=neck)
    return ReIDModel(backbone, prompt=words or None, head=head, sie=sie, embedding=embedding).eval()


def embedder_of(model, **preprocess):
    image = model.backbone.image
    usual = {"mean": IMAGENET_MEAN, "std": IMAGENET_STD} if image.imagenet_pixels else {}
    info = info_of(model).updated(preprocess=Preprocess(image.image_size, **(usual | preprocess)))
    return Embedder(model, info)


def images(count=3, size=SIZE):
    return torch.randn(count, 3, *size, generator=torch.Generator().manual_seed(0))


def test_names_are_those_of_the_published_code():
    model = build(sie={"cameras": 2})
    for name in model.state_dict():
        assert published_name(name) == independent_name(name), name


@torch.no_grad()
@pytest.mark.parametrize(("name", "vision"), [("ViT-B-16", VIT), ("RN50", RESNET)])
def test_what_is_written_is_read_back_exactly(name, vision, tmp_path):
    model = build(name, vision)
    result = embedder_of(model).export(tmp_path / "mine.pth", check=2)
    assert (result.format, result.check.difference, result.check.images) == ("clip-reid", 0, 3)
    loaded, info = read_published(tmp_path / "mine.pth")
    assert torch.equal(loaded.embed(images()), model.embed(images()))
    assert torch.equal(loaded.prompt.bank(), model.prompt.bank())
    assert info.preprocess.image_size == SIZE
    tensors = torch.load(tmp_path / "mine.pth", weights_only=True)
    written = {independent_name(key) for key in model.state_dict()} - {None}
    assert set(tensors) == written
    assert tensors["classifier.weight"].shape == (7, model.widths["final"])
    assert tensors["prompt_learner.token_prefix"].shape[0] == 1
    assert any("person" in note for note in result.notes)


@torch.no_grad()
def test_cameras_and_views_keep_their_table(tmp_path):
    model = build(sie={"cameras": 3, "views": 2, "coefficient": 3.0})
    result = embedder_of(model).export(tmp_path / "mine.pth", check=0)
    assert any(
        not lacking(note, "SIE_COE", "3", "cameras (3)", "views (2)") for note in result.notes
    )
    loaded = promptreid.load(tmp_path / "mine.pth", device="cpu", views=2, coefficient=3.0).model
    cameras, views = torch.tensor([2, 0, -1]), torch.tensor([1, -1, 0])
    assert torch.equal(
        loaded.embed(images(), cameras, views), model.embed(images(), cameras, views)
    )
    with pytest.raises(ModelError, match="--camera"):
        embedder_of(model).export(tmp_path / "other.pth", camera="c1")


@torch.no_grad()
def test_low_rank_updates_are_folded_in(tmp_path):
    model = build(prompt=False)
    attach_tuning(model.backbone.image, lora=LoraConfig(rank=2))
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "lora" in name or "original" in name:
                parameter.add_(0.05 * torch.randn(parameter.shape))
    before = model.embed(images())
    embedder_of(model).export(tmp_path / "mine.pth")
    loaded, _ = read_published(tmp_path / "mine.pth")
    torch.testing.assert_close(loaded.embed(images()), before, atol=1e-5, rtol=0)
    assert torch.equal(model.embed(images()), before)


def boxmot_vector(tensors, reference):
    """Compute what BoxMOT does: features after both bottlenecks, without cameras, to length 1."""
    tower = reference.backbone.image
    prefix = "image_encoder."
    tower.load_state_dict({k.removeprefix(prefix): v for k, v in tensors.items() if prefix in k})
    features = tower(images())
    parts = []
    for neck, feature in (("bottleneck", features.final), ("bottleneck_proj", features.projected)):
        norm = torch.nn.BatchNorm1d(feature.shape[1]).eval()
        state = {
            k.removeprefix(f"{neck}."): v for k, v in tensors.items() if k.startswith(f"{neck}.")
        }
        norm.load_state_dict(state)
        parts.append(norm(feature))
    return F.normalize(torch.cat(parts, dim=1), dim=1)


@torch.no_grad()
@pytest.mark.parametrize("neck", ["before", "after"])
@pytest.mark.parametrize(("camera", "row"), [("mean", -1), ("c1", 1)])
def test_boxmot_gets_the_same_vectors_without_cameras(neck, camera, row, tmp_path, monkeypatch):
    model = build(sie={"cameras": 3, "coefficient": 2.0}, neck=neck)
    model.backbone.image.stride = model.backbone.image.patch
    path = tmp_path / "clip_mine.pt"
    embedder_of(model).export(path, consumer="boxmot", camera=camera)
    tensors = torch.load(path, weights_only=True)
    assert not any(key.startswith(("text_", "prompt_", "classifier", "cv_")) for key in tensors)
    found = boxmot_vector(tensors, build())
    wanted = model.embed(images(), torch.full((3,), row))
    torch.testing.assert_close(found, wanted, atol=1e-6, rtol=0)


@pytest.mark.parametrize(
    ("name", "model", "facts"),
    [
        ("mine_clip.pt", lambda: build(), ["clip_NAME.pt", "mine_clip.pt"]),
        ("clip_veri.pt", lambda: build(), ["256x256", "256x128"]),
        ("clip_a.pt", lambda: build(size=(256, 256)), ["256x128", "256x256", "veri"]),
        ("clip_a.pt", lambda: build("RN50", RESNET), ["ViT-B-16", "RN50"]),
    ],
)
def test_boxmot_would_read_other_files_as_something_else(name, model, facts, tmp_path):
    with pytest.raises(ModelError) as caught:
        embedder_of(model()).export(tmp_path / name, consumer="boxmot")
    assert not lacking(str(caught.value), *facts)
    assert not list(tmp_path.iterdir())


def test_a_neck_or_sentence_that_is_not_there_is_refused(tmp_path):
    model = build()
    model.head = None
    for options in ({"neck": "after"}, {"prompt": "simplified"}):
        with pytest.raises(ConfigError):
            embedder_of(model).export(tmp_path / "clip_a.pt", consumer="boxmot", **options)


def with_prompt_tokens():
    model = build()
    attach_tuning(model.backbone.image, visual_prompt=VisualPromptConfig(tokens=2))
    return model


REFUSED = {
    "another backbone": (lambda: build("ViT-B-32"), {}, "ViT-B-32"),
    "another activation": (lambda: build(quick_gelu=False), {}, "quick_gelu"),
    "prompt tokens": (with_prompt_tokens, {}, "tuning.visual_prompt"),
    "image prompt": (lambda: build(prompt=image_prompt), {}, "sentence of each image"),
    "six context tokens": (
        lambda: build(prompt=lambda b: identity_prompt(b, 7, context_tokens=6)), {}, "not 6",
    ),
    "a longer sentence": (
        lambda: build(
            prompt=lambda b: identity_prompt(b, 7, template=("A {context} man seen here.",))
        ),
        {}, "noun",
    ),
    "an ensemble": (
        lambda: build(prompt=lambda b: identity_prompt(b, 7, ensemble=2)), {}, "ensembles",
    ),
    "stripes": (
        lambda: build(head={"parts": PartsConfig(stripes=2, width=8), "features": ("final",)}),
        {}, "head.parts",
    ),
    "margins": (lambda: build(head={"classifiers": ("arcface",)}), {}, "arcface"),
    "after the neck": (lambda: build(neck="after"), {}, "--neck before"),
    "other pixels": (build, {"mean": (0.1, 0.2, 0.3)}, "0.1"),
    "bicubic": (build, {"test_interpolation": "bicubic"}, "bilinear"),
}  # fmt: skip


@pytest.mark.parametrize(("model", "preprocess", "fact"), REFUSED.values(), ids=REFUSED)
def test_what_the_layout_cannot_hold_is_refused(model, preprocess, fact, tmp_path):
    with pytest.raises(ModelError) as caught:
        embedder_of(model(), **preprocess).export(tmp_path / "mine.pth")
    assert fact in str(caught.value)
    assert not list(tmp_path.iterdir())


def test_all_reasons_are_said_at_once(tmp_path):
    model = build("ViT-B-32", quick_gelu=False)
    with pytest.raises(ModelError) as caught:
        embedder_of(model).export(tmp_path / "mine.pth", half=True)
    assert not lacking(str(caught.value), "ViT-B-32", "quick_gelu", "--half")
    with pytest.raises(ConfigError):
        embedder_of(model).export(tmp_path / "mine.onnx", to="clip-reid")
