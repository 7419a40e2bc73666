"""A service of a small gallery, asked in this process."""

from __future__ import annotations

import io
import threading
from pathlib import Path

import numpy as np
from gallery_model import PixelModel, draw_people, make_gallery
from PIL import Image
from starlette.testclient import TestClient

from promptreid.evaluation.thresholds.stranger_scores import StrangerScores
from promptreid.evaluation.thresholds.threshold import Threshold
from promptreid.gallery.records.sqlite.sqlite_records import SqliteRecords
from promptreid.serve.application import create_app
from promptreid.serve.served_models import ServedModel, ServedModels
from promptreid.serve.service import Service
from promptreid.serve.service_settings import ServiceSettings

PEOPLE, IMAGES = 20, 3


class ThresholdModel(PixelModel):
    """A pixel model that compares pairs, counts its batches, and can be held up.

    Attributes:
        batches: Images of each batch.
        go: Unset, it makes the model wait.
        begun: Released whenever a batch is begun.
    """

    def __init__(self, seed: int = 0) -> None:
        super().__init__(seed)
        strangers = StrangerScores(1000, (0.5,), (5,))
        self.threshold = Threshold(0.9, 1e-3, 1000, source="pictures", strangers=strangers)
        self.batches: list[int] = []
        self.go = threading.Event()
        self.go.set()
        self.begun = threading.Semaphore(0)

    def vectors(self, images):
        """Wait if asked to, then return vectors."""
        self.begun.release()
        assert self.go.wait(20)
        self.batches.append(len(images))
        return super().vectors(images)


def png(pixels: np.ndarray) -> bytes:
    """Return pixels as a PNG file."""
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


def attach(*pictures: np.ndarray | bytes, field: str = "pictures"):
    """Return pictures as the files of a form."""
    contents = [one if isinstance(one, bytes) else png(one) for one in pictures]
    return [(field, (f"{n}.png", content, "image/png")) for n, content in enumerate(contents)]


class Served:
    """A running service and what is in it.

    Attributes:
        service: The service.
        client: Asks it.
        model: Its model.
        elsewhere: Models that it can load, by place.
        pictures: Three of each person; the first of each is not enrolled.
        names: Who they show.
    """

    def __init__(self, folder, *, tokens=None, **limits) -> None:
        self.pictures, self.names = draw_people(PEOPLE, IMAGES)
        gallery = make_gallery(folder / "people.gallery")
        rows = [row for row in range(len(self.names)) if row % IMAGES]
        gallery.add([self.pictures[row] for row in rows], [self.names[row] for row in rows])
        gallery.close()
        self.model = ThresholdModel()
        records = SqliteRecords.open(folder / "people.gallery")
        settings = ServiceSettings(hosts=frozenset({"testserver"}), **limits)
        self.elsewhere: dict[Path, PixelModel] = {}
        models = ServedModels([ServedModel(self.model)], self.load)
        self.service = Service.start(records, models, settings)
        self.app = create_app(self.service, tokens)
        self.client = TestClient(self.app, raise_server_exceptions=False)

    def load(self, place: Path) -> ServedModel:
        """Load a model that a test has put somewhere."""
        return ServedModel(self.elsewhere[place])

    def __enter__(self):
        self.client.__enter__()
        return self

    def __exit__(self, *error) -> None:
        self.model.go.set()
        self.client.__exit__(*error)

    def query(self, person: int) -> np.ndarray:
        """Return a picture of somebody that is not enrolled."""
        return self.pictures[IMAGES * person]
