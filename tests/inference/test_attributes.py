import pytest
import torch
from torch.nn import functional as F

from promptreid.config.recipes import load_recipe
from promptreid.data.images.image_store import ImageStore
from promptreid.data.images.preprocess import Preprocess
from promptreid.data.images.transforms import normalize
from promptreid.data.load_data import load_data
from promptreid.data.manifest.manifest import Manifest, Sample
from promptreid.errors import ConfigError, DataError
from promptreid.inference.attributes import (
    classify_attributes,
    encode_attribute,
    score_guesses,
)
from promptreid.inference.embedder import Embedder
from promptreid.models.checkpoint_info import CheckpointInfo
from promptreid.models.prompts.context_positions import encode_sentences
from promptreid.models.reid import ReIDModel
from promptreid.models.sie import SideInformation
from promptreid.models.towers.backbone import build_backbone
from promptreid.synth.hands.hand_set import write_hands

CPU = torch.device("cpu")
PREPROCESS = Preprocess(image_size=(64, 64))
INFO = CheckpointInfo(preprocess=PREPROCESS)
SIDES = ("dorsal_right", "palmar_left", "")
TONES = ("dark", "fair", "very fair")


@pytest.fixture(scope="module")
def backbone():
    return build_backbone("tiny", pretrained="none", image_size=(64, 64)).eval()


@pytest.fixture
def model(backbone):
    return ReIDModel(backbone)


@pytest.fixture(scope="module")
def manifest(crops):
    paths = sorted(path.relative_to(crops).as_posix() for path in crops.glob("*/*.png"))[:20]
    samples = (
        Sample(
            path=path,
            identity=path.split("/")[0],
            split="test",
            camera=str(row % 2),
            view=str(row % 3),
            attributes={"side": SIDES[row % 3], "tone": TONES[row % 5 % 3], "one": "same"},
        )
        for row, path in enumerate(paths)
    )
    return Manifest.of("crops", crops, samples)


def classify(model, manifest, templates, info=INFO, **options):
    return classify_attributes(Embedder(model, info), manifest, templates, **options)


@torch.no_grad()
def naive_units(model, manifest, cameras=None, views=None):
    paths = [manifest.path(row) for row in range(len(manifest))]
    store = ImageStore(paths, (64, 64), PREPROCESS.test_interpolation, cache=False)
    images = normalize(store.batch(torch.arange(len(paths)).numpy()), PREPROCESS)
    return F.normalize(model.eval().features(images, cameras, views).projected, dim=1)


def test_one_text_per_value_is_the_mean_direction_of_its_sentences(backbone):
    templates = ("a photo of a {side} hand", "{side}", "the {side} side of a {tone} hand")
    others = ({"tone": "dark"}, {"tone": "very_fair"})
    found = encode_attribute(backbone, "side", templates, ("dorsal_right", "palmar"), others=others)
    for row, words in zip(found, ("dorsal right", "palmar"), strict=True):
        sentences = [
            f"a photo of a {words} hand",
            words,
            f"the {words} side of a dark hand",
            f"the {words} side of a very fair hand",
        ]
        texts = encode_sentences(backbone.text, backbone.tokenizer, sentences)
        mean = sum(text / text.norm() for text in texts) / 4
        assert torch.allclose(row, mean / mean.norm(), atol=1e-6)
    assert (found[0] - found[1]).norm() > 1e-2


@pytest.mark.parametrize(
    ("templates", "values", "error", "words"),
    [
        ((), ("a", "b"), ConfigError, "no sentence for the attribute 'side'"),
        (("a hand",), ("a", "b"), ConfigError, "must hold {side}"),
        (("{side} {context}",), ("a", "b"), ConfigError, "no {context}"),
        (("{side} {tone}",), ("a", "b"), ConfigError, "no attribute named 'tone'"),
        (("{side}",), ("a_b", "a b"), DataError, "read alike"),
    ],
)
def test_sentences_that_tell_nothing_apart_are_refused(backbone, templates, values, error, words):
    with pytest.raises(error, match=words):
        encode_attribute(backbone, "side", templates, values)


