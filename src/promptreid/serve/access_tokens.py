"""Tokens: who may do what with which gallery."""

from __future__ import annotations

import hashlib
import hmac
import json
import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from promptreid.errors import ConfigError
from promptreid.files import replacing
from promptreid.json_record import JsonRecord, first_problem, record_adapter
from promptreid.serve.rights import RIGHTS

EVERY_GALLERY = "*"
_BYTES = 32
_PREFIX = "prid_"
_DIGEST = re.compile("[0-9a-f]{64}")


@dataclass(frozen=True)
class TokenRow(JsonRecord):
    """A token as the file holds it.

    Attributes:
        name: Who has it.
        sha256: Of the token, in hex; the token itself is kept nowhere.
        rights: Gallery, in full or "*" for any, to some of `RIGHTS`.
    """

    name: str
    sha256: str
    rights: dict[str, tuple[str, ...]]


@dataclass(frozen=True)
class Caller:
    """Who sent a request.

    Attributes:
        name: Name of the token.
        rights: Some of `RIGHTS`.
    """

    name: str
    rights: frozenset[str]


LOCAL = Caller("this machine", frozenset(RIGHTS))
"""Whoever asks where no tokens are needed."""


class TokenBook:
    """The tokens of a file, read again whenever it changes."""

    def __init__(self, file: Path, gallery: str) -> None:
        """Read the file for one gallery.

        Raises:
            ConfigError: It is not there or not well formed.
        """
        self._file = file
        self._gallery = gallery
        self._stamp: tuple[int, int, int] | None = None
        self._rows: list[TokenRow] = []
        self.refresh()

    def refresh(self) -> None:
        """Read the file again if it has changed.

        Raises:
            ConfigError: It is not there or not well formed.
        """
        try:
            facts = self._file.stat()
        except OSError as error:
            raise ConfigError(
                f"The tokens {self._file} cannot be read: {error.strerror}. Make one: promptreid "
                f"serve token NAME --token-file {self._file} --gallery {self._gallery}."
            ) from error
        stamp = facts.st_mtime_ns, facts.st_size, facts.st_ino
        if stamp != self._stamp:
            self._rows = read_tokens(self._file)
            self._stamp = stamp

    def find(self, token: str) -> Caller | None:
        """Return who has a token; None for nobody. All are compared, however early one fits."""
        given = digest_token(token)
        caller = None
        for row in self._rows:
            if hmac.compare_digest(row.sha256, given):
                rights = {
                    right
                    for gallery in (self._gallery, EVERY_GALLERY)
                    for right in row.rights.get(gallery, ())
                }
                caller = Caller(row.name, frozenset(rights))
        return caller


def digest_token(token: str) -> str:
    """Return the SHA-256 of a token; it has 256 random bits, so that none is found by trying."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()


def read_tokens(file: Path) -> list[TokenRow]:
    """Read a file of tokens.

    Raises:
        ConfigError: It cannot be read or is not well formed.
    """
    try:
        values = json.loads(file.read_text(encoding="utf-8"))
        rows = record_adapter(list[TokenRow]).validate_python(values["tokens"])
    except ValidationError as error:
        raise ConfigError(
            f"The tokens {file} are not well formed: {first_problem(error)}."
        ) from error
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ConfigError(f"The tokens {file} cannot be read: {error}.") from error
    for row in rows:
        unknown = {right for rights in row.rights.values() for right in rights} - set(RIGHTS)
        if unknown:
            raise ConfigError(
                f"The tokens {file} give {row.name!r} the rights {sorted(unknown)}; there are "
                f"{', '.join(RIGHTS)}."
            )
        if not _DIGEST.fullmatch(row.sha256):
            raise ConfigError(
                f"The tokens {file} give {row.name!r} the sha256 {row.sha256!r}, which is none: it "
                "has 64 digits of 0-9 and a-f. Make the token anew: promptreid serve token."
            )
    return rows


def make_token(file: Path, name: str, gallery: str, rights: Sequence[str]) -> str:
    """Make a token, keep its digest in a file, and return it; it is never shown again.

    Args:
        file: Where the digests are; made if it is not there, readable by its owner alone.
        name: Who it is for; an older token of the name is replaced.
        gallery: The gallery in full, or "*" for any.
        rights: Some of `RIGHTS`.

    Raises:
        ConfigError: The file is not well formed, or the name is empty.
    """
    if not name.strip():
        raise ConfigError("The name of a token is empty; name who has it.")
    rows = read_tokens(file) if file.exists() else []
    token = _PREFIX + secrets.token_urlsafe(_BYTES)
    row = TokenRow(name, digest_token(token), {gallery: tuple(rights)})
    rows = [*(one for one in rows if one.name != name), row]
    text = json.dumps({"tokens": [one.to_dict() for one in rows]}, indent=2) + "\n"
    with replacing(file) as temporary:
        temporary.touch(mode=0o600)
        temporary.write_bytes(text.encode())
    return token
