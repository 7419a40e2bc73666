"""A gallery's pictures and table as one ZIP, made on the disk and sent piece by piece."""

from __future__ import annotations

import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from promptreid.gallery.gallery import Gallery
from promptreid.gallery.gallery_errors import StoreFailedError

_PIECE = 1 << 20


def write_archive(gallery: Gallery, identity: str | None) -> Iterator[bytes]:
    """Export a gallery, or one identity, and return the pieces of the archive.

    It is made before the first piece is asked for, so that what goes wrong is told in words. While
    it is sent, no file of it has a name, so that nothing is left of a process that is killed.

    Raises:
        GalleryError: As `Gallery.export` does.
        StoreFailedError: The disk for temporary files fails.
    """
    archive = tempfile.TemporaryFile()  # noqa: SIM115 - the pieces are read from it
    try:
        _fill_archive(archive, gallery, identity)
    except OSError as error:
        archive.close()
        raise StoreFailedError(
            f"The archive cannot be written among the temporary files: {error.strerror or error}. "
            "Make room there, or set TMPDIR to a folder of a larger disk."
        ) from error
    except BaseException:
        archive.close()
        raise
    archive.seek(0)
    return _read_pieces(archive)


def _fill_archive(archive: IO[bytes], gallery: Gallery, identity: str | None) -> None:
    with tempfile.TemporaryDirectory(prefix="promptreid-export-") as folder:
        written = Path(folder) / "gallery"
        gallery.export(written, identity)
        # A clock that was never set may have given the files times that no ZIP can hold.
        with zipfile.ZipFile(archive, "w", zipfile.ZIP_STORED, strict_timestamps=False) as out:
            for path in sorted(written.rglob("*")):
                if path.is_file():
                    out.write(path, path.relative_to(written))
                    path.unlink()


def _read_pieces(archive: IO[bytes]) -> Iterator[bytes]:
    with archive:
        while piece := archive.read(_PIECE):
            yield piece
