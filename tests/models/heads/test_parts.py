import copy
from dataclasses import replace

import pytest
import torch
from small_heads import mgn_parts, pcb_parts, small_head, small_parts
from small_models import RESNET, VIT, small_architecture, small_backbone, take_over, tower_widths
from torch.nn.utils import parametrize

from promptreid.config.base import CLASSIFIERS
from promptreid.config.model import LoraConfig, PartsConfig, VisualPromptConfig
from promptreid.errors import ModelError
from promptreid.models.heads.branches import average_stripes
from promptreid.models.towers.blocks import run_block
from promptreid.models.tuning.tuning import attach_tuning

AVERAGED = VIT | {"pool_type": "avg"}
NORMED_LAST = AVERAGED | {"final_ln_after_pool": True}
TOWERS = {"vit": VIT, "averaged": AVERAGED, "norm after pool": NORMED_LAST, "resnet": RESNET}
# Seven rows for the transformers, six for the ResNet: not divisible by every number of stripes.
SIZE = (96, 48)


def build(vision):
    tower = small_backbone(vision).image
    tower.fit(SIZE, None if vision is RESNET else 12)
    # Weights as after training: norms that scale and shift, running statistics that moved.
    generator = torch.Generator().manual_seed(3)
    with torch.no_grad():
        for name, value in (*tower.named_parameters(), *tower.named_buffers()):
            if ("ln_post" in name or "bn" in name) and value.is_floating_point():
                value.add_(torch.rand(value.shape, generator=generator))
    return tower.eval()


def images(count=3):
    return torch.randn(count, 3, *SIZE, generator=torch.Generator().manual_seed(0))


@pytest.fixture(params=TOWERS.values(), ids=TOWERS)
def tower(request):
    return build(request.param)


