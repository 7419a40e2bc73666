import hashlib
import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
import torch
from facts import lacking
from shard_folders import OPTIONS, hash_files
from small_models import INFO, small_backbone

from promptreid.data.packed.image_table import ImageTable
from promptreid.errors import DataError, RunError
from promptreid.inference.embed import embed_manifest
from promptreid.inference.embedder import Embedder
from promptreid.inference.shards.embed_shards import embed_shards
from promptreid.inference.shards.read_shards import read_shards
from promptreid.inference.shards.shard_plan import WorkShare
from promptreid.models.reid import ReIDModel
from promptreid.progress import Silent


class Heard(Silent):
    def __init__(self):
        self.messages, self.total, self.done = [], None, 0

    def message(self, text):
        self.messages.append(text)

    def start(self, title, total, unit):
        self.total = total

    def advance(self, count):
        self.done += count


def test_vectors_columns_and_hashes_are_those_of_the_images(embedder, table, made):
    embeddings = read_shards(made)
    manifest = table.manifest
    assert (len(embeddings), embeddings.width, embeddings.unreadable) == (24, embedder.width, ())
    parts = list(embeddings)
    assert [len(part) for part in parts] == [7, 7, 7, 3]
    assert np.concatenate([part.rows for part in parts]).tolist() == list(range(24))
    vectors = torch.from_numpy(np.concatenate([part.vectors for part in parts]))
    torch.testing.assert_close(vectors, embed_manifest(embedder, manifest).vectors)
    for name, values in (
        ("path", manifest.paths),
        ("identity", manifest.identities),
        ("camera", manifest.cameras),
        ("view", manifest.views),
        ("domain", manifest.domains),
        ("split", manifest.splits),
    ):
        assert sum((part.columns[name] for part in parts), ()) == values
    files = [manifest.path(row).read_bytes() for row in range(24)]
    assert sum((part.hashes for part in parts), ()) == tuple(
        hashlib.sha256(data).hexdigest() for data in files
    )


def test_the_manifest_has_the_hash_of_every_shard(made, whole):
    entries = json.loads((made / "manifest.json").read_text())["shards"]
    shards = {name: digest for name, digest in whole.items() if name.endswith(".parquet")}
    assert {f"shards/{entry['file']}": entry["sha256"] for entry in entries} == shards


@pytest.mark.parametrize("processes", [2, 3, 6])
def test_any_number_of_processes_makes_the_same_bytes(embedder, table, whole, tmp_path, processes):
    out = tmp_path / "out"
    for index in reversed(range(processes)):
        done = embed_shards(
            embedder, table, out, options=OPTIONS, share=WorkShare(index, processes)
        )
        assert (out / "manifest.json").exists() == (index == 0) == (done.missing == 0)
    assert hash_files(out) == whole


def test_what_is_done_is_not_done_again(embedder, table, made, whole, tmp_path):
    out = tmp_path / "out"
    shutil.copytree(made, out)
    (out / "shards" / "rows-000000000007-000000000014.parquet").unlink()
    (out / "shards" / "rows-000000000021-000000000024.json").unlink()
    short = out / "shards" / "rows-000000000014-000000000021.parquet"
    short.write_bytes(short.read_bytes()[:-1])
    heard = Heard()
    done = embed_shards(embedder, table, out, options=OPTIONS, progress=heard)
    assert (done.made, heard.total, heard.done) == (3, 17, 17)
    assert not lacking(heard.messages[0], "1", "4 shards")
    assert hash_files(out) == whole


def build(change):
    model = ReIDModel(small_backbone())
    with torch.no_grad():
        model.backbone.image.class_embedding[0] += change
    return Embedder(model, INFO)


