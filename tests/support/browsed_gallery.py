"""A service of a small gallery that a browser can open."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import uvicorn
from gallery_model import draw_people, make_gallery
from served_gallery import ThresholdModel, png

from promptreid.gallery.image_content import GalleryImage
from promptreid.gallery.records.sqlite.sqlite_records import SqliteRecords
from promptreid.inference.embedder import Embedder
from promptreid.models.checkpoint_info import CheckpointInfo
from promptreid.models.reid import ReIDModel
from promptreid.models.towers.backbone import build_backbone
from promptreid.serve.access_tokens import TokenBook
from promptreid.serve.application import create_app
from promptreid.serve.served_models import ServedModel, ServedModels
from promptreid.serve.service import Service
from promptreid.serve.service_settings import ServiceSettings

IMAGES = 4
CAMERAS = ("gate", "hall")


def tiny_embedder() -> Embedder:
    """Return the shipped model, which looks somewhere and has words."""
    backbone = build_backbone("tiny", pretrained="auto", image_size=(128, 128)).eval()
    return Embedder(ReIDModel(backbone), CheckpointInfo(preprocess=backbone.native))


class BrowsedGallery:
    """A service on a free port; of each person's pictures the first is not enrolled.

    Attributes:
        gallery: What is served.
        files: Pictures of each person as PNG files, by name.
        url: Its address.
    """

    def __init__(
        self, folder: Path, people: int = 24, *, tokens: Path | None = None, looks: bool = False
    ) -> None:
        pictures, names = draw_people(max(people, 1) + 1, IMAGES)
        self.files: dict[str, list[Path]] = {}
        for number, (picture, name) in enumerate(zip(pictures, names, strict=True)):
            file = folder / "pictures" / name / f"{number % IMAGES}.png"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(png(picture))
            self.files.setdefault(name, []).append(file)
        self._place = folder / "people.gallery"
        gallery = make_gallery(self._place)
        enrolled = [
            (GalleryImage(picture, camera=CAMERAS[row % 2], time=1.7e9 + 3600 * row), name)
            for row, (picture, name) in enumerate(zip(pictures, names, strict=True))
            if row % IMAGES and row < IMAGES * people
        ]
        if enrolled:
            gallery.add(*zip(*enrolled, strict=True))
        gallery.close()
        self._book = None if tokens is None else TokenBook(tokens, str(self._place))
        self._embedder = tiny_embedder() if looks else None

    def __enter__(self) -> BrowsedGallery:
        records = SqliteRecords.open(self._place)
        settings = ServiceSettings(hosts=frozenset({"127.0.0.1"}))
        models = ServedModels([ServedModel(ThresholdModel(), self._embedder)])
        service = Service.start(records, models, settings)
        self.gallery = service.gallery
        app = create_app(service, self._book)
        self._server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="error"))
        self._thread = threading.Thread(target=self._server.run)
        self._thread.start()
        while not self._server.started:
            assert self._thread.is_alive()
            time.sleep(0.01)
        port = self._server.servers[0].sockets[0].getsockname()[1]
        self.url = f"http://127.0.0.1:{port}"
        return self

    def __exit__(self, *error) -> None:
        self._server.should_exit = True
        self._thread.join()
