from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image
from small_models import small_backbone
from small_prompts import image_prompt

from promptreid.config.model import EmbeddingConfig
from promptreid.config.recipes import load_recipe
from promptreid.data.images.preprocess import Preprocess
from promptreid.data.manifest.manifest import Manifest, Sample
from promptreid.errors import ConfigError, DataError
from promptreid.inference.embed import embed_manifest, open_images
from promptreid.inference.embedder import Embedder
from promptreid.inference.embedding_loop import embed_images
from promptreid.models.checkpoint_info import CheckpointInfo
from promptreid.models.prompts.sentences import SentenceFields
from promptreid.models.reid import ReIDModel
from promptreid.models.sie import SideInformation

SIZE = (64, 32)
PREPROCESS = Preprocess(image_size=SIZE)
INFO = CheckpointInfo(preprocess=PREPROCESS)
ASPECTS = ("dorsal left", "", "palmar left", "back", "dorsal left")


@pytest.fixture(scope="module")
def model():
    backbone = small_backbone()
    backbone.image.fit(SIZE, 16)
    side = SideInformation(cameras=0, views=2, width=128, coefficient=2.0)
    return ReIDModel(backbone, sie=side).eval()


@pytest.fixture(scope="module")
def manifest(tmp_path_factory):
    root = tmp_path_factory.mktemp("images")
    samples = []
    for number, aspect in enumerate(ASPECTS):
        pixels = np.random.default_rng(number).integers(0, 256, (*SIZE, 3), np.uint8)
        Image.fromarray(pixels).save(root / f"{number}.png")
        attributes = {"aspect": aspect}
        samples.append(Sample(f"{number}.png", str(number), "test", attributes=attributes))
    return Manifest.of("hands", root, samples)


def embed(model, manifest, info=INFO, **options):
    return embed_manifest(Embedder(model, info), manifest, **options).vectors


def test_flip_gives_an_image_and_its_mirror_image_one_vector(model):
    images = torch.randn(3, 3, *SIZE, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        found = embed_images(model, images, flip=True)
        mirrored = embed_images(model, images.flip(3), flip=True)
        one, other = model.embed(images), model.embed(images.flip(3))
        plain = embed_images(model, images)
    assert torch.allclose(found, mirrored, atol=1e-6)
    assert torch.equal(plain, one)
    mean = (one + other) / 2
    assert torch.allclose(found, mean / mean.norm(dim=1, keepdim=True), atol=1e-6)
    assert not torch.allclose(found, plain, atol=1e-3)


def test_flip_of_a_manifest_is_that_of_an_embedder(model, manifest):
    paths = [manifest.path(row) for row in range(len(manifest))]
    embedder = Embedder(model, INFO)
    assert torch.allclose(
        embed(model, manifest, flip=True, batch_size=2), embedder.embed(paths, flip=True), atol=1e-5
    )
    assert torch.allclose(embed(model, manifest), embedder.embed(paths), atol=1e-5)


def test_an_attribute_in_place_of_the_view(model, manifest):
    info = INFO.updated(
        view_values=("dorsal left", "palmar left"),
        recipe=load_recipe("clip-reid", ["sie.attribute=aspect"]),
    )
    found = embed(model, manifest, info)
    embedder = Embedder(model, info)
    paths = [manifest.path(row) for row in range(len(manifest))]
    assert torch.allclose(found, embedder.embed(paths, views=ASPECTS), atol=1e-5)
    unknown = embedder.embed(paths)
    same = [torch.allclose(a, b, atol=1e-5) for a, b in zip(found, unknown, strict=True)]
    assert same == [False, True, False, True, False]


def test_data_without_the_attribute_has_unknown_views(model, manifest):
    info = INFO.updated(
        view_values=("left", "right"), recipe=load_recipe("clip-reid", ["sie.attribute=side"])
    )
    assert torch.equal(embed(model, manifest, info), embed(model, manifest))


def with_sentences(*aspects):
    backbone = small_backbone()
    backbone.image.fit(SIZE, 16)
    prompt = image_prompt(
        backbone,
        template="The {aspect} side of a {context} hand",
        fields=SentenceFields(variants=tuple({"aspect": aspect} for aspect in aspects)),
    )
    return ReIDModel(backbone, prompt=prompt, embedding=EmbeddingConfig(features=("text",))).eval()


@pytest.mark.parametrize("kind", ["composed", "simplified", None])
def test_images_are_read_with_the_sentence_of_their_own_attribute(manifest, kind):
    known = manifest.select([0, 2, 3, 4])
    model = with_sentences("back", "dorsal left", "palmar left")
    found = embed(model, known, batch_size=3, prompt=kind)
    paths = [known.path(row) for row in range(4)]
    embedder = Embedder(model, INFO)
    aspects = known.attributes["aspect"]
    assert torch.allclose(
        found, embedder.embed(paths, attributes={"aspect": aspects}, prompt=kind), atol=1e-5
    )
    for row, aspect in enumerate(aspects):
        for other in ("back", "dorsal left", "palmar left"):
            one = embedder.embed(paths[row], attributes={"aspect": [other]}, prompt=kind)[0]
            assert torch.allclose(found[row], one, atol=1e-5) is (other == aspect)
    assert not torch.allclose(embedder.embed(paths, prompt=kind), found, atol=1e-3)


def test_an_attribute_that_no_sentence_was_built_for_is_said(manifest):
    model = with_sentences("back", "dorsal left")
    with pytest.raises(DataError, match=r"no sentence with \{'aspect': 'palmar left'\}"):
        embed(model, manifest.select([0, 2, 3]))
    embedder = Embedder(model, INFO)
    image = manifest.path(0)
    with pytest.raises(DataError, match="a list of as many"):
        embedder.embed(image, attributes={"aspect": "back"})
    with pytest.raises(DataError, match=r"names \['aspect'\]"):
        embedder.embed(image, attributes={"side": ["left"]})


def test_kinds_of_sentences_are_of_image_prompts(model, manifest):
    with pytest.raises(ConfigError, match="Composed sentences are those of an image prompt"):
        embed(model, manifest, prompt="composed")


def test_images_opened_once_serve_several_passes(model, manifest, monkeypatch):
    expected = embed(model, manifest)
    store = open_images(manifest, PREPROCESS)
    assert torch.equal(embed(model, manifest, store=store), expected)
    monkeypatch.setattr("promptreid.data.images.shared_pictures.read_image", None)
    assert torch.equal(embed(model, manifest, store=store), expected)
    with pytest.raises(ValueError, match="5 opened images for 2 rows"):
        embed(model, manifest.select([0, 1]), store=store)
