"""Fetching files from the hub into its cache, where they stay for the next time."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from urllib.parse import urlsplit
from urllib.request import getproxies

from promptreid.errors import WeightsError, first_line
from promptreid.hub.hub_address import HubAddress, is_hub_address, parse_hub_address

MODEL_FILE = "model.safetensors"
CONFIG_FILE = "config.json"
WEIGHT_FILES = ("open_clip_model.safetensors", MODEL_FILE)
"""Files of weights that a backbone is looked for in, the first that is there."""

_OFFLINE = "HF_HUB_OFFLINE"
_TRUE = {"1", "ON", "YES", "TRUE"}


@dataclass(frozen=True)
class HubCache:
    """How the hub is asked; every field but the first is that of `huggingface_hub`.

    Attributes:
        local_files_only: Take what is in the cache and ask nobody.
        cache_dir: The cache; None for that of `HF_HUB_CACHE` or `HF_HOME`.
        token: For private repositories; None for that of `HF_TOKEN` or of a login.
        force_download: Fetch what is in the cache again.
    """

    local_files_only: bool = False
    cache_dir: Path | None = None
    token: str | None = None
    force_download: bool = False

    @property
    def folder(self) -> Path:
        """Where fetched files lie."""
        from huggingface_hub import constants

        return Path(self.cache_dir or constants.HF_HUB_CACHE)


@dataclass(frozen=True)
class FetchedFile:
    """A file in the cache.

    Attributes:
        path: Where it lies.
        commit: Which version of the repository it is of.
    """

    path: Path
    commit: str


def fetch_file(
    address: HubAddress, names: Sequence[str] = (MODEL_FILE,), cache: HubCache | None = None
) -> FetchedFile:
    """Fetch a file of an address, or find it in the cache.

    Args:
        address: Whose file is taken; without one the first of `names` that is there.
        names: Files to look for.
        cache: How the hub is asked.

    Raises:
        WeightsError: There is no such repository, revision or file, or it cannot be had now.
    """
    from huggingface_hub.errors import EntryNotFoundError, LocalEntryNotFoundError

    cache = cache or HubCache()
    reason = _why_offline(cache)
    looked_for = (address.file,) if address.file else tuple(names)
    missing: Exception | None = None
    for name in looked_for:
        try:
            return _download(address, name, cache, local=bool(reason))
        except LocalEntryNotFoundError as error:
            missing, reason = error, reason or "the hub could not be reached"
        except EntryNotFoundError as error:
            missing = error
        except Exception as error:  # the client raises many kinds, few of them documented
            raise WeightsError(
                f"{address} could not be fetched from the Hugging Face Hub "
                f"({type(error).__name__}: {first_line(error)}). Check owner, name and revision; a "
                "private or gated repository needs HF_TOKEN or `hf auth login`."
            ) from error
    files = " or ".join(looked_for)
    if reason:
        raise WeightsError(
            f"{address} is not in the cache {cache.folder}: there is no {files} of "
            f"{address.revision or 'its main branch'}, and {reason}. Fetch it once with a network, "
            "or copy the file here and give its path."
        ) from missing
    raise WeightsError(
        f"{address.repository} on the Hugging Face Hub has no file {files} in "
        f"{address.revision or 'its main branch'}. Name the file: hf:{address.repository}:FILE."
    ) from missing


def find_commits(names: Iterable[str]) -> dict[str, str]:
    """Return the commit that each address among some names stands for, of what is in the cache.

    Other names, such as paths, are left out. Files that were fetched a moment ago are there.

    Raises:
        WeightsError: A file is not in the cache.
    """
    here = HubCache(local_files_only=True)
    return {
        name: fetch_file(parse_hub_address(name), WEIGHT_FILES, here).commit
        for name in names
        if is_hub_address(name)
    }


def check_host(url: str) -> None:
    """Raise `OSError` where the name of a host is not known: then there is no network.

    Asking takes a moment; clients try again for a minute. Behind a proxy names need not resolve.
    """
    if not getproxies():
        socket.getaddrinfo(urlsplit(url).hostname or "", 443)


def _why_offline(cache: HubCache) -> str:
    """Say why nobody is asked; empty where the hub is."""
    from huggingface_hub import constants

    if cache.local_files_only:
        return "only local files are asked for (local_files_only)"
    if constants.HF_HUB_OFFLINE or os.environ.get(_OFFLINE, "").upper() in _TRUE:
        return f"{_OFFLINE} is set, so the hub is not asked"
    try:
        check_host(constants.ENDPOINT)
    except OSError:
        return f"{urlsplit(constants.ENDPOINT).hostname} cannot be reached"
    return ""


def _download(address: HubAddress, name: str, cache: HubCache, *, local: bool) -> FetchedFile:
    from huggingface_hub import hf_hub_download

    found = hf_hub_download(
        address.repository,
        name,
        revision=address.revision,
        cache_dir=cache.folder,
        token=cache.token,
        local_files_only=local,
        force_download=cache.force_download and not local,
    )
    path, depth = Path(found), len(PurePosixPath(name).parts)
    return FetchedFile(path, path.parents[depth - 1].name)  # snapshots/COMMIT/NAME
