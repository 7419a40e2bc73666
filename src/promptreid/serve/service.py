"""What the routes of a service share: the gallery, its model, and the limits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

from fastapi import Depends, Request

from promptreid.gallery.gallery import Gallery
from promptreid.gallery.records.record_rows import IdentityRow
from promptreid.gallery.records.record_store import Records
from promptreid.gallery.searching.indexes.index_choice import AUTOMATIC
from promptreid.gallery.vector_model import VectorModel
from promptreid.inference.embedder import Embedder
from promptreid.serve.bodies.answer_bodies import IdentityBody
from promptreid.serve.model_worker import ModelWorker, SharedModel
from promptreid.serve.sent_pictures import PixelBudget
from promptreid.serve.service_metrics import ServiceMetrics
from promptreid.serve.service_settings import ServiceSettings


@dataclass(eq=False)
class Service:
    """A gallery that is served.

    Attributes:
        gallery: The gallery, whose model is the worker's.
        worker: The thread of the model.
        model: What it computes with.
        embedder: The trained model; None for one that is no such, as in tests.
        settings: Limits.
        metrics: Counts.
        budget: Pixels that may be decoded at a time.
        is_stopping: Whether requests are no longer wanted.
    """

    gallery: Gallery
    worker: ModelWorker
    model: VectorModel
    embedder: Embedder | None
    settings: ServiceSettings
    metrics: ServiceMetrics
    budget: PixelBudget
    is_stopping: bool = False
    _listed: tuple[int, list[IdentityRow]] = field(default=(-1, []))

    @classmethod
    def start(
        cls,
        records: Records,
        model: VectorModel,
        settings: ServiceSettings,
        embedder: Embedder | None = None,
        index: str = AUTOMATIC,
    ) -> Service:
        """Start to serve records with the model that made their vectors.

        Args:
            records: What is served.
            model: Makes vectors.
            settings: Limits.
            embedder: The same model, for what vectors alone do not show.
            index: What searches the vectors, one of `index_choice.KINDS`.

        Raises:
            GalleryError: Another model made them.
        """
        metrics = ServiceMetrics()
        worker = ModelWorker(
            model,
            batch=settings.batch,
            wait_seconds=settings.wait_seconds,
            told=metrics.count_batch,
        )
        try:
            gallery = Gallery(records, SharedModel(model, worker), index, in_service=True)
        except BaseException:
            worker.close()
            raise
        budget = PixelBudget(settings.decoded_pixels)
        return cls(gallery, worker, model, embedder, settings, metrics, budget)

    @property
    def name(self) -> str:
        """Name of the gallery, without where it lies."""
        return Path(self.gallery.records.place).name

    def stop(self) -> None:
        """Finish what is begun, take nothing more, and close the gallery."""
        self.is_stopping = True
        self.worker.close()
        self.gallery.close()

    def list_identities(self) -> list[IdentityRow]:
        """Return everybody who is enrolled; counted anew only after a change."""
        revision = self.gallery.revision()
        if self._listed[0] != revision:
            self._listed = revision, self.gallery.identities()
        return self._listed[1]

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
