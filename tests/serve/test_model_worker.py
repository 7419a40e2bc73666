"""One thread that computes for many."""

import threading

import numpy as np
import pytest
from gallery_model import draw_people
from served_gallery import ThresholdModel

from promptreid.errors import DataError
from promptreid.gallery.vector_model import GalleryImage
from promptreid.serve.model_worker import ModelBusyError, ModelWorker


@pytest.fixture
def model():
    return ThresholdModel()


def images(count):
    return [GalleryImage(picture) for picture in draw_people(count, 1)[0]]


def hold(model, worker):
    """Let the model be at work on an image until `go` is set."""
    model.go.clear()
    thread = threading.Thread(target=worker.embed, args=(model, images(1)))
    thread.start()
    assert model.begun.acquire(timeout=10)
    return thread


def test_what_waits_is_computed_together_and_each_gets_its_own(model):
    told = []
    worker = ModelWorker(batch=8, wait_seconds=10, told=told.append)
    held = hold(model, worker)
    pictures = images(20)
    results = {}

    def ask(start, count):
        results[start] = worker.embed(model, pictures[start : start + count])

    threads = [threading.Thread(target=ask, args=(start, 2)) for start in range(0, 20, 2)]
    for thread in threads:
        thread.start()
    while worker.waiting < 10:
        pass
    model.go.set()
    for thread in (held, *threads):
        thread.join()
    assert model.batches == told == [1, 8, 8, 4]
    plain = ThresholdModel().vectors(pictures)
    for start, vectors in results.items():
        np.testing.assert_array_equal(vectors, plain[start : start + 2])
    worker.close()


def test_what_waits_for_one_model_is_not_computed_by_another(model):
    worker, other = ModelWorker(batch=8, wait_seconds=10), ThresholdModel(7)
    held = hold(model, worker)
    pictures, results = images(6), {}

    def ask(start):
        chosen = (model, other)[start % 2]
        results[start] = worker.embed(chosen, pictures[start : start + 1])

    threads = [threading.Thread(target=ask, args=(start,)) for start in range(6)]
    for number, thread in enumerate(threads):
        thread.start()
        while worker.waiting <= number:
            pass
    model.go.set()
    for thread in (held, *threads):
        thread.join()
    for start, vectors in results.items():
        right = ThresholdModel((0, 7)[start % 2]).vectors(pictures[start : start + 1])
        np.testing.assert_array_equal(vectors, right)
    assert (sum(model.batches), sum(other.batches)) == (4, 3)
    worker.close()


def test_one_wrong_image_spoils_no_other(model):
    worker = ModelWorker(batch=8, wait_seconds=10)
    plain = model.vectors

    def fail_at_some(batch):
        if any(image.camera == "broken" for image in batch):
            raise DataError("broken")
        return plain(batch)

    model.vectors = fail_at_some
    held = hold(model, worker)
    errors, good = [], []

    def ask(camera):
        try:
            good.append(worker.embed(model, [GalleryImage(images(1)[0].pixels, camera=camera)]))
        except DataError as error:
            errors.append(error)

    threads = [threading.Thread(target=ask, args=(c,)) for c in ("a", "broken", "b")]
    for thread in threads:
        thread.start()
    while worker.waiting < 3:
        pass
    model.go.set()
    for thread in (held, *threads):
        thread.join()
    assert (len(good), len(errors)) == (2, 1)
    worker.close()


def test_who_waits_too_long_is_told_and_not_computed(model):
    worker = ModelWorker(batch=8, wait_seconds=0.05)
    held = hold(model, worker)
    with pytest.raises(ModelBusyError, match="within 0"):
        worker.embed(model, images(2))
    model.go.set()
    held.join()
    assert worker.run(lambda: 7) == 7
    assert model.batches == [1]
    worker.close()


def test_a_worker_that_closes_finishes_what_it_has(model):
    worker = ModelWorker(batch=1, wait_seconds=10)
    held = hold(model, worker)
    results = []
    waiting = threading.Thread(target=lambda: results.append(worker.embed(model, images(1))))
    waiting.start()
    while worker.waiting < 1:
        pass
    closing = threading.Thread(target=worker.close)
    closing.start()
    while worker.is_alive:
        pass
    with pytest.raises(ModelBusyError, match="stopping"):
        worker.embed(model, images(1))
    model.go.set()
    for thread in (held, waiting, closing):
        thread.join()
    assert len(results) == 1
    assert not worker.is_alive
