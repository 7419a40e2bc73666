"""How deep each parameter of an image tower lies, for layer decay and partial unfreezing."""

from __future__ import annotations

import re
from dataclasses import dataclass

from promptreid.errors import ModelError
from promptreid.models.towers.image_tower import ImageTower


@dataclass(frozen=True)
class Depths:
    """Depths of the parameters of a tower.

    0 is all that comes before the first block (patches, positions, prompt tokens), 1 the first
    block, and one more than the number of blocks all that comes after the last (norm, pooling,
    projection). A "block" is a block of a vision transformer, and a layer (stage) of a ResNet or
    another hierarchical encoder. Low-rank updates lie where their matrices do, an adapter after the
    last block, wherever it stands.

    Attributes:
        of: Depth by the parameter's name in the tower.
        blocks: Number of blocks.
    """

    of: dict[str, int]
    blocks: int

    @property
    def last(self) -> int:
        """The greatest depth there is."""
        return self.blocks + 1


def find_depths(tower: ImageTower) -> Depths:
    """Return how deep the parameters of a tower lie.

    Raises:
        ModelError: It is an encoder of timm that does not say where its blocks are.
    """
    names = [name for name, _ in tower.named_parameters()]
    patterns = [re.compile(pattern) for pattern in tower.block_patterns()]
    block_of = {name: _find_block(name, patterns) for name in names}
    # Towers hold their parts in the order of their use, but for single parameters.
    first = next((number for number, name in enumerate(names) if block_of[name] is not None), 0)
    stem = set(names[:first]) - tower.output_parameters
    for part, addition in tower.tuning.items():
        if addition.before_blocks:
            stem |= {name for name in names if addition.owns(part, name)}
    blocks = sorted({block for block in block_of.values() if block is not None})
    if not blocks:
        raise ModelError(
            "timm does not say where the blocks of this image encoder are, so it cannot be "
            "unfrozen or decayed block by block. Leave `blocks` and `optimizer.layer_decay` out, "
            "or take another backbone."
        )
    depth_of_block = {block: depth for depth, block in enumerate(blocks, start=1)}
    depth_of_name = {}
    for name, block in block_of.items():
        outside = 0 if name in stem else len(blocks) + 1
        depth_of_name[name] = outside if block is None else depth_of_block[block]
    return Depths(depth_of_name, len(blocks))


def _find_block(name: str, patterns: list[re.Pattern[str]]) -> tuple[int, ...] | None:
    """Return the index of a parameter's block, or None outside of blocks."""
    for pattern in patterns:
        match = pattern.match(name)
        if match is not None and match.groups():
            return tuple(int(index) for index in match.groups() if index is not None)
    return None
