"""Words that are exchanged between images: who gets whose, and that nothing else changes."""

import numpy as np
import pytest
import torch
from PIL import Image
from small_models import small_backbone
from small_prompts import image_prompt
from torch.nn import functional as F

from promptreid.config.model import EmbeddingConfig, InteractionConfig
from promptreid.data.images.preprocess import Preprocess
from promptreid.data.images.transforms import normalize
from promptreid.data.manifest.manifest import Manifest, Sample
from promptreid.errors import EvaluationError
from promptreid.inference.embed import embed_manifest, open_images
from promptreid.inference.embedder import Embedder
from promptreid.inference.text_controls import word_embed
from promptreid.inference.text_controls.word_embed import check_words, draw_derangement, embed_words
from promptreid.models.checkpoint_info import CheckpointInfo
from promptreid.models.interaction import Interaction
from promptreid.models.prompts.sentences import SentenceFields
from promptreid.models.reid import ReIDModel

SIZE = (32, 32)
PREPROCESS = Preprocess(image_size=SIZE)
INFO = CheckpointInfo(preprocess=PREPROCESS)
CPU = torch.device("cpu")
ASPECTS = ("dorsal", "palmar", "palmar", "dorsal", "palmar", "dorsal", "palmar")
BY_ASPECT = "A photo of the {aspect} side of a {context} hand."


