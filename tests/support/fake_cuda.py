"""A card that is not there: tensors that say `cuda`, keep their values, and notice who waits.

Code runs on them as on a card, with the numbers of the processor. Operations that mix a card's
tensors with the host's fail, as they do on a card, and so do reads of a card's memory. Whatever
makes the host wait until the card has done all that was asked of it is noted: fetching a value,
shapes that depend on values, and copies that are not queued.
"""

from __future__ import annotations

import contextlib
import traceback
from collections import Counter
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
import torch
from torch import Tensor
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils._mode_utils import no_dispatch
from torch.utils._python_dispatch import TorchDispatchMode

aten = torch.ops.aten
CUDA = torch.device("cuda:0")
HOST = torch.device("cpu")

# A card copies that little from any memory of the host at once.
STAGED_BYTES = 64 * 1024

WAITS_FOR_VALUES = {
    aten._local_scalar_dense: "fetches a value",
    aten.is_nonzero: "fetches a value",
    aten.equal: "fetches whether two tensors are equal",
    aten.nonzero: "makes a shape of values (nonzero)",
    aten.masked_select: "makes a shape of values (masked_select)",
    aten._unique: "makes a shape of values (unique)",
    aten._unique2: "makes a shape of values (unique)",
    aten.unique_dim: "makes a shape of values (unique)",
    aten.unique_consecutive: "makes a shape of values (unique_consecutive)",
    aten.bincount: "makes a shape of values (bincount)",
}
MOVES = (aten._to_copy, aten.copy_)
INDEXES = (aten.index, aten.index_put, aten.index_put_, aten._index_put_impl_)


class FakeCuda(Tensor):
    """A tensor on the card that is not there.

    Attributes:
        values: The same on the CPU.
    """

    values: Tensor

    @staticmethod
    def __new__(cls, values: Tensor) -> FakeCuda:
        return torch.Tensor._make_wrapper_subclass(
            cls,
            values.shape,
            strides=values.stride(),
            storage_offset=values.storage_offset(),
            dtype=values.dtype,
            device=CUDA,
        )

    def __init__(self, values: Tensor) -> None:
        self.values = values

    def __repr__(self, **_: Any) -> str:
        return f"FakeCuda({tuple(self.shape)}, {self.dtype})"

    def tolist(self) -> Any:
        """Fetch all values, which torch refuses for classes that it does not know."""
        return self.cpu().tolist()

    @classmethod
    def __torch_dispatch__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        raise RuntimeError(f"{func} on a fake card, outside of it")


@dataclass
class Watch:
    """What was noted while somebody watched.

    Attributes:
        waits: Times that the host waited, by what it waited for and the line that made it.
    """

    waits: Counter[str] = field(default_factory=Counter)

    def __len__(self) -> int:
        return self.waits.total()


