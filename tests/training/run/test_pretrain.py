import pytest
import torch

from promptreid.errors import ConfigError, DataError
from promptreid.inference.run_context import RunContext
from promptreid.models.towers.backbone import build_backbone
from promptreid.synth.corpus import CAPTIONS, CorpusPlan, render_corpus
from promptreid.training.run.pretrain import PretrainSettings, pretrain

pytestmark = pytest.mark.slow

PLAN = CorpusPlan(hands=4, people=2, images=7, size=128, seed=3)


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    return render_corpus(tmp_path_factory.mktemp("corpus"), PLAN, workers=1)


def test_plan_decides_the_bytes(corpus, tmp_path):
    again = render_corpus(tmp_path / "again", PLAN, workers=2)
    assert (corpus.pixels == again.pixels).all()
    assert corpus.captions == again.captions
    assert len(corpus) == 42
    assert all(len(sentences) == CAPTIONS for sentences in corpus.captions)
    assert corpus.pixels.shape == (42, 128, 128, 3)


def test_folder_of_another_plan_is_refused(tmp_path):
    small = CorpusPlan(hands=2, people=0, images=1, size=32, seed=0)
    render_corpus(tmp_path, small)
    with pytest.raises(DataError, match="another plan"):
        render_corpus(tmp_path, CorpusPlan(hands=2, people=0, images=1, size=32, seed=1))


@pytest.mark.parametrize("change", [{"hands": 1, "people": 0}, {"images": 0}, {"size": 8}])
def test_plan_that_makes_no_sense(change):
    values = {"hands": 2, "people": 2, "images": 2, "size": 64, "seed": 0}
    with pytest.raises(ConfigError, match="A corpus needs"):
        CorpusPlan(**(values | change))


def test_weights_learn_and_load_as_tiny(corpus, tmp_path):
    out = tmp_path / "tiny.safetensors"
    settings = PretrainSettings(epochs=12, batch=13, lr=2e-3, seed=1)
    measured = pretrain(
        corpus.pixels, corpus.captions, out, settings, context=RunContext(torch.device("cpu"))
    )
    chance = torch.tensor(13.0).log().item()
    assert measured["loss"] < 0.9 * chance
    assert out.stat().st_size <= 8_000_000
    backbone = build_backbone("tiny", pretrained=out)
    assert all(value.isfinite().all() for value in backbone.state_dict().values())
    words = backbone.tokenizer(["a photo of a dorsal right hand", "a photo of a person"])
    hand, person = backbone.text.encode_tokens(words)
    assert torch.cosine_similarity(hand, person, dim=0) < 0.99
