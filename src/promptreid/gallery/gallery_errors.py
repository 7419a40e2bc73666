"""Kinds of mistakes with a gallery, where a caller acts differently on each."""

from __future__ import annotations

from promptreid.errors import GalleryError


class NotEnrolledError(GalleryError):
    """There is no such identity or entry."""


class ChangedSinceError(GalleryError):
    """An identity is not as it was when it was looked at."""


class NameTakenError(GalleryError):
    """Another identity has the name."""


class ModelSwitchedError(GalleryError):
    """The gallery has another model by now than when it was opened; it has to be opened again."""


class StoreInUseError(GalleryError):
    """Another process has been using the store for too long; the same may work later."""


class StoreFailedError(GalleryError):
    """The store cannot be read or written: its disk is full, it is read-only, or it is damaged."""
