"""Decoded and resized images, kept in memory when they fit, else on disk."""

from __future__ import annotations

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
from promptreid.data.images.decode import to_uint8
from promptreid.data.images.decoding_budget import cache_budget, default_threads
from promptreid.data.images.image_files import UnreadableImage
from promptreid.data.images.shared_pictures import SharedPictures
from promptreid.data.images.transforms import resize
from promptreid.data.pixel_cache.cache_folder import PixelFolder, default_pixel_folder
from promptreid.data.pixel_cache.pixel_cache import FileStamp, PixelCache, stamp_file

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
        cache: bool | Literal["auto", "disk"] = "auto",
        disk: PixelFolder | Literal["default"] | None = "default",
        threads: int | None = None,
    ) -> None:
        """Remember where the images are; none is read yet.

        Decoded pixels of image files are kept on disk too, for the next epoch, run or process: all
        of them by ``"disk"``, and when ``"auto"`` finds that they do not fit into memory; else
        those of files that are no smaller than their resized pixels, such as photographs, which
        take long to decode.

        Args:
            images: One file per sample, with the part of it that is the image where it is not all;
                or images that are already in memory, as `to_uint8` takes them.
            size: Height and width in pixels that all are resized to.
            interpolation: ``"bicubic"`` or ``"bilinear"``.
            cache: Keep decoded images in memory: always, never, or by ``"auto"`` when all of them
                need at most 4 GiB and a quarter of the memory that is free at the first batch;
                ``"disk"`` keeps all of them on disk instead.
            disk: Where pixels are kept on disk; the user's folder by default, None for nowhere.
            threads: Images decoded at a time; None for one a processor core, up to 16.

        Raises:
            ConfigError: The environment names no size that the user's folder can have.
        """
        self.images = tuple(images)
        self.size = size
        self.interpolation = interpolation
        self._threads = threads or default_threads()
        self._cache = cache
        self._lock = threading.Lock()
        self._pixels: Tensor | None = None
        self._present: NDArray[np.bool_] | None = None
        self._folder = default_pixel_folder() if disk == "default" else disk
        self._disk: PixelCache | None = None
        self._stamps: dict[int, FileStamp | None] = {}

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
            if self._folder is not None and self._disk is None:
                self._disk = PixelCache(self._folder, self.size, self.interpolation)
            if self._cache == "auto":
                self._cache = True if self.nbytes <= cache_budget() else "disk"
            if self._cache is True and self._pixels is None:
                self._present = np.zeros(len(self), dtype=bool)
                self._pixels = torch.empty((len(self), 3, *self.size), dtype=torch.uint8)

    def _decode(self, indices: NDArray[np.int64], out: Tensor, rows: NDArray[np.int64]) -> None:
        """Put images into rows of `out`: those on disk as they are, the others decoded in threads.

        The decoder lets go of the Python lock. Reading what is kept is mostly copying from memory,
        which threads would only slow down.
        """
        pixels = out.numpy()
        places = zip(indices.tolist(), rows.tolist(), strict=True)
        missing = [
            (index, pixels[row]) for index, row in places if not self._fetch(index, pixels[row])
        ]

        def decode(part: Sequence[int]) -> None:
            pictures = SharedPictures()
            for number in part:
                self._decode_one(*missing[number], pictures)

        # One part a thread: handing over images one by one costs more than it evens out.
        parts = np.array_split(np.arange(len(missing)), min(self._threads, max(1, len(missing))))
        if len(parts) == 1:
            decode(parts[0].tolist())
            return
        with ThreadPoolExecutor(len(parts), "promptreid-decode") as pool:
            for _ in pool.map(decode, (part.tolist() for part in parts)):
                pass

    def _fetch(self, index: int, out: NDArray[np.uint8]) -> bool:
        """Copy pixels that are kept on disk, and say whether they were there."""
        if self._disk is None:
            return False
        if index not in self._stamps:
            self._stamps[index] = stamp_file(self.images[index])
        stamp = self._stamps[index]
        return stamp is not None and self._disk.read(stamp.key, out)

    def _decode_one(self, index: int, out: NDArray[np.uint8], pictures: SharedPictures) -> None:
        """Decode an image, and keep its pixels on disk where that is worth it."""
        out[...] = resize(self._read(index, pictures), self.size, self.interpolation).numpy()
        stamp = self._stamps.get(index)
        if self._disk is None or stamp is None:
            return
        worth_keeping = self._cache == "disk" or stamp.file_bytes >= self._disk.slot_bytes
        # A file that was changed while it was read has another stamp now.
        if worth_keeping and stamp_file(self.images[index]) == stamp:
            self._disk.keep(stamp.key, out)

    def _read(self, index: int, pictures: SharedPictures) -> Tensor:
        image = self.images[index]
        if isinstance(image, Path | ImageSource):
            return pictures.read(image)
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
        pictures = SharedPictures()
        for index in range(start, min(start + _FILES_A_TASK, len(images))):
            try:
                if _reaches_beyond(images[index], pictures):
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


def _reaches_beyond(image: Path | ImageSource, pictures: SharedPictures) -> bool:
    """Decode an image and say whether its box reaches beyond its picture."""
    cut = pictures.read(image)
    if not isinstance(image, ImageSource) or image.box is None:
        return False
    return tuple(cut.shape[1:]) != (image.box.height, image.box.width)
