"""A table of images of which each can be read as the bytes of a file."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from torch import Tensor

from promptreid.data.images.boxes import ImageSource
from promptreid.data.images.decode import cut_out, decode_picture
from promptreid.data.images.image_files import image_bytes
from promptreid.data.load_data import load_data
from promptreid.data.manifest.manifest import Manifest


@dataclass(frozen=True)
class ImageTable:
    """Images by number, what is known of each, and where its bytes are.

    Attributes:
        spec: What the table was opened by.
        manifest: What is known of each image, row for row.
        read: Gives the bytes of the file of an image, by number. Several threads may call it. It
            raises `UnreadableImage` where there are none.
        notes: Sentences for people.
        lost: Sentences on images that should be there and are not.
    """

    spec: str
    manifest: Manifest
    read: Callable[[int], bytes]
    notes: tuple[str, ...] = field(default=())
    lost: tuple[str, ...] = field(default=())

    def __len__(self) -> int:
        """Return the number of images."""
        return len(self.manifest)

    @classmethod
    def of_manifest(cls, manifest: Manifest, *, spec: str = "") -> ImageTable:
        """Take a manifest, whose images are files."""
        return cls(spec or manifest.name, manifest, lambda row: image_bytes(manifest.path(row)))

    def place(self, row: int) -> Path:
        """Return what an image is called in errors."""
        return self.manifest.path(row)

    def decode(self, row: int, data: bytes) -> Tensor:
        """Decode the bytes that `read` gave for an image.

        Returns:
            Pixels (3, H, W) of the image, or of its part that the manifest's box marks, uint8.

        Raises:
            UnreadableImage: They are no image, or the box lies outside of it.
        """
        pixels = decode_picture(data, self.place(row))
        box = self.manifest.boxes[row]
        return pixels if box is None else cut_out(pixels, ImageSource(self.place(row), box))


def open_data_set(spec: str) -> ImageTable:
    """Open all rows of a data set, in the order of its manifest.

    Raises:
        ConfigError: The spec is wrong.
        DataError: The data are not there or cannot be used.
    """
    dataset = load_data(spec)
    manifest = dataset.manifest
    return ImageTable(
        spec,
        manifest,
        lambda row: image_bytes(manifest.path(row)),
        notes=dataset.notes,
        lost=dataset.lost,
    )
