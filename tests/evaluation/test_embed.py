from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

sys.path.insert(0, str(Path(__file__).parents[1] / "support"))
from small_models import small_backbone

from promptreid.data.manifest import Manifest, Sample
from promptreid.data.preprocess import Preprocess
from promptreid.embedder import Embedder
from promptreid.evaluation.embed import embed_images, embed_manifest
from promptreid.models.reid import ReIDModel
from promptreid.models.sie import SideInformation

SIZE = (64, 32)
PREPROCESS = Preprocess(image_size=SIZE)
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


def embed(model, manifest, metadata=None, **options):
    cpu = torch.device("cpu")
    found = embed_manifest(
        model, manifest, PREPROCESS, metadata=metadata or {}, device=cpu, **options
    )
    return found.vectors


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
    embedder = Embedder(model, PREPROCESS, {})
    assert torch.allclose(
        embed(model, manifest, flip=True, batch_size=2), embedder.embed(paths, flip=True), atol=1e-5
    )
    assert torch.allclose(embed(model, manifest), embedder.embed(paths), atol=1e-5)


def test_an_attribute_in_place_of_the_view(model, manifest):
    metadata = {
        "view_values": ["dorsal left", "palmar left"],
        "recipe": {"sie": {"attribute": "aspect"}},
    }
    found = embed(model, manifest, metadata)
    embedder = Embedder(model, PREPROCESS, metadata)
    paths = [manifest.path(row) for row in range(len(manifest))]
    assert torch.allclose(found, embedder.embed(paths, views=ASPECTS), atol=1e-5)
    unknown = embedder.embed(paths)
    same = [torch.allclose(a, b, atol=1e-5) for a, b in zip(found, unknown, strict=True)]
    assert same == [False, True, False, True, False]


def test_data_without_the_attribute_has_unknown_views(model, manifest):
    metadata = {"view_values": ["left", "right"], "recipe": {"sie": {"attribute": "side"}}}
    assert torch.equal(embed(model, manifest, metadata), embed(model, manifest))
