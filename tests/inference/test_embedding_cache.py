import os
from dataclasses import replace

import pytest
import torch
from small_models import INFO, small_backbone

from promptreid.data.load_data import load_data
from promptreid.evaluation.embeddings import kept_embeddings
from promptreid.evaluation.embeddings.kept_embeddings import default_embedding_cache
from promptreid.evaluation.embeddings.sentence_share import SentenceShare
from promptreid.inference import embedding_cache as cache
from promptreid.inference.embedder import Embedder
from promptreid.inference.embedding_cache import cached_embeddings, embedding_key
from promptreid.models.reid import ReIDModel


def build():
    return Embedder(ReIDModel(small_backbone()), INFO)


@pytest.fixture
def manifest(crops):
    return load_data(f"folder:{crops}").manifest.select(range(8))


def test_a_second_time_nothing_is_embedded(manifest, tmp_path, monkeypatch):
    first = cached_embeddings(build(), manifest, folder=tmp_path / "new")
    assert len(list((tmp_path / "new").iterdir())) == 1
    monkeypatch.setattr(cache, "embed_manifest", lambda *_, **__: pytest.fail("embedded again"))
    again = cached_embeddings(build(), manifest, folder=tmp_path / "new")
    assert torch.equal(first.vectors, again.vectors)
    assert first.identities == again.identities
    assert first.paths == again.paths


def test_without_a_folder_nothing_is_written(manifest, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert default_embedding_cache() == tmp_path / "promptreid" / "embeddings"
    assert len(cached_embeddings(build(), manifest, folder=None)) == 8
    assert not list(tmp_path.iterdir())


def test_a_damaged_file_is_replaced_and_a_folder_that_cannot_be_made_is_done_without(
    manifest, tmp_path
):
    wanted = cached_embeddings(build(), manifest, folder=tmp_path)
    (path,) = tmp_path.iterdir()
    path.write_bytes(b"nonsense")
    found = cached_embeddings(build(), manifest, folder=tmp_path)
    assert torch.equal(found.vectors, wanted.vectors)
    assert path.stat().st_size > 1000
    assert len(cached_embeddings(build(), manifest, folder=path / "below")) == 8


def test_what_was_not_used_for_longest_gives_way(manifest, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    folder = default_embedding_cache()
    rows = [manifest.select(some) for some in (range(2), range(5), range(5, 8))]
    for some in rows[:2]:
        cached_embeddings(build(), some, folder=folder)
    first, second = (folder / f"{embedding_key(build(), some)}.safetensors" for some in rows[:2])
    for file in (first, second):
        os.utime(file, (1, 1))
    cached_embeddings(build(), rows[0], folder=folder)  # used again
    size = sum(file.stat().st_size for file in folder.iterdir())
    monkeypatch.setattr(kept_embeddings, "LIMIT", size)
    cached_embeddings(build(), rows[2], folder=folder)
    assert first.is_file()
    assert not second.exists()
    assert len(list(folder.iterdir())) == 2


@pytest.mark.slow
def test_the_key_hears_of_weights_preparation_rows_and_files(manifest, crops):
    keys = [embedding_key(build(), manifest)]
    assert keys[0] == embedding_key(build(), manifest)
    other = build()
    with torch.no_grad():
        other.model.backbone.image.class_embedding[0] += 1e-3
    keys.append(embedding_key(other, manifest))
    darker = replace(build().preprocess, mean=(0.1, 0.2, 0.3))
    other = Embedder(build().model, build().info.updated(preprocess=darker))
    keys.append(embedding_key(other, manifest))
    keys.append(embedding_key(build(), manifest.select(range(7))))
    file = manifest.path(3)
    before = file.stat()
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns + 10**9))
    try:
        keys.append(embedding_key(build(), manifest))
    finally:
        os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    share = SentenceShare(0.2, {"side": ("the {side} side",)})
    keys.append(embedding_key(build(), manifest, sentences=share))
    keys.append(embedding_key(build(), manifest, sentences=replace(share, share=0.3)))
    other_words = replace(share, templates={"side": ("seen from the {side}",)})
    keys.append(embedding_key(build(), manifest, sentences=other_words))
    assert len(set(keys)) == 8


def test_the_key_hears_which_of_several_data_sets_this_is(manifest):
    cameras = ("0", "1") * 4
    seen = replace(manifest, cameras=cameras)
    embedder = build()
    other = replace(seen, name="other")
    assert embedding_key(embedder, seen) == embedding_key(embedder, other)
    cameras = ((seen.name, "0"), ("other", "0"))
    embedder = Embedder(build().model, build().info.updated(camera_values=cameras))
    assert embedding_key(embedder, seen) != embedding_key(embedder, other)