def test_a_folder_takes_one_job_alone(embedder, table, made, tmp_path):
    out = tmp_path / "out"
    shutil.copytree(made, out)
    before = hash_files(out)
    others = {
        "model": (build(1e-3), table, OPTIONS),
        "number of images": (
            embedder,
            ImageTable.of_manifest(table.manifest.select(range(23)), spec=table.spec),
            OPTIONS,
        ),
        "data (set there, other here)": (embedder, replace(table, spec="other"), OPTIONS),
        "rows of a shard (7 there, 8 here)": (embedder, table, replace(OPTIONS, shard_rows=8)),
        "batch size (3 there, 4 here)": (embedder, table, replace(OPTIONS, batch_size=4)),
        "mirrored images (False there, True here)": (embedder, table, replace(OPTIONS, flip=True)),
        "number of threads (1 there, 2 here)": (embedder, table, replace(OPTIONS, threads=2)),
    }
    for fact, (model, images, options) in others.items():
        with pytest.raises(RunError) as caught:
            embed_shards(model, images, out, options=options)
        assert not lacking(str(caught.value), str(out), fact, "another folder"), caught.value
    assert hash_files(out) == before
    assert embed_shards(build(0), table, out, options=replace(OPTIONS, threads=None)).made == 0


def test_a_folder_of_other_things_is_left_alone(embedder, table, tmp_path):
    (tmp_path / "thesis.tex").write_text("dear")
    with pytest.raises(RunError) as caught:
        embed_shards(embedder, table, tmp_path, options=OPTIONS)
    assert not lacking(str(caught.value), str(tmp_path), "thesis.tex", "new folder")
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


@pytest.fixture
def damaged(table, tmp_path):
    """The same images, three of which cannot be read."""
    root = tmp_path / "set"
    shutil.copytree(table.manifest.root, root)
    manifest = replace(table.manifest, root=root)
    manifest.path(2).write_bytes(b"")
    manifest.path(9).write_text("no picture")
    manifest.path(10).unlink()
    return ImageTable.of_manifest(manifest)


def test_unreadable_images_stop_the_work_and_are_named(embedder, damaged, tmp_path):
    out = tmp_path / "out"
    with pytest.raises(DataError) as caught:
        embed_shards(embedder, damaged, out, options=OPTIONS)
    place = str(damaged.place(2))
    assert not lacking(str(caught.value), "1 of rows 0 to 6", place, "empty", "--unreadable skip")
    assert not (out / "manifest.json").exists()


def test_unreadable_images_are_left_out_counted_and_named(embedder, damaged, made, tmp_path):
    out = tmp_path / "out"
    done = embed_shards(embedder, damaged, out, options=OPTIONS, unreadable="skip")
    assert [row.row for row in done.unreadable] == [2, 9, 10]
    embeddings = read_shards(out)
    assert len(embeddings) == 21
    assert [(row.row, row.image) for row in embeddings.unreadable] == [
        (row, str(damaged.place(row))) for row in (2, 9, 10)
    ]
    assert json.loads((out / "manifest.json").read_text())["unreadable"] == 3
    wanted = np.concatenate([part.vectors for part in read_shards(made)])
    for part in embeddings:
        np.testing.assert_allclose(part.vectors, wanted[part.rows], atol=1e-5)
    parts = WorkShare(1, 2), WorkShare(0, 2)
    for share in parts:
        embed_shards(
            embedder,
            damaged,
            tmp_path / "parts",
            options=OPTIONS,
            share=share,
            unreadable="skip",
        )
    assert hash_files(tmp_path / "parts") == hash_files(out)


def test_without_a_readable_image_there_is_nothing(embedder, damaged, tmp_path):
    none = ImageTable.of_manifest(damaged.manifest.select([2, 9, 10]))
    with pytest.raises(DataError) as caught:
        embed_shards(embedder, none, tmp_path / "out", options=OPTIONS, unreadable="skip")
    assert not lacking(str(caught.value), "None of the 3 images", str(damaged.place(2)))
    assert not (tmp_path / "out" / "manifest.json").exists()


def test_an_attribute_cannot_have_the_name_of_a_column_of_shards(embedder, table, tmp_path):
    manifest = replace(table.manifest, attributes={"vector": ("a",) * 24})
    with pytest.raises(DataError, match="column vector"):
        embed_shards(embedder, ImageTable.of_manifest(manifest), tmp_path / "out")
