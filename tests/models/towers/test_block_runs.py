"""Blocks that are compiled or computed again: the same results, names and statistics."""

import copy

import pytest
import torch
from facts import lacking
from small_models import RESNET, VIT, small_architecture, small_backbone, take_over

from promptreid.errors import ModelError
from promptreid.models.towers import block_runs
from promptreid.models.towers.block_runs import BlockRuns
from promptreid.models.towers.recomputing import run_in_parts

TIMM = {"timm_model_name": "test_vit", "timm_pool": "token", "timm_proj": "linear"}
ROPE = {"timm_model_name": "vit_pe_core_tiny_patch16_384", "timm_pool": "map", "timm_proj": None}
TOWERS = {
    "ViT": VIT,
    "ResNet": RESNET,
    "timm": TIMM | {"image_size": 160},
    "timm by name": ROPE | {"image_size": 384},  # its blocks take rotations by name
}


def backbone_of(kind):
    more = {"custom_text": True, "quick_gelu": False} if kind.startswith("timm") else {}
    architecture = small_architecture(TOWERS[kind], **more)
    if kind == "timm by name":
        architecture.config["embed_dim"] = 192
    backbone = take_over(architecture, architecture.build(seed=1))
    backbone.image.fit((64, 64), None)
    backbone.image.train()
    return backbone


def images():
    return torch.randn(4, 3, 64, 64, generator=torch.Generator().manual_seed(0))


def passed(backbone, **settings):
    """Run a pass forwards and backwards; return features, gradients and buffers by name."""
    said = []
    if settings:
        defaults = {"compiled": False, "checkpointed": False}
        backbone.run_blocks(**(defaults | settings), say=said.append)
    tower = backbone.image
    torch.manual_seed(3)
    features = tower(images())
    (features.projected.square().mean() + features.penultimate.mean()).backward()
    kept = {"projected": features.projected.detach()}
    kept |= {f"grad/{name}": p.grad for name, p in tower.named_parameters() if p.grad is not None}
    return kept | dict(tower.named_buffers()), said


@pytest.mark.parametrize("kind", TOWERS)
def test_blocks_computed_again_change_nothing_at_all(kind):
    plain, _ = passed(backbone_of(kind))
    found, said = passed(backbone_of(kind), checkpointed=True)
    assert [name for name in plain if not torch.equal(plain[name], found[name])] == []
    assert plain.keys() == found.keys()
    assert said == []


@pytest.mark.parametrize("kind", TOWERS)
def test_blocks_are_computed_twice_with_gradients_and_once_without(kind):
    backbone, calls = backbone_of(kind), []
    backbone.run_blocks(compiled=False, checkpointed=True, say=calls.append)
    part = next(
        m
        for m in backbone.image.blocks()[0].modules()
        if isinstance(m, torch.nn.LayerNorm | torch.nn.BatchNorm2d)
    )
    part.register_forward_hook(lambda *_: calls.append(1))
    with torch.no_grad():
        backbone.image(images())
    assert len(calls) == 1
    backbone.image(images()).projected.sum().backward()
    assert len(calls) == 3


def test_sentences_have_the_same_gradient():
    grads = []
    for checkpointed in (False, True):
        backbone = small_backbone()
        backbone.run_blocks(compiled=False, checkpointed=checkpointed, say=print)
        words = torch.randn(3, 6, 128, generator=torch.Generator().manual_seed(1))
        words.requires_grad_()
        shared = torch.randn(2, 128, generator=torch.Generator().manual_seed(2))
        backbone.text.encode_embeddings(words, 6, shared=shared).square().sum().backward()
        grads.append(words.grad)
    assert torch.equal(*grads)


def test_a_copy_of_a_block_computes_with_its_own_weights():
    backbone = backbone_of("ResNet")
    backbone.run_blocks(compiled=False, checkpointed=True, say=print)
    twin = copy.deepcopy(backbone)
    with torch.no_grad():
        for parameter in twin.image.parameters():
            parameter.zero_()
    assert backbone.image(images()).projected.abs().sum() > 0
    assert twin.image(images()).projected.abs().sum() == 0


