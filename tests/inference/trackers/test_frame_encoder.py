"""Detections of frames are embedded as their crops are, by the names that trackers call."""

import sys
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest
import torch
from exported_models import info_of, with_head, with_sides

from promptreid.data.images.transforms import normalize, resize
from promptreid.errors import ConfigError
from promptreid.inference.embedder import Embedder
from promptreid.inference.trackers.fiftyone_model import for_fiftyone
from promptreid.inference.trackers.frame_encoder import FrameEncoder

RNG = np.random.default_rng(0)
RGB = RNG.integers(0, 256, (60, 90, 3), dtype=np.uint8)
BGR = np.ascontiguousarray(RGB[..., ::-1])
BOXES = np.array([[5, 4, 25, 50], [30.4, 10.6, 50.5, 58.2], [70, 5, 120, 70], [95, 0, 99, 9]])


@pytest.fixture(scope="module")
def embedder():
    model = with_head()
    return Embedder(model, info_of(model))


@pytest.fixture(scope="module")
def wanted(embedder):
    """Vectors of the crops, cut by hand; the last box lies outside."""
    crops = [RGB[4:50, 5:25], RGB[11:58, 30:50], RGB[5:60, 70:90]]
    return torch.cat([embedder.embed(crops), torch.zeros(1, embedder.width)])


def test_boxes_of_a_frame(embedder, wanted):
    for size in (1, 64):
        found = embedder.embed_boxes(BGR, BOXES, batch_size=size)
        torch.testing.assert_close(found, wanted, atol=1e-6, rtol=0)
    torch.testing.assert_close(embedder.embed_boxes(RGB, BOXES, bgr=False), wanted)
    assert embedder.embed_boxes(BGR, []).shape == (0, embedder.width)
    assert not embedder.embed_boxes(BGR, BOXES[3:]).any()


def test_detections_hold_their_vectors(embedder, wanted):
    detections = SimpleNamespace(xyxy=BOXES, data={"class_name": list("aabb")})
    found = embedder.embed_detections(BGR, detections)
    torch.testing.assert_close(found, wanted)
    assert detections.data["embedding"].shape == (4, embedder.width)
    assert detections.data["class_name"] == list("aabb")


def test_the_camera_of_a_frame_counts():
    model = with_sides()
    embedder = Embedder(model, info_of(model))
    found = embedder.embed_boxes(BGR, BOXES, camera="c1")
    crops = [RGB[4:50, 5:25], RGB[11:58, 30:50], RGB[5:60, 70:90]]
    torch.testing.assert_close(found[:3], embedder.embed(crops, cameras=["c1"] * 3))
    assert (found[:3] - embedder.embed_boxes(BGR, BOXES)[:3]).abs().max() > 1e-3
    encoder = FrameEncoder(embedder, camera="c1")
    np.testing.assert_allclose(encoder.get_features(BOXES, BGR), found.numpy(), atol=1e-6)


def test_all_names_give_the_same_rows(embedder, wanted):
    encoder, detections = FrameEncoder(embedder), SimpleNamespace(xyxy=BOXES)
    for vectors in (
        encoder.get_features(BOXES, BGR),
        encoder.extract_features(detections, BGR),
        encoder.extract_embeddings(detections, BGR, batch_size=2),
    ):
        assert (type(vectors), vectors.dtype) == (np.ndarray, np.float32)
        np.testing.assert_allclose(vectors, wanted.numpy(), atol=1e-6)
    assert encoder.empty == 3
    assert encoder.get_features(np.empty((0, 4)), BGR).shape == (0, embedder.width)


def test_the_encoder_for_reid_takes_normalised_images(embedder, wanted):
    backbone = embedder.for_reid()
    said = backbone.preprocessing
    assert (said["input_size"], said["interpolation"]) == ((32, 16), "bilinear")
    pixels = torch.from_numpy(np.ascontiguousarray(RGB[4:50, 5:25])).permute(2, 0, 1)
    image = resize(pixels, said["input_size"], said["interpolation"])
    with torch.inference_mode():
        found = backbone.eval()(normalize(image[None], embedder.preprocess))
    torch.testing.assert_close(found, wanted[:1], atol=1e-6, rtol=0)


def test_fiftyone_computes_with_the_model(embedder, wanted, monkeypatch):
    with monkeypatch.context() as without:
        without.setitem(sys.modules, "fiftyone.core.models", None)
        with pytest.raises(ConfigError, match="pip install fiftyone"):
            for_fiftyone(embedder)
    stub = ModuleType("fiftyone.core.models")
    stub.Model, stub.EmbeddingsMixin = type("Model", (), {}), type("EmbeddingsMixin", (), {})
    for name in ("fiftyone", "fiftyone.core"):
        monkeypatch.setitem(sys.modules, name, ModuleType(name))
    monkeypatch.setitem(sys.modules, "fiftyone.core.models", stub)
    model = for_fiftyone(embedder)
    assert isinstance(model, stub.Model)
    assert isinstance(model, stub.EmbeddingsMixin)
    assert (model.media_type, model.has_embeddings, model.has_logits) == ("image", True, False)
    with pytest.raises(ConfigError, match="predict"):
        model.get_embeddings()
    crops = [RGB[4:50, 5:25], RGB[11:58, 30:50]]
    np.testing.assert_allclose(model.embed_all(crops), wanted[:2].numpy(), atol=1e-6)
    np.testing.assert_allclose(model.get_embeddings(), wanted[:2].numpy(), atol=1e-6)
    np.testing.assert_allclose(model.embed(crops[1]), wanted[1].numpy(), atol=1e-6)
    model.preprocess = True
    assert model.preprocess
