"""Low-rank updates of an image tower's matrices (LoRA; Hu et al., ICLR 2022)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Self, cast

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from promptreid.config.model import LoraConfig
from promptreid.errors import ModelError
from promptreid.models.heads.fresh_layers import draw_uniformly
from promptreid.models.towers.image_tower import ImageTower
from promptreid.models.tuning.addition import TuningAddition

_OWNERS = {"attn": "attention", "attnpool": "attention", "attn_pool": "attention", "mlp": "mlp"}
"""Names of the modules whose matrices a target stands for."""

_STACKED = {"in_proj_weight": 3, "qkv": 3, "kv": 2}
"""Parameters and layers that hold several projections, one above the other."""

_FACTOR = re.compile(r"\.parametrizations\.\w+\.\d+\.(?:up|down)$")


class LowRank(nn.Module):
    """The map from a frozen matrix W to `W + (alpha / rank) * up @ down`.

    Projections stacked in one matrix, such as those to queries, keys and values, have factors of
    their own. `up` begins at zero, so the map begins as the identity.

    Attributes:
        down: (pieces, rank, in) from U(-1/sqrt(in), 1/sqrt(in)).
        up: (pieces, out / pieces, rank) of zeros.
        scale: alpha / rank.
    """

    def __init__(
        self,
        weight: Tensor,
        *,
        rank: int,
        alpha: float,
        pieces: int = 1,
        generator: torch.Generator,
    ) -> None:
        """Draw the factors for an (out, in) matrix; see the class."""
        super().__init__()
        rows, columns = weight.shape
        down = torch.empty(pieces, rank, columns)
        draw_uniformly(down, columns, generator)
        self.down = nn.Parameter(down.to(weight.device))
        self.up = nn.Parameter(torch.zeros(pieces, rows // pieces, rank, device=weight.device))
        self.scale = alpha / rank

    def forward(self, weight: Tensor) -> Tensor:
        """Return the (out, in) matrix with its update, which is computed in float32."""
        with torch.autocast(weight.device.type, enabled=False):
            update = (self.up.float() @ self.down.float()).flatten(0, 1)
            return weight + (self.scale * update).to(weight.dtype)


@dataclass(frozen=True)
class Matrix:
    """One matrix that can have an update.

    Attributes:
        target: "attention" or "mlp".
        module: The module that holds it.
        name: Its name there.
        path: Its name in the tower.
        pieces: Number of projections stacked in it.
    """

    target: str
    module: nn.Module
    name: str
    path: str
    pieces: int

    @property
    def value(self) -> Tensor:
        """The (out, in) matrix."""
        return getattr(self.module, self.name)


class LowRankUpdates(TuningAddition):
    """Low-rank updates of a tower's matrices, which at first change nothing.

    The updates stand beside their matrices: the tower's matrix `a.b` becomes
    `a.parametrizations.b.original`, and its factors are `a.parametrizations.b.0.up` and `.down`.
    """

    Options = LoraConfig
    options: LoraConfig
    folds = True

    def __init__(self, options: LoraConfig, updates: Sequence[LowRank]) -> None:
        super().__init__(options)
        self._updates = tuple(updates)  # in a tuple, so that the tower alone registers them

    @classmethod
    def build(
        cls, tower: ImageTower, options: LoraConfig, generator: torch.Generator
    ) -> LowRankUpdates:
        """Give the matrices that `options.targets` names their updates, in the tower itself.

        Raises:
            ModelError: The tower has no such matrices, or none of so high a rank.
        """
        matrices = list(find_matrices(tower))
        for target in options.targets:
            if not any(matrix.target == target for matrix in matrices):
                targets = sorted({matrix.target for matrix in matrices})
                raise ModelError(
                    f"This image tower has no {target} matrices that LoRA could update; it has "
                    f"{' and '.join(targets) or 'none at all'}. Change tuning.lora.targets, or "
                    "take another backbone."
                )
        chosen = [matrix for matrix in matrices if matrix.target in options.targets]
        for matrix in chosen:
            rows, columns = matrix.value.shape
            highest = min(rows // matrix.pieces, columns)
            if options.rank > highest:
                raise ModelError(
                    f"tuning.lora.rank is {options.rank}, but {matrix.path} has rank {highest} at "
                    f"most, so the update would not be of low rank. Take a rank below {highest}."
                )
        updates = []
        for matrix in chosen:
            update = LowRank(
                matrix.value,
                rank=options.rank,
                alpha=options.alpha,
                pieces=matrix.pieces,
                generator=generator,
            )
            # unsafe: a tower that waits for its weights has no values to check the map with.
            parametrize.register_parametrization(matrix.module, matrix.name, update, unsafe=True)
            updates.append(update)
        return cls(options, updates)

    @classmethod
    def owns(cls, part: str, name: str) -> bool:
        """Return whether a parameter's name is that of a factor."""
        return _FACTOR.search(name) is not None

    def train(self, mode: bool = True) -> Self:
        """Set the mode of the updates, which stand elsewhere in the tower."""
        for update in self._updates:
            update.train(mode)
        return super().train(mode)

    def fold(self, tower: ImageTower) -> None:
        """Put all updates into their matrices, which get their old names back."""
        fold_updates(tower)


def find_matrices(tower: ImageTower) -> Iterator[Matrix]:
    """Yield every matrix of attention and perceptrons in a tower, in the order of its modules."""
    # A timm encoder's own projection to the shared space is no block's perceptron.
    prefix = "trunk." if hasattr(tower, "trunk") else ""
    for path, module in tower.named_modules():
        if not path.startswith(prefix):
            continue
        target = _find_target(path)
        if target is None:
            continue
        last = path.rpartition(".")[2]
        if isinstance(getattr(module, "in_proj_weight", None), Tensor):
            name = "in_proj_weight"
            yield Matrix(target, module, name, f"{path}.{name}", _STACKED[name])
        elif isinstance(module, nn.Linear):
            yield Matrix(target, module, "weight", f"{path}.weight", _STACKED.get(last, 1))


def _find_target(path: str) -> str | None:
    """Return what the nearest enclosing module of a known name stands for."""
    words = path.split(".")
    if "rel_pos" in words:  # a map of two coordinates, not of tokens
        return None
    return next((_OWNERS[word] for word in reversed(words) if word in _OWNERS), None)


def fold_updates(module: nn.Module) -> None:
    """Replace the matrices of a module and its parts that have an update by what they are with it.

    Copies of a module share the class that PyTorch made for its updates, so PyTorch's own removal,
    which edits that class, would break the others.
    """
    for part in list(module.modules()):
        if not parametrize.is_parametrized(part):
            continue
        chains = cast(Mapping[str, parametrize.ParametrizationList], part.parametrizations)
        folded = {name: _fold_matrix(chain) for name, chain in chains.items()}
        del part.parametrizations
        part.__class__ = parametrize.type_before_parametrizations(part)
        # Weights stand before biases, as they did: their order decides last bits of a norm.
        others = dict(part.named_parameters(recurse=False))
        for name in others:
            delattr(part, name)
        for name, parameter in (folded | others).items():
            part.register_parameter(name, parameter)


@torch.no_grad()
def _fold_matrix(chain: parametrize.ParametrizationList) -> nn.Parameter:
    """Return a matrix with its update; of a tower that waits for its weights, the shape alone."""
    original = chain.original
    value = torch.empty_like(original) if original.is_meta else chain().clone()
    return nn.Parameter(value, requires_grad=original.requires_grad)
