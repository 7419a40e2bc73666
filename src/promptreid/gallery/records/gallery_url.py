"""Where a gallery is: a folder, or a schema of a PostgreSQL database; and what searches it."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import parse_qsl, quote, unquote, urlencode, urlsplit

from promptreid.errors import GalleryError

SCHEMES = ("postgresql://", "postgres://")
"""How the URL of a database begins."""

_FORMS = (
    "A gallery is in a folder, or at postgresql://[USER@]HOST[:PORT]/DATABASE/GALLERY; "
    "?index=INDEX behind it names another index than the usual."
)
_UNREADABLE = (  # what was given is not repeated, since a password may be anywhere in it
    f"The URL of the gallery cannot be read. {_FORMS} In a password, what is no letter or digit "
    "has to be written as %XX, such as %40 for @."
)
_HOST = re.compile(r"(\[[^\[\]@]+\]|[^:\[\]@]*)(:\d+)?")
_NAME = re.compile(r"[a-z_][a-z0-9_]{0,62}")
_SECRETS = ("password", "token")


@dataclass(frozen=True)
class GalleryUrl:
    """A place, read from `FOLDER` or `postgresql://[USER@]HOST[:PORT]/DATABASE/GALLERY`.

    As text it is what people may see: passwords are left out. They are better kept where libpq
    looks for them, such as `~/.pgpass` or `PGPASSWORD`.

    Attributes:
        folder: The folder; None for a database.
        address: User, hosts and database as people may see them; empty for a folder.
        schema: Name of the gallery in its database; empty for a folder.
        connection: What libpq connects to, with all that was given; empty for a folder.
        index: What searches it, such as "exact" or "milvus://HOST:PORT"; empty for the usual.
    """

    folder: Path | None = None
    address: str = ""
    schema: str = ""
    connection: str = field(default="", repr=False)
    index: str = field(default="", repr=False)

    @property
    def resolved(self) -> str:
        """Where the gallery is, without what searches it; a folder from the root on."""
        if self.folder is not None:
            return str(self.folder.resolve())
        return f"{self.address}/{self.schema}"

    def __str__(self) -> str:
        place = f"{self.address}/{self.schema}" if self.folder is None else str(self.folder)
        return f"{place}?index={hide_credentials(self.index)}" if self.index else place


def parse_gallery_url(place: str | Path | GalleryUrl) -> GalleryUrl:
    """Read where a gallery is; a `Path` is a folder, whatever its name.

    Raises:
        GalleryError: It is neither a folder nor a database, or the gallery's name is none.
    """
    if isinstance(place, GalleryUrl):
        return place
    if isinstance(place, Path):
        return GalleryUrl(place)
    scheme = re.match(r"([A-Za-z][A-Za-z0-9+.-]+)://", place)
    if scheme is None:
        folder, mark, index = place.rpartition("?index=")
        return GalleryUrl(Path(folder), index=unquote(index)) if mark else GalleryUrl(Path(place))
    if not place.startswith(SCHEMES):
        raise GalleryError(f"There is no kind of gallery {scheme[0]}. {_FORMS}")
    return _parse_database(place)


def hide_credentials(url: str) -> str:
    """Return a URL without the name of the user, password or token; other text as it is."""
    if "://" not in url:
        return url
    try:
        parts = urlsplit(url)
    except ValueError:
        return f"{url.partition('://')[0]}://..."
    host = parts.netloc.rpartition("@")[2]
    options = [pair for pair in parse_qsl(parts.query) if pair[0] not in _SECRETS]
    return parts._replace(netloc=host, query=urlencode(options), fragment="").geturl()


def _parse_database(place: str) -> GalleryUrl:
    try:
        parts = urlsplit(place)
        options = parse_qsl(parts.query, keep_blank_values=True, strict_parsing=bool(parts.query))
    except ValueError as error:
        raise GalleryError(_UNREADABLE) from error
    names = [unquote(name) for name in parts.path.split("/")[1:]]
    credentials, at, hosts = parts.netloc.rpartition("@")
    readable = len(names) == 2 and names[0] and "@" not in names[0] + credentials
    if not readable or not all(_HOST.fullmatch(host) for host in hosts.split(",")):
        raise GalleryError(_UNREADABLE)
    database, schema = names
    if not _NAME.fullmatch(schema) or schema.startswith("pg_"):
        raise GalleryError(
            f"A gallery in a database cannot be named {schema!r}. Allowed: up to 63 small letters "
            "a-z, digits and _, no digit first, not pg_ first."
        )
    rest = urlencode([(key, value) for key, value in options if key != "index"], quote_via=quote)
    database = quote(database, safe="")
    user = credentials.partition(":")[0]
    return GalleryUrl(
        address=f"postgresql://{user}{at}{hosts}/{database}",
        schema=schema,
        connection=f"postgresql://{parts.netloc}/{database}" + (f"?{rest}" if rest else ""),
        index=dict(options).get("index", ""),
    )
