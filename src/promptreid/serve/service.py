"""What the routes of a service share: the gallery, its model, and the limits."""

from __future__ import annotations

import bisect
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, TypeVar

from fastapi import Depends, Request

from promptreid.gallery.gallery import Gallery
from promptreid.gallery.gallery_errors import ModelSwitchedError
from promptreid.gallery.records.record_rows import IdentityRow
from promptreid.gallery.records.record_store import Records
from promptreid.gallery.searching.indexes.index_choice import AUTOMATIC
from promptreid.progress import Progress
from promptreid.serve.bodies.answer_bodies import IdentityBody
from promptreid.serve.model_worker import ModelWorker, SharedModel
from promptreid.serve.sent_pictures import PixelBudget
from promptreid.serve.served_models import ServedModel, ServedModels
from promptreid.serve.service_metrics import ServiceMetrics
from promptreid.serve.service_settings import ServiceSettings

_Result = TypeVar("_Result")


@dataclass(frozen=True)
class IdentityPage:
    """Some of those who are enrolled.

    Attributes:
        rows: They.
        total: How many there are on all pages.
        has_more: Whether another page follows.
    """

    rows: list[IdentityRow]
    total: int
    has_more: bool


@dataclass(eq=False)
class Service:
    """A gallery that is served.

    Attributes:
        gallery: The gallery, whose model computes in the worker.
        worker: The thread in which models compute.
        models: The models at hand.
        served: The one that the gallery is searched with.
        settings: Limits.
        metrics: Counts.
        budget: Pixels that may be decoded at a time.
        is_stopping: Whether requests are no longer wanted.
    """

    gallery: Gallery
    worker: ModelWorker
    models: ServedModels
    served: ServedModel
    settings: ServiceSettings
    metrics: ServiceMetrics
    budget: PixelBudget
    is_stopping: bool = False
    _fitting: tuple[tuple[int, str], list[int]] = field(default=((-1, ""), []))
    _following: threading.Lock = field(default_factory=threading.Lock)

    @classmethod
    def start(
        cls,
        records: Records,
        models: ServedModels,
        settings: ServiceSettings,
        index: str = AUTOMATIC,
        progress: Progress | None = None,
    ) -> Service:
        """Start to serve records with the model that made their vectors.

        Args:
            records: What is served.
            models: The models at hand, one of which made the vectors.
            settings: Limits.
            index: What searches the vectors, one of `index_choice.KINDS`.
            progress: Told of an index of many entries whenever one is made.

        Raises:
            GalleryError: Another model made them.
        """
        metrics, stored = ServiceMetrics(), records.model()
        worker = ModelWorker(
            batch=settings.batch, wait_seconds=settings.wait_seconds, told=metrics.count_batch
        )
        try:
            served = (None if stored is None else models.find(stored)) or models.first
            model = SharedModel(served.model, worker)
            gallery = Gallery(records, model, index, in_service=True, progress=progress)
        except BaseException:
            worker.close()
            raise
        budget = PixelBudget(settings.decoded_pixels)
        return cls(gallery, worker, models, served, settings, metrics, budget)

    @property
    def name(self) -> str:
        """Name of the gallery, without where it lies."""
        return Path(self.gallery.records.place).name

    def stop(self) -> None:
        """Finish what is begun, take nothing more, and close the gallery."""
        self.is_stopping = True
        self.worker.close()
        self.gallery.close()

    def ask(self, work: Callable[[Gallery], _Result]) -> _Result:
        """Let the gallery do what needs its model, once more where that was changed meanwhile.

        What is asked for has changed nothing where it raises `ModelSwitchedError`.

        Raises:
            ModelSwitchedError: The model whose vectors are searched by now is not at hand.
        """
        try:
            return work(self.gallery)
        except ModelSwitchedError:
            self.follow_model()
        return work(self.gallery)

    def follow_model(self) -> ServedModel:
        """Go on with the model whose vectors are searched by now, and return it.

        Where it is none that is in memory, it is loaded meanwhile, and others who ask wait for it.

        Raises:
            ModelSwitchedError: It is not at hand.
        """
        with self._following:
            stored, former = self.gallery.model_row(), self.served.model.fingerprint
            if stored is None or stored.fingerprint == former:
                return self.served
            found = self.models.find(stored)
            if found is None:
                raise ModelSwitchedError(
                    f"The gallery {self.name} is searched with the model {stored.fingerprint[:16]} "
                    "by now, which the service does not find. Whoever runs it starts it with that "
                    "model, or names it before the change: promptreid serve --next."
                )
            self.gallery.adopt(SharedModel(found.model, self.worker))
            self.served = found
            self.models.let_go(former)
            return found

    def list_identities(self, words: str, *, after: int, limit: int) -> IdentityPage:
        """Return a page of those whose name and note hold some words, in the order of enrolment.

        Args:
            words: The words; empty for everybody.
            after: Number of the last identity of the page before.
            limit: Identities of a page.
        """
        if not words.split():
            rows = self.gallery.identities(after, limit + 1)
            return IdentityPage(rows[:limit], self.gallery.count()[0], len(rows) > limit)
        numbers = self._find_identities(words)
        left = numbers[bisect.bisect_right(numbers, after) :]
        rows = self.gallery.identity_rows(left[:limit])
        return IdentityPage(rows, len(numbers), len(left) > limit)

    def _find_identities(self, words: str) -> list[int]:
        """Return the numbers of those who fit words; looked for anew only after a change."""
        key, known = (self.gallery.revision(), words), self._fitting
        if known[0] != key:
            known = self._fitting = key, self.gallery.find_identities(words)
        return known[1]

    def describe_identity(self, identity: str | int) -> IdentityBody:
        """Describe an identity as it is now.

        Raises:
            NotEnrolledError: There is none.
        """
        return self.describe_rows([self.gallery.identity(identity)])[0]

    def describe_rows(self, rows: Sequence[IdentityRow]) -> list[IdentityBody]:
        """Describe identities, each with the entry whose picture stands for it."""
        covers = self.gallery.find_covers([row.identity for row in rows])
        return [IdentityBody.make(row, covers.get(row.identity)) for row in rows]


def get_service(request: Request) -> Any:
    """Return the service that a request is for."""
    return request.app.state.service


Served = Annotated[Service, Depends(get_service)]
