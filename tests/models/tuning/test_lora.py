import copy
import re

import pytest
import torch
from small_models import RESNET, VIT, small_architecture, small_backbone, take_over

from promptreid.config.model import LoraConfig
from promptreid.errors import ModelError
from promptreid.models.tuning.lora import find_matrices
from promptreid.models.tuning.tuning import attach_tuning, fold_tuning, tuning_part

BOTH = ("attention", "mlp")


def plain_name(name):
    """The name a parameter had before updates were attached."""
    return re.sub(r"\.parametrizations\.(\w+)\.original$", r".\1", name)


def timm(name, pool, proj):
    return {"timm_model_name": name, "timm_pool": pool, "timm_proj": proj, "image_size": 160}


SIGLIP = timm("test_vit3", "map", "none")
CONV = timm("test_convnext", "", "mlp")
TOWERS = {
    "clip": (VIT, BOTH),
    "custom block": (VIT | {"qk_norm": True, "ls_init_value": 0.1}, BOTH),
    "resnet": (RESNET, ("attention",)),
    "siglip": (SIGLIP, BOTH),
    "convnext": (CONV, ("mlp",)),
}
cases = pytest.mark.parametrize(("vision", "targets"), TOWERS.values(), ids=TOWERS)


def draw(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def build(vision):
    if "timm_model_name" not in vision:
        return small_backbone(vision).image
    architecture = small_architecture(vision, custom_text=True)
    architecture.config["embed_dim"] = 96 if vision["timm_proj"] == "none" else 64
    tower = take_over(architecture, architecture.build(seed=1)).image
    tower.fit((64, 64), None)
    for name, parameter in tower.named_parameters():
        if name.endswith("gamma"):  # a fresh ConvNeXt hardly lets its blocks speak
            torch.nn.init.ones_(parameter)
    return tower


def attach(tower, targets=("attention",), *, rank=4, alpha=6.0, seed=0):
    generator = torch.Generator().manual_seed(seed)
    attach_tuning(
        tower, lora=LoraConfig(rank=rank, alpha=alpha, targets=targets), generator=generator
    )


def factors(tower):
    return {name: p for name, p in tower.named_parameters() if tuning_part(name) == "lora"}


def fill(tower):
    """Give the updates a size that matters."""
    with torch.no_grad():
        for number, (name, parameter) in enumerate(factors(tower).items()):
            if name.endswith("up"):
                parameter.copy_(0.1 * draw(*parameter.shape, seed=number))


def outputs(tower, images):
    found = tower(images, tokens=True)
    return found.penultimate, found.final, found.projected, found.tokens, tower(images).projected


@cases
@torch.no_grad()
def test_attaching_changes_no_bit(vision, targets):
    # Frozen as it is afterwards: torch before 2.14 sums in another order where weights may learn.
    tower, images = build(vision).requires_grad_(False), draw(2, 3, 64, 64)
    before = outputs(tower, images)
    attach(tower, targets)
    assert factors(tower)
    for old, new in zip(before, outputs(tower, images), strict=True):
        assert torch.equal(old, new)


@cases
@torch.no_grad()
def test_the_update_is_alpha_over_rank_times_the_product_in_each_projection(vision, targets):
    plain, tower, images = build(vision), build(vision), draw(2, 3, 64, 64)
    attach(tower, targets, rank=3, alpha=2.0)
    fill(tower)
    found = factors(tower)
    for matrix in find_matrices(plain):
        if matrix.target not in targets:
            continue
        path, _, name = matrix.path.rpartition(".")
        down, up = (found[f"{path}.parametrizations.{name}.0.{kind}"] for kind in ("down", "up"))
        rows = matrix.value.shape[0] // matrix.pieces
        for piece in range(matrix.pieces):
            for row in range(rows):
                update = sum(up[piece, row, k] * down[piece, k] for k in range(3))
                matrix.value[piece * rows + row] += 2.0 / 3 * update
    for new, expected in zip(outputs(tower, images), outputs(plain, images), strict=True):
        assert torch.allclose(new, expected, atol=1e-4, rtol=1e-4)
    assert (tower(images).projected - build(vision)(images).projected).abs().max() > 1e-3


@cases
@torch.no_grad()
def test_merging_keeps_the_bits_and_gives_the_names_back(vision, targets):
    tower, images = build(vision), draw(2, 3, 64, 64)
    names = set(tower.state_dict())
    attach(tower, targets)
    assert {plain_name(name) for name in tower.state_dict() if tuning_part(name) != "lora"} == names
    fill(tower)
    tower.requires_grad_(False)
    before = outputs(tower, images)
    fold_tuning(tower)
    for old, new in zip(before, outputs(tower, images), strict=True):
        assert torch.equal(old, new)
    assert set(tower.state_dict()) == names
    assert tower.tuning == {}
    build(vision).load_state_dict(tower.state_dict())


@pytest.mark.parametrize(
    ("vision", "targets", "expected"),
    [
        (VIT, ("attention",), {"attn.in_proj_weight", "attn.out_proj.weight"}),
        (VIT, ("mlp",), {"mlp.c_fc.weight", "mlp.c_proj.weight"}),
        (RESNET, ("attention",), {f"attnpool.{x}_proj.weight" for x in "qkvc"}),
    ],
    ids=["attention", "mlp", "resnet"],
)
def test_targets(vision, targets, expected):
    tower = build(vision)
    attach(tower, targets)
    prefixes = [""] if vision is RESNET else [f"transformer.resblocks.{i}." for i in range(3)]
    changed = {plain_name(n) for n, _ in tower.named_parameters() if n.endswith(".original")}
    assert changed == {prefix + name for prefix in prefixes for name in expected}
    for name, parameter in factors(tower).items():
        assert parameter.shape[2 if name.endswith("up") else 1] == 4
        assert parameter.shape[0] == (3 if "in_proj_weight" in name else 1)


def test_the_projection_of_a_timm_encoder_is_no_perceptron_of_a_block():
    tower = build(CONV)
    assert isinstance(tower.head.mlp, torch.nn.Module)
    assert all(matrix.path.startswith("trunk.stages.") for matrix in find_matrices(tower))
    assert any(
        matrix.path.startswith("trunk.attn_pool.") for matrix in find_matrices(build(SIGLIP))
    )


def test_maps_of_relative_positions_are_no_targets():
    vision = timm("vit_relpos_medium_patch16_cls_224", "token", "linear") | {"image_size": 224}
    architecture = small_architecture(vision, custom_text=True)
    tower = take_over(architecture, architecture.build(empty=True)).image
    assert any("rel_pos.mlp" in name for name, _ in tower.named_parameters())
    names = [matrix.path.rsplit(".", 3)[1:] for matrix in find_matrices(tower)]
    block = [["attn", "qkv"], ["attn", "proj"], ["mlp", "fc1"], ["mlp", "fc2"]]
    assert names == [[*words, "weight"] for words in block] * 12


def test_initial_factors_follow_the_generator():
    one, same, other = (build(VIT) for _ in range(3))
    for tower, seed in ((one, 1), (same, 1), (other, 2)):
        attach(tower, seed=seed)
    for name, parameter in factors(one).items():
        if name.endswith("up"):
            assert not parameter.any()
            continue
        bound = parameter.shape[-1] ** -0.5
        assert 0.9 * bound < parameter.abs().max() <= bound
        assert torch.equal(parameter, factors(same)[name])
        assert not torch.equal(parameter, factors(other)[name])
    first = factors(one)["transformer.resblocks.0.attn.parametrizations.in_proj_weight.0.down"]
    assert not torch.equal(first[0], first[1])


def test_the_update_keeps_its_precision_under_autocast():
    tower, images = build(VIT), draw(2, 3, 64, 64)
    attach(tower, BOTH)
    fill(tower)
    merged = copy.deepcopy(tower)
    fold_tuning(merged)
    with torch.no_grad(), torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(tower(images).projected, merged(images).projected)


def test_a_copy_is_independent():
    tower, images = build(VIT), draw(2, 3, 64, 64)
    attach(tower)
    twin = copy.deepcopy(tower)
    with torch.no_grad():
        before = tower(images).projected
        fill(twin)
        assert torch.equal(tower(images).projected, before)
        assert not torch.equal(twin(images).projected, before)
        merged = twin(images).projected
        fold_tuning(twin)
        assert torch.equal(tower(images).projected, before)
        assert torch.equal(twin(images).projected, merged)
    assert factors(tower)
    assert not factors(twin)


def test_only_the_factors_learn_when_the_tower_is_frozen():
    tower = build(VIT)
    attach(tower, BOTH)
    tower.requires_grad_(False)
    learning = factors(tower)
    for parameter in learning.values():
        parameter.requires_grad_(True)
    optimizer = torch.optim.SGD(learning.values(), lr=0.1)
    for step in range(2):
        optimizer.zero_grad()
        tower(draw(2, 3, 64, 64)).projected.square().sum().backward()
        for name, parameter in learning.items():
            # The gradient of `down` is a multiple of `up`, which starts at zero.
            assert bool(parameter.grad.any()) == (step > 0 or name.endswith("up")), name
        optimizer.step()
    assert all(p.grad is None for n, p in tower.named_parameters() if n not in learning)


def test_what_cannot_be_updated_is_refused():
    with pytest.raises(ModelError, match=r"no mlp matrices .* it has attention"):
        attach(build(RESNET), BOTH)
    with pytest.raises(ModelError, match=r"no attention matrices .* it has mlp"):
        attach(build(CONV))
    tower = build(VIT)
    with pytest.raises(ModelError, match=r"lora\.rank is 129, but .*in_proj_weight has rank 128"):
        attach(tower, rank=129)
    assert not factors(tower)
    assert tower.tuning == {}
