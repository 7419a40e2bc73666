"""What is kept on disk to be faster, as the command `data cache` and Python show and erase it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from promptreid.data.pixel_cache.cache_folder import default_pixel_folder
from promptreid.data.videos.kept_frames import clear_frames, count_frames, default_frame_cache
from promptreid.evaluation.embeddings import kept_embeddings
from promptreid.evaluation.embeddings.kept_embeddings import (
    clear_embeddings,
    count_embeddings,
    default_embedding_cache,
)
from promptreid.gallery.picture_folders import search_cache
from promptreid.gallery.picture_folders.search_cache import (
    clear_cached,
    count_cached,
    default_search_cache,
)


@dataclass(frozen=True, repr=False)
class KeptFiles:
    """Pixels, vectors and frames that are kept. Printed, it says what `promptreid data cache` says.

    Attributes:
        folder: Where pixels are kept; None where none are.
        bytes: Of these pixels.
        limit: So many of them at most.
        erased: Bytes of pixels that were erased.
        searched: Where vectors of searched folders are kept, with the same numbers.
        embeddings: Where those of figures, reports and runs are kept, with the same numbers.
        frames: Where frames of videos are kept, with the same numbers but the limit.
        cleared: Whether something was to be erased.
    """

    folder: str | None
    bytes: int
    limit: int
    erased: int
    searched: dict[str, Any]
    embeddings: dict[str, Any]
    frames: dict[str, Any]
    cleared: bool

    def to_dict(self) -> dict[str, Any]:
        """Return the numbers, JSON-ready."""
        return {name: value for name, value in vars(self).items() if name != "cleared"}

    def __str__(self) -> str:
        searched, embedded, frames = self.searched, self.embeddings, self.frames
        lines = []
        if self.cleared:
            lines.append(
                f"erased {_mebibytes(self.erased)} of pixels, {_mebibytes(searched['erased'])} of "
                f"searched folders, {_mebibytes(embedded['erased'])} of embeddings and "
                f"{_mebibytes(frames['erased'])} of frames of videos"
            )
        lines.append(
            "no pixels are kept on disk"
            if self.folder is None
            else f"{self.folder} holds {_mebibytes(self.bytes)} of at most {_mebibytes(self.limit)}"
        )
        lines += [
            f"{kept['folder']} holds {_mebibytes(kept['bytes'])} of at most "
            f"{_mebibytes(kept['limit'])} of {what}"
            for kept, what in ((searched, "searched folders"), (embedded, "embeddings"))
        ]
        lines.append(f"{frames['folder']} holds {_mebibytes(frames['bytes'])} of frames of videos")
        return "\n".join(lines)

    __repr__ = __str__


def data_cache(*, clear: bool = False) -> KeptFiles:
    """Show what is kept on disk to be faster: decoded pixels, vectors, frames of videos.

    Args:
        clear: Erase it, but for what is being written right now.

    Example:
        >>> promptreid.data_cache().limit >= 0
        True
    """
    pixels = default_pixel_folder()
    path, limit, erased, used = None, 0, 0, 0
    if pixels is not None:
        erased = pixels.clear() if clear else 0
        path, limit, used = str(pixels.path), pixels.limit, pixels.used()
    place, videos = default_search_cache(), default_frame_cache()
    vectors = default_embedding_cache()
    searched = {
        "folder": str(place),
        "erased": clear_cached(place) if clear else 0,
        "bytes": count_cached(place),
        "limit": search_cache.LIMIT,
    }
    embeddings = {
        "folder": str(vectors),
        "erased": clear_embeddings(vectors) if clear else 0,
        "bytes": count_embeddings(vectors),
        "limit": kept_embeddings.LIMIT,
    }
    frames = {
        "folder": str(videos),
        "erased": clear_frames(videos) if clear else 0,
        "bytes": count_frames(videos),
    }
    return KeptFiles(path, used, limit, erased, searched, embeddings, frames, clear)


def _mebibytes(count: int) -> str:
    return f"{count / 2**20:,.0f} MiB"
