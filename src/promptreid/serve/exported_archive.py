"""A gallery's pictures and table as one ZIP, made on the disk and sent piece by piece."""

from __future__ import annotations

import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

from promptreid.gallery.gallery import Gallery

_PIECE = 1 << 20


def write_archive(gallery: Gallery, identity: str | None) -> Iterator[bytes]:
    """Export a gallery, or one identity, and return the pieces of the archive.

    It is made before the first piece is asked for, so that what goes wrong is told in words.

    Raises:
        GalleryError: As `Gallery.export` does.
    """
    folder = tempfile.TemporaryDirectory(prefix="promptreid-export-")
    try:
        archive = Path(folder.name) / "gallery.zip"
        written = Path(folder.name) / "gallery"
        gallery.export(written, identity)
        with zipfile.ZipFile(archive, "w", zipfile.ZIP_STORED) as out:
            for path in sorted(written.rglob("*")):
                if path.is_file():
                    out.write(path, path.relative_to(written))
                    path.unlink()
    except BaseException:
        folder.cleanup()
        raise
    return _read_pieces(archive, folder)


def _read_pieces(archive: Path, folder: tempfile.TemporaryDirectory) -> Iterator[bytes]:
    with folder, archive.open("rb") as file:
        while piece := file.read(_PIECE):
            yield piece
