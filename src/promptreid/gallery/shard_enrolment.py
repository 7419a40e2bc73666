"""Enrolling what `promptreid embed` made, without embedding it again."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from promptreid.data.images.boxes import ImageSource
from promptreid.data.load_data import load_data
from promptreid.data.packed.image_table import ImageTable
from promptreid.data.packed.open_table import open_table
from promptreid.data.reader_registry import READERS
from promptreid.errors import GalleryError
from promptreid.gallery.enrolment import list_images
from promptreid.gallery.image_content import digest_file
from promptreid.gallery.records.record_rows import ModelRow
from promptreid.gallery.vector_model import GalleryImage
from promptreid.inference.shards.read_shards import ShardedEmbeddings, ShardRows, read_shards

BATCH = 1024
"""Images that are committed at a time."""


@dataclass(frozen=True, eq=False)
class EmbeddedImages:
    """Images with the vectors that were made of them; stands for the model that made them.

    Attributes:
        fingerprint: That of the model.
        width: Length of a vector.
        description: What it is, for people.
        images: The images.
        names: Who each shows.
        found: Image to its vector.
    """

    fingerprint: str
    width: int
    description: Mapping[str, Any]
    images: Sequence[GalleryImage]
    names: Sequence[str]
    found: Mapping[GalleryImage, NDArray[np.float32]]
    threshold: None = None
    text_width: None = None
    text_remark: str = ""

    def vectors(self, images: Sequence[GalleryImage]) -> NDArray[np.float32]:
        """Return the vectors that were made of some of the images."""
        return np.stack([self.found[image] for image in images])

    def both_vectors(
        self, images: Sequence[GalleryImage]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32] | None]:
        """Return the same; of vectors for sentences shards have none."""
        return self.vectors(images), None

    def sentence_vectors(
        self, sentences: Sequence[str], templates: Sequence[str] = ()
    ) -> NDArray[np.float32]:
        """Refuse: no model is at hand."""
        raise GalleryError("Shards of vectors cannot encode sentences.")


@dataclass(frozen=True, eq=False)
class EmbeddedFolder:
    """A folder of shards that fits a gallery.

    Attributes:
        sharded: The shards.
        table: The images that they are of.
        background: Names that stand for no one identity.
    """

    sharded: ShardedEmbeddings
    table: ImageTable
    background: frozenset[str]

    def __iter__(self) -> Iterator[EmbeddedImages]:
        """Give the images in batches, each compared with the hash that its shard keeps.

        Raises:
            GalleryError: A picture is another one than was embedded.
            UnreadableImage: A picture is not there any more.
        """
        manifest = self.table.manifest
        images, names = list_images(manifest)
        for shard in self.sharded:
            wanted = [
                place
                for place, row in enumerate(shard.rows.tolist())
                if manifest.identities[row] not in self.background
            ]
            for start in range(0, len(wanted), BATCH):
                places = wanted[start : start + BATCH]
                batch = [
                    self._open(images[int(shard.rows[place])], shard, place) for place in places
                ]
                job = self.sharded.job
                yield EmbeddedImages(
                    fingerprint=job.model_sha256,
                    width=job.width,
                    description={"source": str(self.sharded.folder)},
                    images=batch,
                    names=[names[row] for row in shard.rows[places].tolist()],
                    found=dict(zip(batch, shard.vectors[places], strict=True)),
                )

    def _open(self, image: GalleryImage, shard: ShardRows, place: int) -> GalleryImage:
        """Read the file of an image once, which must be the one that was embedded."""
        row = int(shard.rows[place])
        content, path = self.table.read(row), self.table.place(row)
        if digest_file(content) != shard.hashes[place]:
            raise GalleryError(
                f"{path} is another picture than was embedded into {self.sharded.folder}. Embed it "
                f"again: promptreid embed MODEL {self.sharded.job.data} NEW_FOLDER."
            )
        if not path.is_file():  # it is packed: its content is kept, since its path is none
            return replace(image, file=content)
        box = self.table.manifest.boxes[row]
        return replace(image, pixels=ImageSource(path, box, content))


def open_embedded(folder: Path, stored: ModelRow | None, *, place: str) -> EmbeddedFolder:
    """Open a folder of shards whose vectors compare with those of a gallery.

    Args:
        folder: What `promptreid embed` made.
        stored: The model of the gallery.
        place: Where the gallery is.

    Raises:
        GalleryError: The vectors are another model's, were averaged with those of mirror images or
            made with another kind of sentence, or the images are others than were embedded.
        RunError: The folder is none of shards, or is not complete.
    """
    sharded = read_shards(folder)
    job = sharded.job
    if stored is None or job.model_sha256 != stored.fingerprint:
        own = "no model" if stored is None else f"the model {stored.fingerprint[:16]}"
        raise GalleryError(
            f"{place} holds vectors of {own}, but those in {folder} are of the model "
            f"{job.model_sha256[:16]}. Vectors of two models do not compare: embed the images with "
            "the first, or create another gallery for the second."
        )
    if job.flip or job.prompt is not None:
        how = "averaged with those of mirror images" if job.flip else f"made {job.prompt}"
        raise GalleryError(
            f"The vectors in {folder} were {how}, and those of {place} are not. Embed the images "
            "again with --no-flip and without --prompt."
        )
    table = open_table(job.data)
    if table.manifest.fingerprint() != job.rows_sha256:
        raise GalleryError(
            f"{job.data} lists other images now than were embedded into {folder}. Embed them again "
            "into a new folder."
        )
    name = job.data.partition(":")[0]
    named = name in READERS and not Path(job.data).exists()
    background = load_data(job.data).background if named else frozenset()
    return EmbeddedFolder(sharded, table, frozenset(background))
