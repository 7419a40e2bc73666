"""Limits of a service."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class ServiceSettings:
    """What a service takes from its clients at most.

    Attributes:
        hosts: Names that a request may give as the host it means; None for any.
        body_bytes: Bytes of a request with pictures.
        json_bytes: Bytes of any other request.
        picture_pixels: Pixels of one picture.
        decoded_pixels: Pixels of all pictures that are decoded at a time.
        pictures: Pictures in one request.
        requests: Requests that are at work or wait; more are sent away (429).
        wait_seconds: How long a request waits for the model before it is sent away (503).
        body_seconds: How long a client may be silent while it sends, and how far it may be behind
            `body_limit.SLOWEST` (408).
        batch: Pictures that the model takes at a time, from several requests.
    """

    hosts: frozenset[str] | None = None
    body_bytes: int = 64 << 20
    json_bytes: int = 1 << 20
    picture_pixels: int = 50_000_000
    decoded_pixels: int = 200_000_000
    pictures: int = 64
    requests: int = 64
    wait_seconds: float = 30.0
    body_seconds: float = 20.0
    batch: int = 64
