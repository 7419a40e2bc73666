import subprocess
import sys

import numpy as np
import pytest
import torch
from facts import lacking
from PIL import Image
from published_files import save_published
from small_models import small_backbone
from small_prompts import identity_prompt

import promptreid
from promptreid.data.images.preprocess import Preprocess
from promptreid.data.images.transforms import normalize, resize
from promptreid.errors import ConfigError, DataError, ModelError, WeightsError
from promptreid.evaluation import Embeddings, choose_threshold
from promptreid.evaluation.thresholds.threshold import Threshold
from promptreid.inference.embedder import Embedder
from promptreid.models.checkpoint import save_model
from promptreid.models.checkpoint_info import CheckpointInfo
from promptreid.models.prompts.context_positions import encode_sentences
from promptreid.models.reid import ReIDModel
from promptreid.models.sie import SideInformation
from promptreid.progress import Silent
from promptreid.runs.run_records import BestRecord

SIZE = (64, 32)
PREPROCESS = Preprocess(image_size=SIZE, mean=(0.5, 0.4, 0.3), std=(0.2, 0.3, 0.4))
INFO = CheckpointInfo(preprocess=PREPROCESS, camera_values=("3", "5"))


class Counted(Silent):
    """Remember what is counted."""

    def __init__(self) -> None:
        self.calls: list[object] = []

    def start(self, title: str, total: int, unit: str) -> None:
        self.calls.append((title, total, unit))

    def advance(self, count: int) -> None:
        self.calls.append(count)

    def finish(self) -> None:
        self.calls.append("done")


def build() -> ReIDModel:
    backbone = small_backbone()
    backbone.image.fit(SIZE, 12)
    return ReIDModel(backbone, sie=SideInformation(cameras=2, width=128)).eval()


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    save_model(folder / "checkpoints" / "last.safetensors", build(), INFO)
    return folder


@pytest.fixture(scope="module")
def embedder(run):
    return promptreid.load(run, device="cpu")


@pytest.fixture(scope="module")
def pictures():
    generator = np.random.default_rng(0)
    shapes = ((80, 40, 3), (64, 32, 3), (31, 90, 3))
    return [generator.integers(0, 256, shape, np.uint8) for shape in shapes]


def expected(pictures, cameras=None):
    pixels = [torch.from_numpy(p).permute(2, 0, 1).contiguous() for p in pictures]
    small = torch.stack([resize(image, SIZE, "bilinear") for image in pixels])
    with torch.no_grad():
        return build().embed(normalize(small, PREPROCESS), cameras)


def close(found, wanted):
    return found.shape == wanted.shape and torch.allclose(found, wanted, atol=1e-5)


def test_all_kinds_of_images_agree(embedder, pictures, tmp_path):
    paths = [tmp_path / f"{index}.png" for index in range(3)]
    for path, picture in zip(paths, pictures, strict=True):
        Image.fromarray(picture).save(path)
    wanted = expected(pictures)
    assert close(embedder.embed(pictures), wanted)
    assert close(embedder.embed(paths), wanted)
    assert close(embedder.embed(map(str, paths)), wanted)
    assert close(embedder.embed([Image.fromarray(p) for p in pictures]), wanted)
    for one in (paths[0], str(paths[0]), pictures[0], Image.open(paths[0])):
        assert close(embedder.embed(one), wanted[:1])


def test_vectors_are_unit_rows_whatever_the_batch(embedder, pictures):
    found = embedder.embed(pictures)
    assert found.dtype == torch.float32
    assert not found.requires_grad
    assert torch.allclose(found.norm(dim=1), torch.ones(3), atol=1e-6)
    assert close(embedder.embed(pictures, batch_size=2), found)
    assert embedder.embed([]).shape == (0, embedder.width) == (0, 192)


