"""What `promptreid embed` made is enrolled as if its images were embedded by the gallery."""

import hashlib
import shutil
import tarfile
from dataclasses import replace

import numpy as np
import pytest
from facts import lacking
from shard_folders import OPTIONS
from small_models import INFO, small_backbone

from promptreid.cli.main import main
from promptreid.data.load_data import load_data
from promptreid.data.packed.open_table import open_table
from promptreid.errors import GalleryError, RunError
from promptreid.gallery import shard_enrolment
from promptreid.gallery.enrolment import list_images
from promptreid.gallery.gallery import Gallery
from promptreid.gallery.gallery_settings import GallerySettings
from promptreid.inference.embedder import Embedder
from promptreid.inference.model_fingerprint import fingerprint_model
from promptreid.inference.shards.embed_shards import embed_shards
from promptreid.models.reid import ReIDModel


def build(brightness=0.5):
    preprocess = replace(INFO.preprocess, mean=(brightness, 0.5, 0.5))
    return Embedder(ReIDModel(small_backbone()).eval(), INFO.updated(preprocess=preprocess))


@pytest.fixture(scope="module")
def embedder():
    return Embedder(ReIDModel(small_backbone()).eval(), INFO)


@pytest.fixture(scope="module")
def pictures(crops, tmp_path_factory):
    """Six people with four images each, and a table with cameras."""
    folder = tmp_path_factory.mktemp("embedded")
    rows = ["path,identity,split,camera,coat"]
    for person in sorted(crops.iterdir())[:6]:
        for image in sorted(person.iterdir())[:4]:
            name = f"{person.name}-{image.name}"
            shutil.copy(image, folder / name)
            rows.append(f"{name},{person.name},gallery,{image.stem},red")
    (folder / "table.csv").write_text("\n".join(rows))
    return folder


@pytest.fixture(scope="module")
def shards(embedder, pictures, tmp_path_factory):
    out = tmp_path_factory.mktemp("shards") / "vectors"
    embed_shards(embedder, open_table(f"csv:{pictures / 'table.csv'}"), out, options=OPTIONS)
    return out


def list_entries(gallery):
    names = gallery.records.names()
    return [
        (
            (row.content_hash, names[row.identity], row.camera, row.path, dict(row.attributes)),
            vector,
        )
        for row, vector in gallery.records.entries()
    ]


@pytest.mark.parametrize("keep", ["crops", "paths"])
def test_entries_are_those_that_images_give(embedder, pictures, shards, tmp_path, keep):
    settings = GallerySettings(keep=keep)
    first = Gallery.create(tmp_path / "first", embedder, settings=settings)
    first.add(*list_images(load_data(f"csv:{pictures / 'table.csv'}").manifest))
    second = Gallery.create(tmp_path / "second", embedder, settings=settings)
    assert second.add_embedded(shards).added == 24
    for (one, vector), (other, same) in zip(list_entries(first), list_entries(second), strict=True):
        assert one == other
        np.testing.assert_allclose(vector, same, atol=1e-6)
    assert second.check() == []
    again = second.add_embedded(shards)
    assert (again.added, again.present) == (0, 24)
    query = pictures / "000-0.png"
    one, other = (gallery.search([query])[0] for gallery in (first, second))
    assert one.candidates[0].identity == other.candidates[0].identity == "000"
    assert one.score == pytest.approx(other.score, abs=1e-5)
    assert one.p == other.p


def test_the_command_needs_no_model(embedder, pictures, shards, tmp_path, capsys):
    Gallery.create(tmp_path / "people", embedder, source="a place that is gone").close()
    for added in ("enrolled 24 images", "enrolled 0 images"):
        with pytest.raises(SystemExit) as caught:
            main(["gallery", "add", str(tmp_path / "people"), str(shards), "--prefix", "east/"])
        captured = capsys.readouterr()
        assert caught.value.code == 0, captured.err
        assert added in captured.out
    assert {entry[0][1] for entry in list_entries(Gallery.open(tmp_path / "people"))} == {
        f"east/00{number}" for number in range(6)
    }


