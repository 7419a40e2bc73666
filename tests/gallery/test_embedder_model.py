"""Vectors of a gallery are those of the model, with what is known of each image."""

import shutil

import numpy as np
import pytest
import torch
from facts import lacking
from small_models import small_backbone

from promptreid.data.images.boxes import Box, ImageSource
from promptreid.data.images.preprocess import Preprocess
from promptreid.data.load_data import load_data
from promptreid.errors import GalleryError
from promptreid.gallery import enrolment, image_content, negative_examples
from promptreid.gallery.embedder_model import EmbedderModel, find_camera
from promptreid.gallery.enrolment import list_images
from promptreid.gallery.gallery import Gallery
from promptreid.gallery.vector_model import GalleryImage
from promptreid.inference.embed import embed_manifest
from promptreid.inference.embedder import Embedder
from promptreid.inference.model_fingerprint import fingerprint_model
from promptreid.models.checkpoint_info import CheckpointInfo
from promptreid.models.reid import ReIDModel
from promptreid.models.sie import SideInformation

SIZE = (64, 32)


def build(*, cameras=("1", "2"), brightness=0.5):
    preprocess = Preprocess(image_size=SIZE, mean=(brightness, 0.4, 0.3), std=(0.2, 0.3, 0.4))
    backbone = small_backbone()
    backbone.image.fit(SIZE, 12)
    model = ReIDModel(backbone, sie=SideInformation(cameras=len(cameras), width=128)).eval()
    generator = torch.Generator().manual_seed(3)
    with torch.no_grad():
        for parameter in model.sie.parameters():
            parameter.normal_(generator=generator)
    return Embedder(model, CheckpointInfo(preprocess=preprocess, camera_values=cameras))


@pytest.fixture(scope="module")
def embedder():
    return build()


@pytest.fixture(scope="module")
def table(crops, tmp_path_factory):
    path = tmp_path_factory.mktemp("tables") / "seen.csv"
    rows = ["path,identity,split,camera"]
    for number, image in enumerate(sorted(crops.glob("00[0-3]/*.png"))):
        rows.append(f"{image},{image.parent.name},gallery,{('1', '2', '9', '')[number % 4]}")
    path.write_text("\n".join(rows))
    return path


def test_vectors_are_those_of_the_data_set(embedder, table):
    manifest = load_data(f"csv:{table}").manifest
    images, _ = list_images(manifest)
    expected = embed_manifest(embedder, manifest).vectors
    vectors = EmbedderModel(embedder).vectors(images)
    np.testing.assert_allclose(vectors, expected.numpy(), atol=1e-6)
    unknown = [GalleryImage(image.pixels) for image in images]
    assert np.abs(EmbedderModel(embedder).vectors(unknown) - vectors).max() > 1e-3


def test_a_camera_is_that_of_its_domain_or_the_only_one_of_its_name():
    table = (("east", "1"), ("west", "1"), ("west", "2"))
    pixels = np.zeros((8, 8, 3), np.uint8)

    def find(camera, domain=""):
        return find_camera(GalleryImage(pixels, camera=camera, domain=domain), table)

    assert find("1", "east") == ("east", "1")
    assert find("2") == find("2", "north") == ("west", "2")
    assert find("1") is find("3") is find(None) is None
    assert find_camera(GalleryImage(pixels, camera="1"), ("1", "2")) == "1"


def test_a_fingerprint_hangs_on_all_that_vectors_hang_on(embedder):
    prints = {
        "same": fingerprint_model(build()),
        "preprocess": fingerprint_model(build(brightness=0.6)),
        "cameras": fingerprint_model(build(cameras=("1", "3"))),
    }
    assert prints["same"] == fingerprint_model(embedder)
    assert len(set(prints.values())) == 3
    changed = build()
    with torch.no_grad():
        next(changed.model.parameters()).view(-1)[0] += 1e-3
    assert fingerprint_model(changed) != prints["same"]


def test_a_gallery_of_files_and_one_of_arrays_answer_alike(embedder, table, tmp_path, monkeypatch):
    monkeypatch.setenv("PROMPTREID_PIXEL_CACHE_GIB", "1")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    gallery = Gallery.create(tmp_path / "files", embedder, source="here")
    images, names = list_images(load_data(f"csv:{table}").manifest)
    gallery.add(images, names)
    [answer] = gallery.search([images[0]])
    assert answer.candidates[0].identity == names[0]
    assert answer.score == pytest.approx(1, abs=1e-5)
    assert gallery.check() == []
    assert not (tmp_path / "cache").exists()  # decoded pixels would outlive an erasure
    with pytest.raises(GalleryError) as caught:
        Gallery.open(tmp_path / "files", build(brightness=0.6))
    assert not lacking(str(caught.value), fingerprint_model(embedder)[:16], "here")
    assert Gallery.open(tmp_path / "files", build()).search([images[0]]) == [answer]


@pytest.mark.parametrize("box", [None, Box(4, 6, 20, 24)])
def test_a_vector_is_of_the_content_that_is_kept_whatever_becomes_of_the_file(
    embedder, crops, tmp_path, monkeypatch, box
):
    files = [crops / "000" / "0.png", crops / "001" / "0.png"]
    places = [tmp_path / "enrolled.png", tmp_path / "denied.png"]
    gallery = Gallery.create(tmp_path / "people", embedder)
    read = image_content.read_content

    def read_and_replace(image):
        content = read(image)
        shutil.copy(crops / "005" / "0.png", image.pixels.path)
        return content

    for module in (enrolment, negative_examples):
        monkeypatch.setattr(module, "read_content", read_and_replace)
    images = [GalleryImage(ImageSource(place, box)) for place in places]
    for file, place in zip(files, places, strict=True):
        shutil.copy(file, place)
    gallery.add(images[:1], ["anna"])
    gallery.add_negatives("anna", images[1:])
    [(_, enrolled)], [denied] = gallery.records.entries(), gallery.records.negatives()
    right = EmbedderModel(embedder).vectors(
        [GalleryImage(ImageSource(file, box)) for file in files]
    )
    np.testing.assert_allclose([enrolled, denied.vector], right, atol=1e-6)
    assert gallery.check() == []