def compiled_by(backend):
    """Return a `torch.compile` that leaves code to another compiler."""
    compile = torch.compile

    def by(step, *, dynamic):
        assert dynamic is False
        return compile(step, dynamic=dynamic, backend=backend)

    return by


@pytest.mark.parametrize("checkpointed", [False, True])
@pytest.mark.parametrize("kind", TOWERS)
def test_compiled_blocks_differ_by_rounding_alone(kind, checkpointed, monkeypatch):
    plain, _ = passed(backbone_of(kind))
    monkeypatch.setattr(torch, "compile", compiled_by("aot_eager"))
    backbone = backbone_of(kind)
    names = list(backbone.state_dict())
    found, said = passed(backbone, compiled=True, checkpointed=checkpointed)
    assert said == []
    assert list(backbone.state_dict()) == names
    for name in plain:
        torch.testing.assert_close(found[name], plain[name], atol=1e-5, rtol=1e-4)


def test_batch_norms_that_would_be_moved_twice_are_not_compiled(monkeypatch):
    plain, _ = passed(backbone_of("ResNet"))
    monkeypatch.setattr(block_runs, "_MOVES_STATISTICS_TWICE", True)
    monkeypatch.setattr(torch, "compile", lambda *a, **k: pytest.fail("compiled"))
    found, said = passed(backbone_of("ResNet"), compiled=True, checkpointed=True)
    assert [name for name in plain if not torch.equal(plain[name], found[name])] == []
    assert said == []


def test_parts_that_are_computed_again_run_as_they_are(monkeypatch):
    plain, _ = passed(backbone_of("ViT"))
    monkeypatch.setattr(torch, "compile", compiled_by("aot_eager"))
    backbone, said = backbone_of("ViT"), []
    backbone.run_blocks(compiled=True, checkpointed=False, say=said.append)
    found = run_in_parts(lambda some: backbone.image(some).projected, images(), parts=2)
    torch.cat(found).square().mean().backward()
    torch.testing.assert_close(torch.cat(found).detach(), plain["projected"])
    assert said == []


@pytest.mark.slow
def test_the_compiler_of_torch_gives_the_same_gradient():
    """One layer; what the compiler is given of whole towers is compared before."""
    block, said = torch.nn.LayerNorm(16), []
    inputs = torch.randn(4, 16, generator=torch.Generator().manual_seed(0))
    grads = []
    for compiled in (False, True):
        runs = BlockRuns(compiled=compiled, checkpointed=False, say=said.append)
        rows = inputs.clone().requires_grad_()
        runs(torch.nn.LayerNorm.forward, block, rows).pow(3).sum().backward()
        grads.append(rows.grad)
    torch.testing.assert_close(*grads, atol=1e-5, rtol=1e-4)
    assert said == [] or not lacking(said[0], "hardware.compile")  # a machine without a compiler


def test_without_a_compiler_one_sentence_is_said_and_blocks_run_as_they_are(monkeypatch):
    def broken(graph, inputs):
        raise FileNotFoundError("no C++ compiler: g++")

    plain, _ = passed(backbone_of("ViT"))
    monkeypatch.setattr(torch, "compile", compiled_by(broken))
    found, said = passed(backbone_of("ViT"), compiled=True)
    assert len(said) == 1
    assert not lacking(said[0], "hardware.compile", "g++")
    assert [name for name in plain if not torch.equal(plain[name], found[name])] == []


def test_memory_that_runs_out_is_no_failure_of_the_compiler(monkeypatch):
    def full(step, *, dynamic):
        def run(*inputs):
            raise RuntimeError("DefaultCPUAllocator: not enough memory")

        return run

    monkeypatch.setattr(torch, "compile", full)
    with pytest.raises(RuntimeError, match="not enough memory"):
        passed(backbone_of("ViT"), compiled=True)


def test_a_tower_without_known_blocks_says_so(monkeypatch):
    backbone = backbone_of("ViT")
    monkeypatch.setattr(type(backbone.image), "blocks", lambda self: [])
    with pytest.raises(ModelError) as caught:
        backbone.run_blocks(compiled=False, checkpointed=True, say=print)
    assert not lacking(str(caught.value), "small", "hardware.compile", "hardware.checkpointing")
    backbone.run_blocks(compiled=False, checkpointed=False, say=print)
