"""Decoded and resized images, kept in memory when they fit."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from promptreid.data.images.boxes import ImageSource
from promptreid.data.images.decode import cut_out, read_image, to_uint8
from promptreid.data.images.image_files import UnreadableImage
from promptreid.data.images.transforms import resize

_LARGEST_CACHE = 4 << 30  # bytes
_SHARE_OF_MEMORY = 0.25
_MEMORY_IF_UNKNOWN = 4 << 30
_FILES_A_TASK = 64


class ImageStore:
    """Images by number, each decoded and resized to one size.

    Both published pipelines resize first, so that keeping the resized pixels changes nothing
    about what follows. Several threads may use one store.
    """

    def __init__(
        self,
        images: Sequence[Path | ImageSource | Image.Image | np.ndarray],
        size: tuple[int, int],
        interpolation: str,
        *,
        cache: bool | Literal["auto"] = "auto",
        threads: int | None = None,
    ) -> None:
        """Remember where the images are; none is read yet.

        Args:
            images: One file per sample, with the part of it that is the image where it is not all;
                or images that are already in memory, as `to_uint8` takes them.
            size: Height and width in pixels that all are resized to.
            interpolation: ``"bicubic"`` or ``"bilinear"``.
            cache: Keep decoded images in memory: always, never, or ``"auto"``, when all of them
                need at most 4 GiB and a quarter of the memory that is free at the first batch.
            threads: Images decoded at a time; None for one a processor core, up to 8.
        """
        self.images = tuple(images)
        self.size = size
        self.interpolation = interpolation
        self._threads = threads or default_threads()
        self._cache = cache
        self._lock = threading.Lock()
        self._pixels: Tensor | None = None
        self._present: NDArray[np.bool_] | None = None

    def __len__(self) -> int:
        """Return the number of images."""
        return len(self.images)

    @property
    def nbytes(self) -> int:
        """Memory that all images need when they are kept."""
        return len(self) * 3 * self.size[0] * self.size[1]

    def batch(self, indices: Sequence[int] | NDArray[np.int64]) -> Tensor:
        """Return images by number, decoding those that are not in memory.

        Args:
            indices: (B,) numbers in 0...len(store) - 1; a number may come twice.

        Returns:
            Pixels (B, 3, H, W), uint8, a copy of what is kept.

        Raises:
            UnreadableImage: A file cannot be read.
        """
        wanted = np.asarray(indices, dtype=np.int64)
        self._open_cache()
        if self._pixels is None or self._present is None:
            pixels = torch.empty((len(wanted), 3, *self.size), dtype=torch.uint8)
            self._decode(wanted, pixels, np.arange(len(wanted)))
            return pixels
        missing = np.unique(wanted[~self._present[wanted]])
        self._decode(missing, self._pixels, missing)
        # Set only after the pixels are there. Two threads may decode the same image; both write
        # the same bytes.
        self._present[missing] = True
        return self._pixels[torch.from_numpy(wanted)]

    def _open_cache(self) -> None:
        """Reserve the memory at first use, when what other stores hold already counts as used."""
        with self._lock:
            if self._cache == "auto":
                self._cache = self.nbytes <= cache_budget()
            if self._cache and self._pixels is None:
                self._present = np.zeros(len(self), dtype=bool)
                self._pixels = torch.empty((len(self), 3, *self.size), dtype=torch.uint8)

    def _decode(self, indices: NDArray[np.int64], out: Tensor, rows: NDArray[np.int64]) -> None:
        """Decode images into rows of `out`, in threads; the decoder lets go of the Python lock."""

        def some(part: NDArray[np.int64]) -> None:
            for index, row in zip(indices[part], rows[part], strict=True):
                out[row] = resize(self._read(index), self.size, self.interpolation)

        # One part a thread: handing over images one by one costs more than it evens out.
        parts = np.array_split(np.arange(len(indices)), min(self._threads, max(1, len(indices))))
        if len(parts) == 1:
            some(parts[0])
            return
        with ThreadPoolExecutor(len(parts), "promptreid-decode") as pool:
            for _ in pool.map(some, parts):
                pass

    def _read(self, index: int) -> Tensor:
        image = self.images[index]
        if isinstance(image, Path | ImageSource):
            return read_image(image)
        with self._lock:  # Pillow decodes late, and one image may stand in several places
            return to_uint8(image)


class Readability(NamedTuple):
    """What decoding all images once has shown.

    Attributes:
        good: Indices of images that can be read, ascending.
        bad: One error for each of the others, in the order of the images.
        clipped: Indices of readable images whose boxes reach beyond their pictures.
    """

    good: list[int]
    bad: list[UnreadableImage]
    clipped: list[int]


def readable_indices(
    images: Sequence[Path | ImageSource],
    *,
    threads: int | None = None,
    counted: Callable[[int], None] | None = None,
) -> Readability:
    """Decode every image once and tell the good from the bad, without stopping.

    Args:
        images: Where the pixels of each image are, as for `ImageStore`.
        threads: Threads that decode, as for `ImageStore`.
        counted: Called with the number of images that were checked since the last call.
    """
    clipped: list[int] = []

    def failures(start: int) -> list[tuple[int, UnreadableImage]]:
        bad = []
        for index in range(start, min(start + _FILES_A_TASK, len(images))):
            try:
                if _reaches_beyond(images[index]):
                    clipped.append(index)
            except UnreadableImage as error:
                # A fresh error: the raised one holds on to the file's bytes.
                bad.append((index, UnreadableImage(error.path, error.reason)))
        return bad

    starts = range(0, len(images), _FILES_A_TASK)
    with ThreadPoolExecutor(threads or default_threads(), "promptreid-check") as pool:
        bad: dict[int, UnreadableImage] = {}
        for start, found in zip(starts, pool.map(failures, starts), strict=True):
            bad.update(found)
            if counted is not None:
                counted(min(_FILES_A_TASK, len(images) - start))
    good = [index for index in range(len(images)) if index not in bad]
    return Readability(good, list(bad.values()), sorted(clipped))


def _reaches_beyond(image: Path | ImageSource) -> bool:
    """Decode an image and say whether its box reaches beyond its picture."""
    if not isinstance(image, ImageSource) or image.box is None:
        read_image(image)
        return False
    cut = cut_out(read_image(image.path), image)
    return tuple(cut.shape[1:]) != (image.box.height, image.box.width)


def default_threads() -> int:
    """Processor cores that this process may use, up to 8."""
    try:
        cores = len(os.sched_getaffinity(0))
    except AttributeError:  # not on macOS and Windows
        cores = os.cpu_count() or 1
    return min(8, cores)


def cache_budget() -> int:
    """Bytes that a store may keep when it decides by itself."""
    return min(_LARGEST_CACHE, int(_SHARE_OF_MEMORY * _free_memory()))


def _free_memory() -> int:
    """Bytes that can be used without swapping, heeding a container's limit."""
    free = _free_on_machine()
    group = Path("/sys/fs/cgroup")
    try:
        limit = (group / "memory.max").read_text().strip()
        if limit != "max":
            # Cached files count towards a container's use but give way, so they are not in here.
            used = _number_after("anon ", group / "memory.stat")
            free = max(0, min(free, int(limit) - used))
    except (OSError, ValueError):
        pass  # no container, or one that does not say
    return free


def _free_on_machine() -> int:
    try:
        return _number_after("MemAvailable:", Path("/proc/meminfo")) << 10
    except (OSError, ValueError):
        pass  # not Linux
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, OSError, ValueError):
        return _MEMORY_IF_UNKNOWN


def _number_after(key: str, file: Path) -> int:
    for line in file.read_text().splitlines():
        if line.startswith(key):
            return int(line[len(key) :].split()[0])
    raise ValueError(f"{file} has no {key!r}")
