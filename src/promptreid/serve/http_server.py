"""Running a service: where it listens, who it answers to, and how it stops."""

from __future__ import annotations

import contextlib
import ipaddress
import socket
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import uvicorn
from fastapi import FastAPI

from promptreid.errors import ConfigError, first_line

STOP_SECONDS = 60
"""How long requests that are begun may take to finish when the service stops."""

_IDLE_SECONDS = 15
_WAITING_CONNECTIONS = 512


@dataclass(frozen=True)
class Address:
    """Where a service listens.

    Attributes:
        host: Address or name.
        port: Port; 0 for any that is free.
        certificate: File of the certificate for TLS; None for plain HTTP.
        key: File of its key; None where the certificate's file holds it.
    """

    host: str
    port: int
    certificate: Path | None = None
    key: Path | None = None

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine can reach it."""
        if self.host == "localhost":
            return True
        with contextlib.suppress(ValueError):
            return ipaddress.ip_address(self.host.strip("[]")).is_loopback
        return False

    def find_hosts(self, allowed: tuple[str, ...]) -> frozenset[str] | None:
        """Return the names that requests may give as the host; None for any.

        On this machine alone these are its own names, since any page that a browser has open could
        let a name of its own point here. Elsewhere a token is asked for, which no such page has.
        """
        if self.is_loopback:
            allowed = ("localhost", "127.0.0.1", "[::1]", self.host, *allowed)
        return frozenset(map(str.lower, allowed)) if allowed else None

    def url(self, port: int) -> str:
        """Return the address for a browser."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'http' if self.certificate is None else 'https'}://{host}:{port}"


def listen(address: Address) -> socket.socket:
    """Take the port of an address.

    Raises:
        ConfigError: It is taken, the address is none of this machine, or its certificate or key
            cannot be used.
    """
    _check_certificate(address)
    try:
        family, _, _, _, place = socket.getaddrinfo(
            address.host.strip("[]"), address.port, type=socket.SOCK_STREAM
        )[0]
        taken = socket.socket(family, socket.SOCK_STREAM)
        try:
            taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            taken.bind(place)
        except BaseException:
            taken.close()
            raise
    except (OSError, UnicodeError) as error:  # the latter of a name that no host can have
        reason = error.strerror if isinstance(error, OSError) else first_line(error)
        raise ConfigError(
            f"The service cannot listen at {address.host}, port {address.port}: {reason}. Give "
            "another --port (0 takes any that is free) or --host."
        ) from error
    return taken


def _check_certificate(address: Address) -> None:
    """Refuse a certificate or key that cannot be used, before anything takes long."""
    if address.certificate is None:
        return
    files = [str(file) for file in (address.certificate, address.key) if file is not None]
    try:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        # The password keeps OpenSSL from asking for one.
        context.load_cert_chain(address.certificate, address.key, password="none")
    except OSError as error:
        is_tls = isinstance(error, ssl.SSLError)  # whose reason OpenSSL may leave out
        reason = getattr(error, "reason", None) if is_tls else error.strerror
        why = f" ({reason.lower().replace('_', ' ')})" if reason else ""
        raise ConfigError(
            f"{' with '.join(files)} cannot be used for HTTPS{why}. --certificate takes a PEM file "
            "of a certificate, and behind it those that it was signed with; --key one of its "
            "private key without a password, unless the first holds it, too."
        ) from error


def run_server(
    app: FastAPI, address: Address, taken: socket.socket, started: Callable[[], None]
) -> None:
    """Serve until SIGTERM or Ctrl-C, then finish what is begun and take nothing more.

    Args:
        app: The application.
        address: Where it listens.
        taken: The socket of `listen`.
        started: Called when the first request may come.
    """
    config = uvicorn.Config(
        app,
        log_level="warning",
        access_log=False,
        server_header=False,
        backlog=_WAITING_CONNECTIONS,
        timeout_keep_alive=_IDLE_SECONDS,
        timeout_graceful_shutdown=STOP_SECONDS,
        ssl_certfile=address.certificate,
        ssl_keyfile=address.key,
    )
    server = _Telling(config, started)
    # uvicorn sends the signal once more when all is finished; that this process stops is clear.
    with contextlib.suppress(KeyboardInterrupt):
        server.run(sockets=[taken])


class _Telling(uvicorn.Server):
    """A server that says when it is ready."""

    def __init__(self, config: uvicorn.Config, started: Callable[[], None]) -> None:
        super().__init__(config)
        self._told = started

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to listen, and say so."""
        await super().startup(sockets)
        if self.started:
            self._told()