class Card(TorchDispatchMode):
    """Carries out what is asked of the card, and keeps watch."""

    def __init__(self) -> None:
        super().__init__()
        self._watches: list[Watch] = []

    @contextlib.contextmanager
    def watched(self) -> Generator[Watch]:
        """Note who waits within the block."""
        watch = Watch()
        self._watches.append(watch)
        try:
            yield watch
        finally:
            self._watches.remove(watch)

    def _note(self, what: str) -> None:
        if self._watches:
            line = f"{_caller()} {what}"
            for watch in self._watches:
                watch.waits[line] += 1

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = dict(kwargs or {})
        flat = list(_leaves((*args, *kwargs.values())))
        there = [part for part in flat if isinstance(part, FakeCuda)]
        wanted = kwargs.get("device")
        to_card = wanted is not None and torch.device(wanted).type == "cuda"
        packet = func.overloadpacket
        if packet is aten.is_pinned:
            return getattr(args[0], "pinned", False)
        if packet is aten._pin_memory:
            with no_dispatch():
                result = args[0].clone()
            result.pinned = True
            return result
        if not there and not to_card:
            with no_dispatch():
                return func(*args, **kwargs)
        on_card = True
        if packet in MOVES:
            on_card = self._move(packet, args, kwargs)
        elif there:
            self._check(func, args, kwargs, flat)
        if to_card or (wanted is not None and not on_card):
            kwargs["device"] = HOST
        kwargs.pop("pin_memory", None)
        inner = {name: _map(_values, value) for name, value in kwargs.items()}
        with no_dispatch():
            result = func(*_map(_values, args), **inner)
        return self._wrap(func, args, kwargs, result) if on_card else result

    def _move(self, packet: Any, args: Any, kwargs: Any) -> bool:
        """Note a copy that waits; return whether its result lies on the card."""
        if packet is aten.copy_:
            target, source = args[:2]
            queued = args[2] if len(args) > 2 else kwargs.get("non_blocking", False)
            on_card, from_card = (
                isinstance(target, FakeCuda),
                isinstance(source, FakeCuda),
            )
        else:
            (source,) = args
            queued = kwargs.get("non_blocking", False)
            from_card = isinstance(source, FakeCuda)
            device = kwargs.get("device")
            on_card = from_card if device is None else torch.device(device).type == "cuda"
        if from_card and not on_card:
            self._note("copies from the card")
        elif on_card and not from_card and source.ndim:
            size = source.numel() * source.element_size()
            if not queued:
                self._note("copies to the card without queueing")
            elif not getattr(source, "pinned", False) and size > STAGED_BYTES:
                self._note("copies to the card from memory that is not pinned")
        return on_card

    def _check(self, func: Any, args: Any, kwargs: Any, flat: list[Any]) -> None:
        """Refuse mixed devices, and note operations that wait for values."""
        packet = func.overloadpacket
        indices = args[1] if packet in INDEXES else ()
        for part in flat:
            if isinstance(part, Tensor) and not isinstance(part, FakeCuda) and part.ndim:
                if any(part is index for index in indices):
                    self._note("sends an index to the card without queueing")
                else:
                    raise RuntimeError(f"{func} mixes the card and the host, at {_caller()}")
        if packet in WAITS_FOR_VALUES:
            self._note(WAITS_FOR_VALUES[packet])
        if packet is aten.repeat_interleave and "output_size" not in kwargs:
            self._note("makes a shape of values (repeat_interleave)")
        masked = any(index is not None and index.dtype == torch.bool for index in indices)
        # A single value is written by a mask, without listing where.
        if masked and (packet is aten.index or args[2].numel() != 1):
            self._note("makes a shape of values (an index of truth values)")

    def _wrap(self, func: Any, args: Any, kwargs: Any, result: Any) -> Any:
        """Put results on the card; what was changed in place stays the tensor that it was."""
        owners = {}
        if func._schema.is_mutable:
            for place, argument in enumerate(func._schema.arguments):
                if argument.alias_info is not None and argument.alias_info.is_write:
                    given = args[place] if place < len(args) else kwargs.get(argument.name)
                    owners.update(
                        {
                            id(part.values): part
                            for part in _leaves([given])
                            if isinstance(part, FakeCuda)
                        }
                    )

        def wrap(value: Any) -> Any:
            if not isinstance(value, Tensor):
                return value
            return owners[id(value)] if id(value) in owners else FakeCuda(value)

        return _map(wrap, result)


def _leaves(parts: Any) -> Iterator[Any]:
    """Yield what is in lists and tuples, however deep."""
    for part in parts:
        if isinstance(part, list | tuple):
            yield from _leaves(part)
        else:
            yield part


def _map(change: Callable[[Any], Any], part: Any) -> Any:
    """Change what is in lists and tuples, however deep."""
    if isinstance(part, list | tuple):
        return type(part)([_map(change, one) for one in part])
    return change(part)


def _values(part: Any) -> Any:
    return part.values if isinstance(part, FakeCuda) else part


def _caller() -> str:
    """Name the innermost line of the package on the stack."""
    for frame in reversed(traceback.extract_stack()):
        name = frame.filename.replace("\\", "/")
        if "/promptreid/" in name and "/tests/" not in name:
            return f"{name.rpartition('/promptreid/')[2]}:{frame.lineno}"
    return "outside of the package"


@contextlib.contextmanager
def fake_cuda() -> Generator[Card]:
    """Make `cuda` a card that is not there, within the block and in this thread."""
    if not hasattr(torch._C, "_ensureCUDADeviceGuardSet"):
        pytest.skip("this torch is too old to be told of a card that is not there")
    overwrites = torch.__future__.get_overwrite_module_params_on_conversion()
    # Parameters that move become new ones: data of another class cannot be put into the old.
    torch.__future__.set_overwrite_module_params_on_conversion(True)
    try:
        # The mode below keeps torch from looking for a card when one is named.
        fake = FakeTensorMode(allow_non_fake_inputs=True)
        # Operators of cuDNN have no values on a processor.
        with torch.backends.cudnn.flags(enabled=False), fake, Card() as card:
            yield card
    finally:
        torch.__future__.set_overwrite_module_params_on_conversion(overwrites)