def test_packed_pictures_are_kept_themselves(embedder, pictures, tmp_path):
    with tarfile.open(tmp_path / "crops.tar", "w") as archive:
        for path in sorted(pictures.glob("*.png")):
            archive.add(path, path.name)
    embed_shards(
        embedder, open_table(f"tar:{tmp_path / 'crops.tar'}"), tmp_path / "out", options=OPTIONS
    )
    settings = GallerySettings(keep="paths")
    gallery = Gallery.create(tmp_path / "people", embedder, settings=settings)
    assert gallery.add_embedded(tmp_path / "out").added == 24
    assert gallery.check() == []


def test_another_model_is_refused_with_both_named(embedder, shards, tmp_path):
    other = build(0.6)
    gallery = Gallery.create(tmp_path / "people", other)
    with pytest.raises(GalleryError) as caught:
        gallery.add_embedded(shards)
    names = [fingerprint_model(one)[:16] for one in (embedder, other)]
    assert names[0] != names[1]
    assert not lacking(str(caught.value), "people", names[1], str(shards), names[0])


def test_what_does_not_fit_is_told(embedder, pictures, shards, tmp_path):
    gallery = Gallery.create(tmp_path / "people", embedder)
    with pytest.raises(RunError):
        gallery.add_embedded(pictures)
    own = shutil.copytree(pictures, tmp_path / "own")
    out = tmp_path / "out"
    table = open_table(f"csv:{own / 'table.csv'}")
    embed_shards(embedder, table, out, options=OPTIONS)
    shutil.copy(own / "001-0.png", own / "000-0.png")
    with pytest.raises(GalleryError) as caught:
        gallery.add_embedded(out)
    assert not lacking(str(caught.value), "000-0.png", "another picture", "promptreid embed")
    text = (own / "table.csv").read_text()
    (own / "table.csv").write_text(text.replace("red", "blue"))
    with pytest.raises(GalleryError) as caught:
        gallery.add_embedded(out)
    assert not lacking(str(caught.value), "table.csv", "other images")
    assert len(list_entries(gallery)) == 0


@pytest.mark.parametrize("keep", ["crops", "paths"])
def test_what_was_compared_is_what_is_enrolled(
    embedder, pictures, shards, tmp_path, monkeypatch, keep
):
    own = shutil.copytree(pictures, tmp_path / "own")
    out = tmp_path / "out"
    embed_shards(embedder, open_table(f"csv:{own / 'table.csv'}"), out, options=OPTIONS)
    first, other = own / "000-0.png", (own / "001-0.png").read_bytes()
    right = first.read_bytes()

    def replaced_at_once(spec):
        """Open a table whose first picture is another one as soon as it was read."""
        table = open_table(spec)

        def read_and_replace(row):
            content = table.read(row)
            if table.place(row) == first:
                first.write_bytes(other)
            return content

        return replace(table, read=read_and_replace)

    monkeypatch.setattr(shard_enrolment, "open_table", replaced_at_once)
    settings = GallerySettings(keep=keep)
    gallery = Gallery.create(tmp_path / "people", embedder, settings=settings)
    assert gallery.add_embedded(out).added == 24
    entry, _ = next(gallery.records.entries())
    assert entry.content_hash == hashlib.sha256(right).hexdigest()
    assert gallery.picture(entry.entry).crop == (right if keep == "crops" else None)
    assert len(gallery.check()) == (keep == "paths")  # the file is another one by now


def test_mirrored_vectors_are_refused(embedder, pictures, tmp_path):
    table = open_table(f"csv:{pictures / 'table.csv'}")
    embed_shards(embedder, table, tmp_path / "out", options=replace(OPTIONS, flip=True))
    gallery = Gallery.create(tmp_path / "people", embedder)
    with pytest.raises(GalleryError) as caught:
        gallery.add_embedded(tmp_path / "out")
    assert not lacking(str(caught.value), "mirror", "--no-flip")
