"""Models that embed in 16 bits: near float32, copies, and whatever is in or around the tower."""

import pytest
import torch
from facts import lacking
from small_models import RESNET, small_backbone

from promptreid.config.model import AdapterConfig, LoraConfig, VisualPromptConfig
from promptreid.data.images.preprocess import Preprocess
from promptreid.errors import ConfigError, ModelError
from promptreid.inference.embedder import Embedder
from promptreid.models.checkpoint_info import CheckpointInfo
from promptreid.models.reid import ReIDModel
from promptreid.models.towers.precision import choose_precision, in_precision
from promptreid.models.tuning.tuning import attach_tuning


def images(count=8):
    return torch.randn(count, 3, 64, 64, generator=torch.Generator().manual_seed(0))


def model_with(**tuning):
    backbone = small_backbone()
    if tuning:
        attach_tuning(backbone.image, **tuning, generator=torch.Generator().manual_seed(1))
    return ReIDModel(backbone).eval()


@pytest.mark.parametrize("precision", ["bf16", "fp16"])
@pytest.mark.parametrize(
    "tuning",
    [
        {},
        {"lora": LoraConfig(rank=2)},
        {"visual_prompt": VisualPromptConfig(tokens=3, deep=True)},
        {"adapter": AdapterConfig(groups=4)},
    ],
)
def test_embeddings_are_near_float32(tuning, precision):
    model = model_with(**tuning)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if name.endswith(".up"):  # an update that is not zero any more
                parameter.normal_(std=0.05)
        small = in_precision(model, precision)
        exact, found = model.embed(images()), small.embed(images())
    assert found.dtype == torch.float32
    assert not torch.equal(exact, found)
    assert (exact.double() * found.double()).sum(1).min() > 0.9999
    assert not any(parameter.requires_grad for parameter in small.parameters())


def test_fp32_is_the_model_itself_and_auto_asks_the_device():
    model = model_with()
    assert in_precision(model, "fp32") is model
    for automatic in ("bf16", "fp16", "fp32"):
        assert choose_precision(model, "auto", automatic=automatic) == automatic
        assert choose_precision(model, "fp16", automatic=automatic) == "fp16"


def test_architectures_without_plain_blocks_stay_in_float32():
    model = ReIDModel(small_backbone(RESNET))
    assert choose_precision(model, "auto", automatic="bf16") == "fp32"
    with pytest.raises(ModelError) as caught:
        choose_precision(model, "fp16", automatic="bf16")
    assert not lacking(str(caught.value), "small", "fp16", "fp32", "auto")


def test_unknown_precisions_are_named():
    with pytest.raises(ConfigError) as caught:
        choose_precision(model_with(), "bfloat61", automatic="fp32")
    assert not lacking(str(caught.value), "bfloat61", "auto", "bf16", "fp16", "fp32")


def test_the_embedder_says_what_it_computes_in():
    model, prepared = model_with(), Preprocess((64, 64))
    assert Embedder(model, CheckpointInfo(preprocess=prepared)).precision == "fp32"
    embedder = Embedder(model, CheckpointInfo(preprocess=prepared), precision="bf16")
    assert embedder.precision == "bf16"
    with torch.no_grad():
        exact = model.embed(images())
    assert (embedder.embed(images()) * exact).sum(1).min() > 0.9999