def test_each_image_gets_the_value_it_lies_closest_to(model, manifest):
    templates = {
        "tone": ["a {tone} hand", "{tone} skin"],
        "side": ["the {side} of a {tone} hand"],
    }
    found = classify(model, manifest, templates, batch_size=7)
    assert list(found) == ["tone", "side"]
    images = naive_units(model, manifest)
    others = [{"tone": tone} for tone in TONES]
    for name, values, extra in (("tone", TONES, [{}]), ("side", SIDES[:2], others)):
        texts = encode_attribute(model.backbone, name, templates[name], values, others=extra)
        hits = {value: [] for value in values}
        for image, truth in zip(images, manifest.attributes[name], strict=True):
            if truth:
                scores = [float(image @ text) for text in texts]
                hits[truth].append(values[scores.index(max(scores))] == truth)
        scores = found[name]
        assert scores.values == values
        assert scores.counts == tuple(len(hits[value]) for value in values)
        recalls = [sum(hits[value]) / len(hits[value]) for value in values]
        assert scores.recalls == pytest.approx(recalls)
        assert scores.accuracy == pytest.approx(sum(map(sum, hits.values())) / sum(scores.counts))
        assert scores.balanced_accuracy == pytest.approx(sum(recalls) / len(values))
        assert scores.missing == manifest.attributes[name].count("")


def test_scores_by_hand():
    truth = ["a", "a", "a", "b", "", "a"]
    guesses = torch.tensor([0, 0, 1, 1, 0, 0])
    scores = score_guesses(truth, guesses, values=("a", "b"), attribute="x", templates=("{x}",))
    assert scores.to_dict() == {
        "attribute": "x",
        "templates": ["{x}"],
        "values": ["a", "b"],
        "counts": [4, 1],
        "recalls": [0.75, 1.0],
        "accuracy": 0.8,
        "balanced_accuracy": 0.875,
        "chance": 0.5,
        "majority": 0.8,
        "missing": 1,
    }


def test_images_are_encoded_once_for_all_attributes(model, manifest):
    seen = []
    hook = model.backbone.image.register_forward_hook(lambda m, i, out: seen.append(len(out.final)))
    classify(model, manifest, {"tone": ["{tone}"], "side": ["{side}"]}, batch_size=8)
    hook.remove()
    assert seen == [8, 8, 4]


@pytest.mark.parametrize(
    ("templates", "words"),
    [
        ({"tones": ["{tones}"]}, r"attribute of crops named 'tones'.*Known: one, side, tone"),
        ({"tone": ["{tone} {age}"]}, r"attribute of crops named 'age'"),
        ({"one": ["{one}"]}, r"only 'same'"),
    ],
)
def test_attributes_that_cannot_be_scored_are_refused(model, manifest, templates, words):
    with pytest.raises(DataError, match=words):
        classify(model, manifest, templates)


def test_nothing_asked_for_reads_no_image(model, manifest):
    assert classify(model, manifest.select([0]), {}) == {}


def test_side_information_never_tells_the_attribute(backbone, manifest, monkeypatch):
    sie = SideInformation(views=2, width=192, coefficient=20.0)
    model = ReIDModel(backbone, sie=sie).eval()
    seen = []
    inner = sie.forward
    monkeypatch.setattr(sie, "forward", lambda n, c, v: seen.append(v.tolist()) or inner(n, c, v))
    recipe = load_recipe("clip-reid", ["sie.attribute=side"])
    info = INFO.updated(view_values=tuple(SIDES[:2]), recipe=recipe)
    classify(model, manifest, {"side": ["{side}"]}, info)
    assert seen == [[-1] * 20]
    seen.clear()
    classify(model, manifest, {"side": ["{side}"]}, INFO.updated(view_values=("0", "1")))
    assert seen == [[(0, 1, -1)[row % 3] for row in range(20)]]


def test_progress_counts_images(model, manifest):
    class Recorder:
        def __init__(self):
            self.calls = []

        def start(self, title, total, unit):
            self.calls.append((title, total, unit))

        def advance(self, count):
            self.calls.append(count)

        def finish(self):
            self.calls.append("done")

    progress = Recorder()
    classify(model, manifest, {"tone": ["{tone}"]}, batch_size=16, progress=progress)
    assert progress.calls == [("reading attributes of crops", 20, "images"), 16, 4, "done"]


@pytest.mark.slow
def test_the_shipped_weights_read_skin_off_rendered_hands(tmp_path):
    write_hands(
        tmp_path / "hands",
        identities=16,
        seed=3,
        images_per_aspect=(2, 2),
        size=128,
        aspects=("dorsal right",),
    )
    data = load_data(f"hands11k:{tmp_path / 'hands'}?thresholds=half")
    backbone = build_backbone("tiny", pretrained="auto", image_size=(128, 128))
    scores = classify_attributes(
        Embedder(ReIDModel(backbone), CheckpointInfo(preprocess=backbone.native)),
        data.manifest,
        {"skin": ["a photo of a {aspect} hand of a person with {skin} skin"]},
    )["skin"]
    assert scores.missing == 0
    assert scores.chance <= 1 / 3
    assert min(scores.accuracy, scores.balanced_accuracy) > scores.majority + 0.15
