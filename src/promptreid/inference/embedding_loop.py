"""The one loop that embeds: pictures are decoded ahead, batch after batch, and encoded in parts."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from numpy.typing import NDArray
from torch import Tensor

from promptreid.data.batches.loading import TestLoader
from promptreid.data.images.image_store import ImageStore
from promptreid.data.images.preprocess import Preprocess
from promptreid.models.reid import ReIDModel
from promptreid.progress import Progress, Silent
from promptreid.transfer import send

BATCH_SIZE = 64
# Images that a processor encodes at a time. The tokens of more go back to the system after every
# layer and have to be fetched page by page again, which costs a tenth of the time; those of fewer
# are no faster.
_PART = 16


@dataclass(frozen=True, eq=False)
class SideRows:
    """Rows that go into a model beside each of N images; None where nothing is known or read.

    Attributes:
        cameras: (N,) rows of the camera table, -1 for an unknown camera.
        views: (N,) rows of the view table, likewise.
        variants: (N,) sentences of an image prompt.
    """

    cameras: Tensor | None = None
    views: Tensor | None = None
    variants: Tensor | None = None

    @classmethod
    def of(
        cls, cameras: NDArray, views: NDArray, variants: Tensor | NDArray | None = None
    ) -> SideRows:
        """Take rows as arrays."""
        sentences = None if variants is None else torch.as_tensor(variants)
        return cls(torch.from_numpy(cameras), torch.from_numpy(views), sentences)

    def at(self, images: Tensor, device: torch.device) -> tuple[Tensor | None, ...]:
        """Give cameras and views of some images, by number, on a device, and their variants."""
        cameras, views, variants = (
            None if side is None else side[images]
            for side in (self.cameras, self.views, self.variants)
        )
        sent = tuple(None if side is None else send(side, device) for side in (cameras, views))
        return (*sent, variants)


def image_batches(
    source: ImageStore | Tensor,
    preprocess: Preprocess,
    *,
    device: torch.device,
    title: str,
    batch_size: int = BATCH_SIZE,
    progress: Progress | None = None,
) -> Iterator[tuple[Tensor, Tensor]]:
    """Give all images of a source in order, ready for the model, and report how far that is.

    A source is a store of images resized with the test filter, which are decoded in threads while
    the batch before is used; or (N, 3, H, W), taken as already normalised. The last batch holds the
    rest.

    Yields:
        Numbers of the images (B,) int64 on the CPU, and pixels (B, 3, H, W) float32.

    Raises:
        UnreadableImage: An image of the batch that is due cannot be decoded.
    """
    progress = progress or Silent()
    progress.start(title, len(source), "images")
    if isinstance(source, Tensor):
        numbers = torch.arange(len(source)).split(batch_size)
        batches = ((rows, source[rows].float().to(device)) for rows in numbers)
    else:
        batches = TestLoader(source, preprocess, batch_size, device=device).batches()
    for rows, images in batches:
        yield rows, images
        progress.advance(len(rows))
    progress.finish()


def embed_images(
    model: ReIDModel,
    images: Tensor,
    cameras: Tensor | None = None,
    views: Tensor | None = None,
    variants: Tensor | None = None,
    *,
    flip: bool = False,
    prompt: str | None = None,
) -> Tensor:
    """Encode a batch, averaged over each image and its mirror image if wanted.

    Args:
        model: In eval mode; what it takes is explained by its `features` and `derived`.
        images: (B, 3, H, W) normalised pixels.
        cameras: (B,) rows of the camera table.
        views: (B,) rows of the view table.
        variants: (B,) sentences of an image prompt.
        flip: Give normalise(e(image) + e(mirror image)), both of unit length, in place of e(image).
        prompt: Kind of sentence of an image prompt.

    Returns:
        (B, width) float32 rows of length 1.

    Raises:
        ConfigError: As `ReIDModel.derived`.
    """
    parts = []
    for rows in split_batch(images):
        sides = [None if side is None else side[rows] for side in (cameras, views, variants)]
        vectors = model.embed(images[rows], *sides, prompt=prompt).float()
        if flip:
            mirrored = model.embed(images[rows].flip(3), *sides, prompt=prompt).float()
            vectors = torch.nn.functional.normalize(vectors + mirrored, dim=1)
        parts.append(vectors)
    return parts[0] if len(parts) == 1 else torch.cat(parts)


def split_batch(images: Tensor) -> list[slice]:
    """Say which images of a batch, (B, 3, H, W), a device encodes at a time."""
    step = _PART if images.device.type == "cpu" else max(len(images), 1)
    return [slice(start, start + step) for start in range(0, max(len(images), 1), step)]
