"""Models that a service has in memory, by fingerprint, and where it finds others."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from promptreid.errors import PromptReIDError
from promptreid.gallery.records.record_rows import ModelRow
from promptreid.gallery.vector_model import VectorModel
from promptreid.inference.embedder import Embedder

_AGAIN_SECONDS = 30.0
"""How long a model that was found nowhere is not looked for again."""

log = logging.getLogger("promptreid.serve")


@dataclass(frozen=True, eq=False)
class ServedModel:
    """A model as a service uses it.

    Attributes:
        model: Makes vectors.
        embedder: The trained model, for what vectors alone do not show; None for one that is no
            such, as in tests.
    """

    model: VectorModel
    embedder: Embedder | None = None


class ServedModels:
    """Models in memory, of which the gallery searches one, and places where others may lie.

    Attributes:
        first: The one that is served where the records name none.
    """

    def __init__(
        self,
        held: Sequence[ServedModel],
        load: Callable[[Path], ServedModel] | None = None,
        places: Sequence[Path] = (),
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Take models, and how others are loaded.

        Args:
            held: Those in memory, at least one.
            load: Loads a model from a run or a checkpoint; None where none can be.
            places: Runs and checkpoints where a model is looked for beside the place that the
                records name.
            clock: Gives seconds.
        """
        self.first = held[0]
        self._held = {one.model.fingerprint: one for one in held}
        self._load, self._places, self._clock = load, places, clock
        self._missed: dict[str, float] = {}

    def find(self, wanted: ModelRow) -> ServedModel | None:
        """Return the model that made some vectors; None where it is neither held nor found.

        A model is told by its fingerprint, so that another one in its place is not taken for it.
        """
        fingerprint = wanted.fingerprint
        if fingerprint not in self._held and self._is_due(fingerprint):
            for place in self._list_places(wanted):
                loaded = self._try_to_load(place)
                if loaded is not None and loaded.model.fingerprint == fingerprint:
                    self._held[fingerprint] = loaded
                    return loaded
            self._missed[fingerprint] = self._clock()
        return self._held.get(fingerprint)

    def let_go(self, fingerprint: str) -> None:
        """Forget a model that is not searched any more."""
        self._held.pop(fingerprint, None)

    def _is_due(self, fingerprint: str) -> bool:
        missed = self._missed.get(fingerprint)
        return missed is None or self._clock() - missed >= _AGAIN_SECONDS

    def _list_places(self, wanted: ModelRow) -> list[Path]:
        source = wanted.description.get("source")
        places = dict.fromkeys([*([Path(source)] if source else []), *self._places])
        return [place for place in places if place.exists()]

    def _try_to_load(self, place: Path) -> ServedModel | None:
        if self._load is None:
            return None
        try:
            return self._load(place)
        except (PromptReIDError, OSError, RuntimeError) as error:  # such as a card without room
            log.error("The model %s cannot be loaded: %s", place, error)
            return None
