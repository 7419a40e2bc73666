import pytest
import torch
from open_clip.transformer import Transformer

from promptreid.models.towers.blocks import (
    can_share,
    run_block,
    run_block_after,
    run_block_at,
)

KINDS = {
    "plain": {},
    "layer scale": {"ls_init_value": 0.1},
    "custom": {"qk_norm": True},
}


@pytest.fixture(params=KINDS.values(), ids=KINDS)
def block(request):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        block = Transformer(32, 1, 4, **request.param).resblocks[0]
        for parameter in block.parameters():
            torch.nn.init.normal_(parameter, std=0.2)
    return block.eval()


@pytest.fixture
def x():
    return torch.randn(3, 7, 32, generator=torch.Generator().manual_seed(0))


def causal_mask(length):
    return torch.full((length, length), float("-inf")).triu(1)


def close(a, b):
    return torch.allclose(a, b, atol=1e-5)


def test_all_rows_equal_the_block_itself(block, x):
    assert close(run_block(block, x), block(x))
    assert close(run_block(block, x, causal=True), block(x, attn_mask=causal_mask(7)))


@pytest.mark.parametrize("rows", [0, 4, torch.tensor([6, 0, 3])], ids=str)
def test_one_row_equals_that_row_of_the_block(block, x, rows):
    expected = block(x)
    index = rows if isinstance(rows, torch.Tensor) else torch.full((3,), rows)
    assert close(run_block_at(block, x, rows), expected[torch.arange(3), index])


def test_one_row_sees_only_what_is_visible(block, x):
    rows = torch.tensor([6, 0, 3])
    visible = torch.arange(7) <= rows[:, None]
    expected = block(x, attn_mask=causal_mask(7))[torch.arange(3), rows]
    assert close(run_block_at(block, x, rows, visible=visible), expected)


def test_a_shared_beginning_equals_running_it_for_each(x):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        block = Transformer(32, 1, 4).resblocks[0].eval()
    shared = torch.randn(1, 5, 32, generator=torch.Generator().manual_seed(1))
    whole = block(torch.cat([shared.expand(3, -1, -1), x], dim=1), attn_mask=causal_mask(12))
    got_shared, got = run_block_after(block, shared, x)
    assert close(got_shared.expand(3, -1, -1), whole[:, :5])
    assert close(got, whole[:, 5:])


def test_only_plain_blocks_share():
    assert can_share(Transformer(32, 2, 4).resblocks)
    custom = Transformer(32, 2, 4, qk_norm=True).resblocks
    assert not can_share(custom)
    with pytest.raises(TypeError, match="shared beginning"):
        run_block_after(custom[0], torch.zeros(1, 2, 32), torch.zeros(1, 2, 32))