def naive_stripes(tower, tokens, stripes):
    """Average stripes row by row, norming where the tower does; (B, D) each."""
    rows, columns = tower.grid
    cells = tokens[:, -rows * columns :]
    norm = getattr(tower, "ln_post", torch.nn.Identity())
    last = getattr(tower, "norm_after_pool", False)
    found = []
    for stripe in range(stripes):
        taken = [row for row in range(rows) if stripe == (row * stripes + stripes - 1) // rows]
        picked = [cells[:, row * columns + column] for row in taken for column in range(columns)]
        total = sum(cell if last else norm(cell) for cell in picked) / len(picked)
        found.append(norm(total) if last else total)
    return found


@pytest.mark.parametrize("extra", range(11))
@pytest.mark.parametrize("stripes", [2, 3, 6])
def test_stripes_share_rows_out_evenly(extra, stripes):
    rows = stripes + extra
    # A stripe's mean of one-hot rows shows which rows are in it, and how many.
    cells = torch.eye(rows).repeat_interleave(4, dim=0)[None]
    found = average_stripes(cells, (rows, 4), stripes)[0]
    members = found > 0
    assert members.sum(dim=0).tolist() == [1] * rows
    heights = members.sum(dim=1)
    assert heights.min() >= 1
    assert heights.max() - heights.min() <= 1
    assert torch.allclose(found.sum(dim=1), torch.ones(stripes))
    first_to_last = [torch.nonzero(row).flatten().tolist() for row in members]
    assert [row for stripe in first_to_last for row in stripe] == list(range(rows))


@torch.no_grad()
@pytest.mark.parametrize("stripes", [2, 3, 6])
def test_pcb_equals_naive_averages_of_rows(tower, stripes):
    parts = pcb_parts(tower, stripes, 5).eval()
    features = tower(images(), tokens=True)
    found = parts(features)
    assert parts.widths == {f"part{number}": 5 for number in range(1, stripes + 1)}
    assert list(found) == list(parts.widths)
    for (name, part), mean in zip(
        found.items(), naive_stripes(tower, features.tokens, stripes), strict=True
    ):
        layer = parts.reductions[name].linear.weight
        expected = (mean @ layer.T / (1 + 1e-5) ** 0.5).clamp(min=0)
        assert torch.allclose(part, expected, atol=1e-5)
        assert part.min() == 0 < part.max()


@torch.no_grad()
def test_every_branch_of_mgn_starts_as_the_tower(tower):
    parts = mgn_parts(tower, 5).eval()
    features = tower(images(), tokens=True)
    wholes, stripes = parts.unreduced(features)
    assert [tuple(whole.shape) for whole in wholes] == [(3, tower.widths[1])] * 3
    for whole in wholes:
        assert torch.allclose(whole, features.final, atol=1e-5)
    expected = [part for count in (2, 3) for part in naive_stripes(tower, features.tokens, count)]
    for part, wanted in zip(stripes, expected, strict=True):
        assert torch.allclose(part, wanted, atol=1e-5)
    found = parts(features)
    names = ["global1", "global2", "global3", "part1", "part2", "part3", "part4", "part5"]
    assert list(found) == list(parts.widths) == names
    for (name, value), whole in zip(found.items(), [*wholes, *stripes], strict=True):
        layer = parts.reductions[name].linear.weight
        assert torch.allclose(value, (whole @ layer.T / (1 + 1e-5) ** 0.5).clamp(min=0), atol=1e-5)


@torch.no_grad()
def test_branches_are_copies_of_their_own(tower):
    tower.requires_grad_(False)
    parts = mgn_parts(tower, 5).eval()
    assert all(parameter.requires_grad for parameter in parts.parameters())
    storages = [p.data_ptr() for p in (*tower.parameters(), *parts.parameters())]
    assert len(storages) == len(set(storages))
    features = tower(images(), tokens=True)
    before = parts(features)
    for parameter in tower.parameters():
        parameter.zero_()
    after = parts(features)
    assert all(torch.equal(before[name], after[name]) for name in before)
    assert not any(name.startswith("tower") for name in parts.state_dict())


@pytest.mark.parametrize("kind", ["pcb", "mgn"])
@pytest.mark.parametrize("vision", [VIT, RESNET], ids=["vit", "resnet"])
def test_gradients_reach_every_parameter(vision, kind):
    tower = build(vision).train()
    parts = small_parts(tower, kind=kind, stripes=3, width=4)
    head = small_head(
        tower_widths(tower),
        3,
        features=tuple(parts.widths),
        classifiers=CLASSIFIERS,
        parts=parts.options,
        tower=tower,
        generator=torch.Generator().manual_seed(1),
    ).train()
    derived = head.derive(tower(images(6), tokens=True))
    labels = torch.arange(6) % 3
    loss = sum(
        torch.nn.functional.cross_entropy(scores, labels)
        for kind in CLASSIFIERS
        for scores in head.scores(derived, kind)
    )
    loss.backward()
    for name, parameter in head.named_parameters():
        if parameter.requires_grad:
            assert parameter.grad is not None, name
            assert parameter.grad.abs().max() > 0, name
    stem = tower.conv1.weight
    assert stem.grad.abs().max() > 0


def test_first_weights_come_from_the_generator(tower):
    def weights(kind, seed):
        parts = small_parts(tower, kind=kind, generator=torch.Generator().manual_seed(seed))
        return parts.reductions["part2"].linear.weight

    for kind in ("pcb", "mgn") if tower.grid[0] >= 6 else ("mgn",):
        assert torch.equal(weights(kind, 1), weights(kind, 1))
        assert not torch.equal(weights(kind, 1), weights(kind, 2))


def timm_tower(name, pool, proj):
    vision = {"timm_model_name": name, "timm_pool": pool, "timm_proj": proj, "image_size": 160}
    architecture = small_architecture(
        vision, custom_text=True, init_logit_bias=-10, quick_gelu=False, embed_dim=96
    )
    tower = take_over(architecture, architecture.build(seed=1)).image
    tower.fit((160, 160), None)
    return tower


@torch.no_grad()
@pytest.mark.parametrize(
    "options",
    [
        ("test_vit3", "map", "none"),
        ("test_vit", "token", "linear"),
        ("test_convnext", "", "linear"),
    ],
    ids=["siglip", "class token", "convnext"],
)
def test_towers_of_timm(options):
    tower = timm_tower(*options)
    parts = pcb_parts(tower, 4, 5).eval()
    features = tower(torch.randn(2, 3, 160, 160), tokens=True)
    found = parts(features)
    for (name, part), mean in zip(
        found.items(), naive_stripes(tower, features.tokens, 4), strict=True
    ):
        layer = parts.reductions[name].linear.weight
        assert torch.allclose(part, (mean @ layer.T / (1 + 1e-5) ** 0.5).clamp(min=0), atol=1e-5)
    with pytest.raises(ModelError, match=r"parts\.kind: mgn.*timm"):
        mgn_parts(tower)


@torch.no_grad()
@pytest.mark.parametrize("vision", [VIT, NORMED_LAST], ids=["vit", "norm after pool"])
def test_low_rank_updates_are_folded_into_the_copies(vision):
    tower = build(vision)
    names = list(mgn_parts(tower, 5).state_dict())
    attach_tuning(tower, lora=LoraConfig(rank=2, targets=("attention", "mlp")))
    for name, parameter in tower.named_parameters():
        if name.endswith("up"):
            parameter.normal_(std=0.1)
    learning = set(tower.state_dict())
    parts = mgn_parts(tower, 5).eval()
    assert list(parts.state_dict()) == names
    assert not any(parametrize.is_parametrized(module) for module in parts.modules())
    features = tower(images(), tokens=True)
    for whole in parts.unreduced(features)[0]:
        assert torch.allclose(whole, features.final, atol=1e-5)
    # The tower still has its updates, which still work.
    assert set(tower.state_dict()) == learning
    tower.get_parameter("transformer.resblocks.2.mlp.c_fc.parametrizations.weight.0.up").zero_()
    assert not torch.allclose(tower(images()).final, features.final, atol=1e-3)


@torch.no_grad()
@pytest.mark.parametrize("deep", [False, True], ids=["shallow", "deep"])
def test_stripes_leave_a_visual_prompt_out(deep):
    tower = build(VIT)
    attach_tuning(tower, visual_prompt=VisualPromptConfig(tokens=2, deep=deep))
    features = tower(images(), tokens=True)
    pcb = pcb_parts(tower, 3, 5).eval()
    for (name, part), mean in zip(
        pcb(features).items(), naive_stripes(tower, features.tokens, 3), strict=True
    ):
        layer = pcb.reductions[name].linear.weight
        assert torch.allclose(part, (mean @ layer.T / (1 + 1e-5) ** 0.5).clamp(min=0), atol=1e-5)
    last = tower.transformer.resblocks[-1]
    expected = tower.ln_post(run_block(last, features.before)[:, 0])
    assert features.before.shape[1] == 1 + tower.grid[0] * tower.grid[1]
    for whole in mgn_parts(tower, 5).eval().unreduced(features)[0]:
        assert torch.allclose(whole, expected, atol=1e-5)


@torch.no_grad()
def test_a_copied_head_stands_alone(tower):
    head = small_head(
        tower_widths(tower), 0, parts=PartsConfig(kind="mgn", width=5), tower=tower
    ).eval()
    twin = copy.deepcopy(head)
    features = tower(images(), tokens=True)
    wanted = head.derive(features)
    for parameter in head.parameters():
        parameter.zero_()
    found = twin.derive(features)
    assert all(torch.equal(found[name], wanted[name]) for name in wanted)


@pytest.mark.parametrize("kind", ["pcb", "mgn"])
def test_shapes_come_from_a_tower_without_values(tower, kind):
    parts = small_parts(tower, kind=kind, stripes=2, width=4).eval()
    empty = copy.deepcopy(tower).to("meta")
    other = small_parts(empty, **parts.options.model_dump()).eval()
    other.load_state_dict(parts.state_dict(), strict=True, assign=True)
    with torch.no_grad():
        features = tower(images(), tokens=True)
        found, wanted = other(features), parts(features)
    assert all(torch.equal(found[name], wanted[name]) for name in wanted)


def test_half_precision(tower):
    head = small_head(
        tower_widths(tower),
        3,
        features=("part1", "global1"),
        classifiers=("linear", "arcface"),
        parts=PartsConfig(kind="mgn", width=5),
        tower=tower,
    )
    with torch.autocast("cpu", torch.bfloat16):
        derived = head.derive(tower(images(), tokens=True))
        scores = head.scores(derived, "arcface")
    assert all(score.dtype == torch.float32 for score in scores)
    assert all(torch.isfinite(value).all() for value in derived.values())


def test_impossible_parts_are_refused(tower):
    rows = tower.grid[0]
    with pytest.raises(ModelError, match=rf"{rows + 1} stripes need .* 96x48 .* give {rows}x"):
        pcb_parts(tower, rows + 1)
    assert len(pcb_parts(tower, rows).widths) == rows


def test_low_images_have_no_three_stripes():
    tower = small_backbone().image
    tower.fit((32, 64), 16)
    with pytest.raises(ModelError, match="3 stripes need at least 3 rows"):
        mgn_parts(tower)


def test_tokens_must_be_there_and_be_a_grid(tower):
    features = tower(images())
    for parts in (pcb_parts(tower, 2), mgn_parts(tower)):
        with pytest.raises(ModelError, match="tokens=True"):
            parts(features)
    tokens = tower(images(), tokens=True).tokens
    more = replace(features, tokens=torch.cat([tokens, tokens[:, -1:]], dim=1))
    with pytest.raises(ModelError, match="need a grid"):
        pcb_parts(tower, 2)(more)
