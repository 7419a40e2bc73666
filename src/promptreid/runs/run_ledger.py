"""`run.json`: which run a folder is, and digests of the files that the run wrote into it."""

from __future__ import annotations

import hashlib
import secrets
from pathlib import Path
from typing import Annotated

from pydantic import Field

from promptreid.files import write_text
from promptreid.runs.file_names import LEDGER
from promptreid.runs.record_reading import parse_record, read_content
from promptreid.runs.run_records import Record

_KEPT = 2
"""Digests a file may have: that of its content, and of the content before, which a process that
was killed between writing `run.json` and writing the file has left."""

Hex = Annotated[str, Field(pattern=r"^[0-9a-f]{16,64}$")]


class Ledger(Record):
    """The content of `run.json`.

    Attributes:
        id: Drawn when the run was started; its checkpoints name it, too.
        files: Digests of the contents that each file may have, the newest last.
    """

    id: Hex
    files: dict[str, tuple[Hex, ...]]

    @classmethod
    def start(cls) -> Ledger:
        """Begin the ledger of a new run."""
        return cls(id=secrets.token_hex(8), files={})

    def knows(self, name: str, content: bytes) -> bool:
        """Tell whether the run wrote this content into a file."""
        return digest(content) in self.files.get(name, ())

    def with_file(self, name: str, content: bytes) -> Ledger:
        """Return the ledger for a file that is about to be written."""
        new = digest(content)
        earlier = [one for one in self.files.get(name, ()) if one != new]
        digests = (*earlier[1 - _KEPT :], new)
        return Ledger(id=self.id, files={**self.files, name: digests})

    def write(self, folder: Path) -> None:
        """Write `run.json` in one step."""
        write_text(folder / LEDGER, self.model_dump_json(indent=2) + "\n")


def read_ledger(folder: Path) -> Ledger:
    """Read `run.json` of a folder.

    Raises:
        RunError: It is missing or damaged.
    """
    path = folder / LEDGER
    return parse_record(read_content(path), Ledger, path)


def digest(content: bytes) -> str:
    """Return the digest that the ledger keeps of a file's content."""
    return hashlib.blake2b(content, digest_size=16).hexdigest()