def draw(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def build(embedding=("final", "fused"), *, named=True):
    """A model whose fused feature depends on the word as after some training."""
    backbone = small_backbone()
    backbone.image.fit(SIZE, 16)
    fields = SentenceFields(variants=({"aspect": "dorsal"}, {"aspect": "palmar"}))
    words = image_prompt(
        backbone,
        hidden=32,
        **({"template": BY_ASPECT, "fields": fields} if named else {}),
    )
    interaction = Interaction(
        InteractionConfig(mode="single", residual=True), backbone.text.embed_dim
    )
    with torch.no_grad():
        words.inversion.norm.running_var.fill_(1e-3)
    return ReIDModel(
        backbone,
        prompt=words,
        interaction=interaction,
        embedding=EmbeddingConfig(features=embedding),
    ).eval()


@pytest.fixture(scope="module")
def model():
    return build()


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


def embed(model, manifest, **options):
    return embed_words(Embedder(model, INFO), manifest, **options)


def plain(model, manifest, **options):
    found = embed_manifest(Embedder(model, INFO), manifest, **options)
    return found.vectors


def pictures(manifest):
    store = open_images(manifest, PREPROCESS, cache=False)
    return normalize(store.batch(np.arange(len(manifest))), PREPROCESS)


def one_by_one(model, manifest, order, images):
    """Each image alone, with the word of another."""
    vectors = []
    for row, other in enumerate(order.tolist()):
        features = model.features(images[row : row + 1])
        word = model.prompt.inversion(model.features(images[other : other + 1]).projected)
        variant = torch.tensor([("dorsal", "palmar").index(ASPECTS[row])])
        vectors.append(model.embed_features(features, variant, words=word))
    return torch.cat(vectors)


@pytest.mark.parametrize("count", [2, 3, 4, 7, 50])
def test_a_derangement_leaves_nothing_in_its_place(count):
    generator = torch.Generator().manual_seed(count)
    for _ in range(200):
        order = draw_derangement(count, generator)
        assert sorted(order.tolist()) == list(range(count))
        assert not (order == torch.arange(count)).any()


def test_a_derangement_is_that_of_its_seed_and_sends_each_word_everywhere():
    def drawn(seed):
        return draw_derangement(30, torch.Generator().manual_seed(seed)).tolist()

    assert drawn(3) == drawn(3) != drawn(4)
    generator = torch.Generator().manual_seed(0)
    received = torch.zeros(4, 4)
    for _ in range(3000):
        received[torch.arange(4), draw_derangement(4, generator)] += 1
    off = received[~torch.eye(4, dtype=torch.bool)] / 3000
    assert (off - 1 / 3).abs().max() < 0.05


@torch.no_grad()
@pytest.mark.parametrize("batch_size", [2, 64])
def test_vectors_are_those_of_images_embedded_one_by_one(model, manifest, batch_size):
    found = embed(model, manifest, draws=2, seed=5, batch_size=batch_size)
    generator = torch.Generator().manual_seed(5)
    images = pictures(manifest)
    for draw_found in found.permuted:
        order = draw_derangement(len(manifest), generator)
        expected = one_by_one(model, manifest, order, images)
        assert torch.allclose(draw_found.vectors, expected, atol=1e-5)
        assert (draw_found.vectors - found.own.vectors).norm(dim=1).min() > 1e-3
    assert len(found.permuted) == 2
    assert found.own.paths == tuple(manifest.paths)
    assert found.own.identities == found.none.identities == found.permuted[1].identities


@pytest.mark.parametrize("flip", [False, True])
def test_own_and_no_words_are_those_of_plain_embedding_to_the_bit(model, manifest, flip):
    found = embed(model, manifest, batch_size=3, flip=flip)
    options = {"batch_size": 3, "flip": flip}
    assert torch.equal(found.own.vectors, plain(model, manifest, **options))
    assert torch.equal(found.none.vectors, plain(model, manifest, prompt="simplified", **options))


@torch.no_grad()
def test_a_mirror_image_gets_the_word_of_the_other_mirror_image(model, manifest):
    found = embed(model, manifest, draws=1, seed=2, flip=True)
    order = draw_derangement(len(manifest), torch.Generator().manual_seed(2))
    images = pictures(manifest)
    both = [one_by_one(model, manifest, order, side) for side in (images, images.flip(3))]
    expected = F.normalize(both[0] + both[1], dim=1)
    assert torch.allclose(found.permuted[0].vectors, expected, atol=1e-5)


@torch.no_grad()
def test_with_little_memory_words_are_exchanged_among_those_kept(model, manifest, monkeypatch):
    monkeypatch.setattr(word_embed, "_MOST_BYTES", 1)
    found = embed(model, manifest, draws=1, seed=1, batch_size=2)
    generator = torch.Generator().manual_seed(1)
    # Seven images in batches of two: the last one would be alone, so it joins those before.
    parts = [
        draw_derangement(2, generator),
        2 + draw_derangement(2, generator),
        4 + draw_derangement(3, generator),
    ]
    expected = one_by_one(model, manifest, torch.cat(parts), pictures(manifest))
    assert torch.allclose(found.permuted[0].vectors, expected, atol=1e-5)
    assert torch.equal(found.own.vectors, plain(model, manifest, batch_size=2))


def test_batches_of_one_image_still_exchange(model, manifest, monkeypatch):
    monkeypatch.setattr(word_embed, "_MOST_BYTES", 1)
    found = embed(model, manifest, draws=1, batch_size=1)
    assert (found.permuted[0].vectors - found.own.vectors).norm(dim=1).min() > 1e-3


def test_the_image_tower_runs_once_per_image(model, manifest, monkeypatch):
    seen = []
    inner = model.backbone.image.forward

    def counted(images, **options):
        seen.append(len(images))
        return inner(images, **options)

    monkeypatch.setattr(model.backbone.image, "forward", counted)
    embed(model, manifest, draws=4)
    assert sum(seen) == len(manifest)


def test_models_that_read_no_word_are_refused(manifest):
    deaf = build(("final", "projected"))
    with pytest.raises(EvaluationError, match="final, projected, which read no sentence"):
        embed(deaf, manifest)
    with pytest.raises(EvaluationError, match="no sentence for each image"):
        check_words(ReIDModel(small_backbone()))


def test_a_single_image_has_nobody_to_exchange_with(model, manifest):
    with pytest.raises(EvaluationError, match="1 images and 3 draws"):
        embed(model, manifest.select([0]))
    with pytest.raises(EvaluationError, match="7 images and 0 draws"):
        embed(model, manifest, draws=0)
