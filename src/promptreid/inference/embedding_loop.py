"""The one loop that embeds: pictures are decoded ahead, batch after batch, and encoded in parts."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Generator
from dataclasses import dataclass

import torch
from numpy.typing import NDArray
from torch import Tensor

from promptreid.data.batches.loading import TestLoader
from promptreid.data.images.image_store import ImageStore
from promptreid.data.images.preprocess import Preprocess
from promptreid.errors import ConfigError
from promptreid.models.reid import ReIDModel
from promptreid.processes.process_group import ALONE
from promptreid.processes.row_shares import are_shared
from promptreid.progress import Progress, Silent
from promptreid.progress.counted_task import counting
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
    own: slice | None = None,
    progress: Progress | None = None,
) -> Generator[tuple[Tensor, Tensor]]:
    """Give all images of a source in order, ready for the model, and report how far that is.

    A source is a store of images resized with the test filter, which are decoded in threads while
    the batch before is used; or (N, 3, H, W), taken as already normalised. The last batch holds the
    rest. `own` says which of the batches are given, None for all.

    Yields:
        Numbers of the images (B,) int64 on the CPU, and pixels (B, 3, H, W) float32.

    Raises:
        UnreadableImage: An image of the batch that is due cannot be decoded.
    """
    progress, own = progress or Silent(), own or slice(None)
    first, last, _ = own.indices(count_batches(len(source), batch_size))
    count = min(last * batch_size, len(source)) - first * batch_size
    if isinstance(source, Tensor):
        numbers = torch.arange(len(source)).split(batch_size)[own]
        batches = ((rows, source[rows].float().to(device)) for rows in numbers)
    else:
        batches = TestLoader(source, preprocess, batch_size, device=device, own=own).batches()
    with counting(progress, title, count, "images"):
        for rows, images in batches:
            yield rows, images
            progress.advance(len(rows))


def count_batches(images: int, batch_size: int) -> int:
    """Return in how many batches so many images come.

    Raises:
        ConfigError: A batch is to hold fewer than one image.
    """
    if batch_size < 1:
        raise ConfigError(f"batch_size is {batch_size}; it must be at least 1.")
    return -(-images // batch_size)


@torch.no_grad()  # not inference_mode: reduced precision is several times slower under that
def encode_source(
    model: ReIDModel,
    source: ImageStore | Tensor,
    preprocess: Preprocess,
    encode: Callable[[Tensor, Tensor], Tensor],
    *,
    width: int,
    title: str,
    batch_size: int = BATCH_SIZE,
    progress: Progress | None = None,
) -> Tensor:
    """Encode all images of a source, of whose batches each process reads and encodes its own.

    The batches are those of one process, so that its results are the same to the bit. The many
    arguments are those of `image_batches`, where they are explained, and three more.

    Args:
        model: Its processes share the batches out, and it says on which device they are.
        source: The N images.
        preprocess: How they are prepared.
        encode: Takes numbers and pixels of a batch, and gives (B, width).
        width: Size of a row.
        title: What is reported.
        batch_size: Images at a time.
        progress: Where to report.

    Returns:
        (N, width) float32 on the CPU, in every process.

    Raises:
        UnreadableImage: An image cannot be decoded.
    """
    backbone, processes = model.backbone, model.backbone.image.processes
    count = count_batches(len(source), batch_size)
    apart = are_shared(count, processes)
    parts = processes.shares(count) if apart else [slice(0, count)]
    own = parts[processes.rank] if apart else parts[0]
    ends = [min(part.stop * batch_size, len(source)) for part in parts]
    sizes = [end - part.start * batch_size for part, end in zip(parts, ends, strict=True)]
    first = own.start * batch_size
    rows = torch.empty(sizes[processes.rank if apart else 0], width)
    if apart:
        backbone.share_rows(ALONE)  # a batch is not shared out once more
    batches = image_batches(
        source,
        preprocess,
        device=next(model.parameters()).device,
        title=title,
        batch_size=batch_size,
        own=own,
        progress=progress,
    )
    try:
        with contextlib.closing(batches):
            for numbers, images in batches:
                rows[numbers - first] = encode(numbers, images).float().cpu()
    finally:
        backbone.share_rows(processes)
    return processes.gather(rows, sizes) if apart else rows


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