def test_a_tensor_is_taken_as_it_is(embedder):
    images = torch.randn(3, 3, *SIZE, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        assert close(embedder.embed(images, batch_size=2), build().embed(images))
    with pytest.raises(ModelError, match="takes"):
        embedder.embed(torch.zeros(1, 3, 32, 64))


def test_cameras_are_those_of_the_training_data(embedder, pictures):
    wanted = expected(pictures, torch.tensor([1, 0, -1]))
    assert close(embedder.embed(pictures, [5, 3, 4]), wanted)
    assert close(embedder.embed(pictures, [5, 3, None]), wanted)
    assert close(embedder.embed(pictures, torch.tensor([5, 3, -1]), batch_size=2), wanted)
    with pytest.raises(DataError, match="3 images but 2 cameras"):
        embedder.embed(pictures, [5, 3])


def test_unreadable_images_are_named(embedder, tmp_path):
    (tmp_path / "broken.jpg").write_bytes(b"\xff\xd8\xff")
    for name in ("broken.jpg", "absent.jpg"):
        with pytest.raises(DataError, match=name):
            embedder.embed(tmp_path / name)


def test_sentences(embedder):
    found = embedder.embed_text(["a hand", "a left hand"])
    backbone = build().backbone
    wanted = encode_sentences(backbone.text, backbone.tokenizer, ["a hand", "a left hand"])
    assert close(found, wanted / wanted.norm(dim=1, keepdim=True))
    assert close(embedder.embed_text("a hand"), found[:1])
    assert embedder.embed_text([]).shape == (0, 64)
    with pytest.raises(ConfigError, match="room for 77"):
        embedder.embed_text("word " * 100)


def test_the_best_checkpoint_comes_first(run, tmp_path):
    best = tmp_path / "checkpoints" / "best.safetensors"
    save_model(tmp_path / "checkpoints" / "last.safetensors", build(), INFO)
    assert promptreid.load(tmp_path).info.best is None
    chosen = BestRecord(score=1.0, chosen_at="the first epoch")
    save_model(best, build(), INFO.updated(best=chosen))
    assert promptreid.load(tmp_path).info.best == chosen
    assert promptreid.load(best).preprocess == PREPROCESS


def test_published_files(pictures, tmp_path):
    backbone = small_backbone()
    backbone.image.fit((256, 128), 16)
    model = ReIDModel(backbone, prompt=identity_prompt(backbone, 3)).eval()
    path = save_published(tmp_path / "market.pth", model)
    loaded = promptreid.load(path)
    images = torch.randn(1, 3, 256, 128)
    with torch.no_grad():
        assert close(loaded.embed(images), model.embed(images))
    assert loaded.embed(pictures).shape == (3, 192)
    with pytest.raises(WeightsError, match="no word embeddings"):
        loaded.embed_text("a hand")


def test_what_is_no_model_is_refused(tmp_path):
    with pytest.raises(WeightsError, match="no checkpoint at"):
        promptreid.load(tmp_path / "nothing")
    (tmp_path / "images").mkdir()
    with pytest.raises(WeightsError, match=r"not a run folder.*It holds images"):
        promptreid.load(tmp_path)
    save_model(tmp_path / "whole.safetensors", build(), INFO)
    with pytest.raises(ConfigError, match="Device"):
        promptreid.load(tmp_path / "whole.safetensors", device="abacus")


def test_importing_the_package_does_not_import_torch():
    code = "import sys, promptreid; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_same_answers_with_score_threshold_and_rate(pictures, tmp_path):
    save_model(tmp_path / "plain.safetensors", build(), INFO)
    model = promptreid.load(tmp_path / "plain.safetensors", device="cpu")
    with pytest.raises(WeightsError, match="has no threshold") as told:
        model.same(pictures[0], pictures[1])
    # The sentence says how to get one, and that works.
    assert "model.with_threshold(choose_threshold(Embeddings.from_vectors(model.embed(" in str(
        told.value
    )
    known = Embeddings.from_vectors(model.embed(pictures * 2), list("abcabc"))
    chosen = choose_threshold(known, far=0.5)
    assert model.with_threshold(chosen).threshold == chosen
    assert model.threshold is None
    save_model(tmp_path / "one.safetensors", build(), model.with_threshold(chosen).info)
    model = promptreid.load(tmp_path / "one.safetensors", device="cpu")
    assert model.threshold == chosen
    vectors = model.embed(pictures[:2], [3, 5])
    answer = model.same(pictures[0], pictures[1], cameras=[3, 5])
    assert answer.score == pytest.approx(float(vectors[0] @ vectors[1]), abs=1e-6)
    assert (answer.threshold, answer.far) == (chosen.threshold, 0.5)
    assert model.same(pictures[0], pictures[0])
    strict = model.with_threshold(Threshold(threshold=1.5, far=0.5, pairs=3))
    assert not strict.same(pictures[0], pictures[0])
    assert model.with_threshold(None).info.verification is None
    with pytest.raises(WeightsError, match="threshold of this model is damaged"):
        Embedder(build(), INFO.updated(verification={"threshold": None}))


def test_many_paths_are_decoded_in_threads_and_counted(embedder, pictures, tmp_path):
    paths = []
    for number in range(20):
        paths.append(tmp_path / f"{number}.png")
        Image.fromarray(pictures[number % 3]).save(paths[-1])
    counted = Counted()
    found = embedder.embed(paths, batch_size=8, progress=counted)
    assert close(found, expected([pictures[number % 3] for number in range(20)]))
    assert counted.calls == [("embedding images", 20, "images"), 8, 8, 4, "done"]


def test_one_pillow_image_may_stand_in_several_places(embedder, pictures, tmp_path):
    Image.fromarray(pictures[0]).save(tmp_path / "one.png")
    opened = Image.open(tmp_path / "one.png")  # not decoded yet
    assert close(embedder.embed([opened] * 16), expected(pictures[:1] * 16))


def test_a_model_says_what_it_is_and_where_it_was_loaded_from(embedder, run):
    words = repr(embedder)
    assert not lacking(words, "Model(", f"{SIZE[0]}x{SIZE[1]}", f"{embedder.width:,}", "cpu")
    assert not lacking(words, "fp32", "no threshold", str(run))
    chosen = embedder.with_threshold(Threshold(0.75, far=0.01, pairs=300))
    assert not lacking(repr(chosen), "0.7500", "0.01")


def test_a_saved_model_embeds_as_before_and_keeps_its_threshold(embedder, pictures, tmp_path):
    chosen = embedder.with_threshold(Threshold(0.75, far=0.01, pairs=300))
    again = promptreid.load(chosen.save(tmp_path / "mine.safetensors"), device="cpu")
    assert torch.equal(again.embed(pictures), embedder.embed(pictures))
    assert again.threshold == chosen.threshold


def test_a_model_is_saved_under_a_name_that_is_read_again(embedder, tmp_path):
    with pytest.raises(WeightsError) as caught:
        embedder.save(tmp_path / "mine.pth")
    assert not lacking(str(caught.value), "mine.pth", ".safetensors")
    assert not list(tmp_path.iterdir())
