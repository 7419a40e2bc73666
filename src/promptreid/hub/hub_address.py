"""Addresses of files on the hub: `hf:OWNER/NAME[@REVISION][:FILE]` or `hf://OWNER/NAME/FILE`."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from promptreid.errors import ConfigError

PREFIX = "hf:"

_REPOSITORY = r"(?P<owner>[\w][\w.-]*)/(?P<name>[\w][\w.-]*)"
_SHORT = re.compile(rf"{_REPOSITORY}(@(?P<revision>[^:]+))?(:(?P<file>.+))?")
_LONG = re.compile(rf"{_REPOSITORY}(@(?P<revision>[^/:]+))?(/(?P<file>.+))?")


@dataclass(frozen=True)
class HubAddress:
    """A file of a repository, or the model in it.

    Attributes:
        repository: `OWNER/NAME`.
        revision: Branch, tag or commit; None for the newest of the main branch.
        file: Path in the repository; None for the file that is looked for there.
    """

    repository: str
    revision: str | None = None
    file: str | None = None

    def __str__(self) -> str:
        revision = f"@{self.revision}" if self.revision else ""
        return f"{PREFIX}{self.repository}{revision}" + (f":{self.file}" if self.file else "")

    def pinned(self, commit: str) -> HubAddress:
        """Return the same address at a commit, which never changes."""
        return replace(self, revision=commit)


def is_hub_address(text: str) -> bool:
    """Tell whether a text names something on the hub."""
    return text.startswith(PREFIX)


def parse_hub_address(text: str) -> HubAddress:
    """Read an address.

    A `Path` that was made of an address has lost a slash, which is taken as well.

    Raises:
        ConfigError: It is no address; says how one looks.
    """
    rest = text.removeprefix(PREFIX)
    slashed = rest.startswith("/")
    match = (_LONG if slashed else _SHORT).fullmatch(rest.lstrip("/"))
    if not is_hub_address(text) or match is None or ".." in (match["file"] or "").split("/"):
        raise ConfigError(
            f"{text!r} is no address on the Hugging Face Hub. Write hf:OWNER/NAME, with a branch, "
            "tag or commit behind @ and a file behind a colon where they are needed: "
            "hf:OWNER/NAME@REVISION:FILE."
        )
    return HubAddress(f"{match['owner']}/{match['name']}", match["revision"], match["file"])
