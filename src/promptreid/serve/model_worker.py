"""One thread through which all that the model computes passes, for many clients together."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from concurrent.futures import TimeoutError as WaitedTooLong
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from promptreid.errors import PromptReIDError
from promptreid.gallery.vector_model import GalleryImage, VectorModel


class ModelBusyError(PromptReIDError):
    """The model has not come to a request in time, or takes none any more."""


@dataclass(eq=False)
class _ModelJob:
    """Images to be embedded by a model, or other work of one."""

    model: VectorModel | None = None
    images: Sequence[GalleryImage] = ()
    work: Callable[[], Any] | None = None
    result: Future = field(default_factory=Future)


class ModelWorker:
    """Computes for many threads in one: images that wait for one model are embedded together.

    While a batch is computed, more images come; they are the next batch. Nobody waits for others
    to come. Each job names its model, so that what was sent for one is never embedded by another.
    """

    def __init__(
        self,
        *,
        batch: int,
        wait_seconds: float,
        told: Callable[[int], None] = lambda images: None,
    ) -> None:
        """Start the thread.

        Args:
            batch: Images of several jobs that are embedded together, at most.
            wait_seconds: How long a job waits until it is begun.
            told: Called with the number of images of each batch.
        """
        self._batch = batch
        self._wait_seconds = wait_seconds
        self._told = told
        self._jobs: deque[_ModelJob] = deque()
        self._changed = threading.Condition()
        self._closed = False
        self._thread = threading.Thread(target=self._work, name="model", daemon=True)
        self._thread.start()

    @property
    def is_alive(self) -> bool:
        """Whether the thread takes jobs."""
        return self._thread.is_alive() and not self._closed

    @property
    def waiting(self) -> int:
        """Number of jobs that are not begun."""
        return len(self._jobs)

    def embed(self, model: VectorModel, images: Sequence[GalleryImage]) -> NDArray[np.float32]:
        """Return (N, width) vectors of images by a model.

        Raises:
            ModelBusyError: The model did not come to them in time.
            PromptReIDError: Whatever the model raises.
        """
        return self._hand_over(_ModelJob(model, images))

    def run(self, work: Callable[[], Any]) -> Any:
        """Run other work of the model in its thread; raises as `embed` does."""
        return self._hand_over(_ModelJob(work=work))

    def close(self) -> None:
        """Finish the jobs that are there, and take no more."""
        with self._changed:
            self._closed = True
            self._changed.notify()
        self._thread.join()

    def _hand_over(self, job: _ModelJob) -> Any:
        with self._changed:
            if self._closed:
                raise ModelBusyError("The service is stopping and takes no more requests.")
            self._jobs.append(job)
            self._changed.notify()
        try:
            return job.result.result(self._wait_seconds)
        except WaitedTooLong:
            if job.result.done() or not job.result.cancel():  # begun: it will end
                return job.result.result()
        raise ModelBusyError(
            f"The model did not come to this request within {self._wait_seconds:g} s; nothing was "
            "done. Try again when there is less to do."
        )

    def _work(self) -> None:
        while True:
            with self._changed:
                while not self._jobs and not self._closed:
                    self._changed.wait()
                if not self._jobs:
                    return
                jobs = self._take()
            self._compute([job for job in jobs if job.result.set_running_or_notify_cancel()])

    def _take(self) -> list[_ModelJob]:
        """Take the first job, and those behind it that can be embedded with it."""
        jobs = [self._jobs.popleft()]
        model, images = jobs[0].model, len(jobs[0].images)
        while model is not None and self._jobs and self._jobs[0].model is model:
            images += len(self._jobs[0].images)
            if images > self._batch:
                break
            jobs.append(self._jobs.popleft())
        return jobs

    def _compute(self, jobs: list[_ModelJob]) -> None:
        if not jobs:
            return
        try:
            model, work = jobs[0].model, jobs[0].work
            if model is None:
                jobs[0].result.set_result(None if work is None else work())
                return
            images = [image for job in jobs for image in job.images]
            self._told(len(images))
            vectors = model.vectors(images)
        except BaseException as error:  # the thread must outlive whatever a model raises
            if len(jobs) == 1:
                jobs[0].result.set_exception(error)
                return
            for job in jobs:  # one picture must not spoil the others
                self._compute([job])
            return
        start = 0
        for job in jobs:
            job.result.set_result(vectors[start : start + len(job.images)])
            start += len(job.images)


class SharedModel:
    """A model that a worker computes with, as a gallery uses one."""

    def __init__(self, model: VectorModel, worker: ModelWorker) -> None:
        """Take a model and the worker that computes with it."""
        self._model = model
        self._worker = worker
        self.fingerprint = model.fingerprint
        self.width = model.width
        self.description = model.description
        self.threshold = model.threshold
        self.text_width = model.text_width
        self.text_remark = model.text_remark

    def vectors(self, images: Sequence[GalleryImage]) -> NDArray[np.float32]:
        """Embed images together with those of other requests."""
        return self._worker.embed(self._model, images)

    def both_vectors(
        self, images: Sequence[GalleryImage]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32] | None]:
        """Embed images for pictures and for sentences; where one vector is enough, with others."""
        if self.text_width is None:
            return self.vectors(images), None
        return self._worker.run(lambda: self._model.both_vectors(images))

    def sentence_vectors(
        self, sentences: Sequence[str], templates: Sequence[str] = ()
    ) -> NDArray[np.float32]:
        """Encode sentences to search for."""
        return self._worker.run(lambda: self._model.sentence_vectors(sentences, templates))
