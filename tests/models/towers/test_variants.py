"""The architectures named in the documentation, two blocks deep, with random weights."""

import gc
from functools import partial

import pytest
import timm
import torch
from small_models import take_over
from small_prompts import identity_prompt

from promptreid.config.model import EmbeddingConfig
from promptreid.models.reid import ReIDModel
from promptreid.models.weights.architecture import find_architecture

pytestmark = pytest.mark.slow

VARIANTS = {
    # name: (native check, image size, stride, grid, widths)
    "ViT-B-16": (True, (256, 128), 12, (21, 10), (768, 768, 512)),
    "ViT-B-32": (True, (256, 128), None, (8, 4), (768, 768, 512)),
    "RN50": (True, (256, 128), None, (16, 8), (1024, 2048, 1024)),
    "ViT-B-16-SigLIP": (True, (256, 128), 12, (21, 10), (768, 768, 768)),
    "ViT-L-14": (False, (112, 56), None, (8, 4), (1024, 1024, 768)),
}


@pytest.mark.parametrize("name", VARIANTS)
@torch.no_grad()
def test_variant(name, monkeypatch):
    native, size, stride, grid, widths = VARIANTS[name]
    architecture = find_architecture(name)
    # OpenCLIP has timm build the image tower of SigLIP, whose depth no setting of it says.
    monkeypatch.setattr(timm, "create_model", partial(timm.create_model, depth=2))
    for part in ("vision_cfg", "text_cfg"):
        if isinstance(architecture.config[part].get("layers"), int):
            architecture.config[part]["layers"] = 2
    model = architecture.build(seed=0)
    side = architecture.config["vision_cfg"]["image_size"]
    generator = torch.Generator().manual_seed(0)
    images = torch.randn(1, 3, side, side, generator=generator)
    tokens = torch.zeros(1, architecture.config["text_cfg"]["context_length"], dtype=torch.long)
    tokens[0, :9] = torch.arange(900, 909)
    expected_image = model.encode_image(images) if native else None
    expected_text = model.encode_text(tokens)

    backbone = take_over(architecture, model)
    text = backbone.text.encode_tokens(tokens)
    assert torch.allclose(text, expected_text, atol=1e-4 * float(expected_text.abs().max()))
    if expected_image is not None:
        backbone.image.fit((side, side), 32 if name == "RN50" else None)
        found = backbone.image(images).projected
        assert torch.allclose(found, expected_image, atol=1e-4 * float(expected_image.abs().max()))

    backbone.image.fit(size, stride)
    assert backbone.image.grid == grid
    assert backbone.image.widths == widths
    reid = ReIDModel(
        backbone, embedding=EmbeddingConfig(features=("penultimate", "final", "projected"))
    )
    vectors = reid.embed(torch.randn(2, 3, *size, generator=generator))
    assert vectors.shape == (2, sum(widths))
    assert torch.allclose(vectors.norm(dim=1), torch.ones(2), atol=1e-5)
    assert (vectors[0] - vectors[1]).abs().max() > 1e-4
    if "SigLIP" not in name:  # its tokenizer is not part of OpenCLIP
        prompt = identity_prompt(backbone, 2)
        assert (prompt.slots[0].start, prompt.slots[0].eot) == (5, 11)
        bank = prompt.bank()[0]
        assert bank.shape == (2, widths[2])
        assert (bank[0] - bank[1]).abs().max() > 1e-4
    del model, backbone, reid
    gc.collect()
