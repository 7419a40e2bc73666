"""`promptreid serve`."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import TYPE_CHECKING

import click

from promptreid.cli import options
from promptreid.cli.gallery_model import GalleryPlace
from promptreid.cli.json_out import JsonOut, json_option
from promptreid.cli.output import reporter, started
from promptreid.gallery.records.gallery_url import GalleryUrl
from promptreid.serve.rights import RIGHTS

if TYPE_CHECKING:
    from promptreid.serve.service import Service
    from promptreid.serve.service_settings import ServiceSettings

EXTRA = {"fastapi": "fastapi", "uvicorn": "uvicorn", "python_multipart": "python-multipart"}
"""What a service needs beside the rest: name of the module, name of the package."""


class StartingGroup(click.Group):
    """A group that takes whatever is no command of it as arguments of `start`."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Put `start` before arguments that name no command."""
        if not args or args[0] not in self.commands:
            args = ["start", *args]
        return super().parse_args(ctx, args)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command:
        """Return a command; `start` for what is none."""
        return self.commands.get(cmd_name, self.commands["start"])


@click.group(cls=StartingGroup)
def serve() -> None:
    """Serve a gallery over HTTP, or make a token for one that is served."""


@serve.command()
@click.argument("model", metavar="MODEL|GALLERY", type=GalleryPlace())
@click.option(
    "--gallery",
    "place",
    type=GalleryPlace(),
    help="The gallery.  [default: the argument, with the model that it names]",
)
@click.option(
    "--next",
    "next_model",
    type=options.ExistingRun(),
    metavar="RUN_OR_CHECKPOINT",
    help="A model that the gallery may change to; it is in memory from the start.",
)
@click.option("--host", default="127.0.0.1", show_default=True, help="Where to listen.")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=8080,
    show_default=True,
    help="Port to listen at; 0 for any that is free.",
)
@click.option(
    "--token-file",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Tokens that clients need; must be given to be reached from other machines.",
)
@click.option(
    "--allow-host", "hosts", multiple=True, metavar="NAME", help="A name that clients may use."
)
@click.option(
    "--certificate",
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    help="Certificate for HTTPS.",
)
@click.option(
    "--key", type=click.Path(path_type=Path, dir_okay=False, exists=True), help="Key of it."
)
@click.option(
    "--queue",
    type=click.IntRange(1, 1024),
    default=64,
    show_default=True,
    help="Requests that are at work or wait; more are sent away (429).",
)
@click.option(
    "--max-request-mib",
    type=click.IntRange(1, 4096),
    default=64,
    show_default=True,
    help="Size of one request.",
)
@options.device
def start(
    model: GalleryUrl,
    place: GalleryUrl | None,
    next_model: Path | None,
    host: str,
    port: int,
    token_file: Path | None,
    hosts: tuple[str, ...],
    certificate: Path | None,
    key: Path | None,
    queue: int,
    max_request_mib: int,
    device: str | None,
) -> None:
    """Serve a gallery over HTTP: its page, and what programs may ask.

    On this machine alone nobody needs a token. To be reached from other machines, make tokens
    first: promptreid serve token --help.

    \b
    promptreid serve people.gallery
    promptreid serve runs/mine --gallery people.gallery --port 9000
    promptreid serve people.gallery --host 0.0.0.0 --token-file tokens.json
    promptreid serve runs/mine --next runs/better --gallery people.gallery
    """  # noqa: D301 - click reads the \b itself
    from promptreid.errors import ConfigError

    if key is not None and certificate is None:
        raise click.UsageError("--key goes with --certificate.")
    _refuse_start(model, place)
    gallery, source = (model, None) if place is None else (place, model.folder)
    with started(f"opening {gallery}"):
        from promptreid.serve.http_server import Address, listen, run_server

        address = Address(host, port, certificate, key)
        if token_file is None and not address.is_loopback:
            raise ConfigError(
                f"At {host} other machines can reach the gallery, so that clients need tokens. "
                f"Make one: promptreid serve token NAME --token-file tokens.json --gallery "
                f"{gallery}; then serve with --token-file tokens.json."
            )
        from promptreid.actions.gallery_models import find_model
        from promptreid.serve.access_tokens import TokenBook
        from promptreid.serve.application import create_app
        from promptreid.serve.service_settings import ServiceSettings

        tokens = None if token_file is None else TokenBook(token_file, gallery.resolved)
        settings = ServiceSettings(
            hosts=address.find_hosts(hosts), requests=queue, body_bytes=max_request_mib << 20
        )
        taken = listen(address)
        places = [source or find_model(gallery), *([next_model] if next_model else [])]
        service = _start_service(gallery, places, settings, device)
    # What was not read yet, and an index that has to be made, may take half a minute.
    with reporter().doing(f"making {gallery} ready to be searched; the port is closed until then"):
        facts = service.gallery.info()
    url = address.url(taken.getsockname()[1])
    who = "with a token" if tokens is not None else "by this machine alone, without a token"
    run_server(
        create_app(service, tokens),
        address,
        taken,
        lambda: click.echo(
            f"{gallery}: {facts.entries:,} images of {facts.identities:,} identities\n"
            f"page  {url}/\nAPI   {url}/docs\nused {who}; Ctrl-C stops"
        ),
    )
    click.echo("stopped")


@serve.command()
@click.argument("name")
@click.option(
    "--token-file",
    type=click.Path(path_type=Path, dir_okay=False),
    required=True,
    help="Where the digests of tokens are kept; made if it is not there.",
)
@click.option("--gallery", type=GalleryPlace(), help="For this gallery alone.  [default: any]")
@click.option(
    "--right",
    "rights",
    multiple=True,
    type=click.Choice(RIGHTS),
    help="search: ask; enrol: add and change; erase: remove for good; audit: read what was asked.  "
    "[default: search]",
)
@json_option
def token(
    name: str,
    token_file: Path,
    gallery: GalleryUrl | None,
    rights: tuple[str, ...],
    json_out: JsonOut,
) -> None:
    """Make a token for NAME and print it once; only its digest is kept.

    An older token of the same name is replaced. To take one away, delete its entry in the file; a
    running service sees it at the next request.

    \b
    promptreid serve token door --token-file tokens.json --gallery people.gallery
    promptreid serve token office --token-file tokens.json --right enrol
    """  # noqa: D301 - click reads the \b itself
    from promptreid.serve.access_tokens import EVERY_GALLERY, make_token

    where = EVERY_GALLERY if gallery is None else gallery.resolved
    rights = rights or ("search",)
    made = make_token(token_file, name, where, rights)
    click.echo(made)
    click.echo(
        f"clients send it as: Authorization: Bearer TOKEN; {token_file} keeps only its digest",
        err=True,
    )
    json_out.give({"name": name, "token": made, "gallery": where, "rights": list(rights)})


def _refuse_start(model: GalleryUrl, place: GalleryUrl | None) -> None:
    """Refuse to start without the extra, or with a run in the place of a gallery.

    Raises:
        ConfigError: With what to do.
    """
    from promptreid.errors import ConfigError
    from promptreid.runs.run_folder import RunFolder

    missing = [package for module, package in EXTRA.items() if not _is_installed(module)]
    if missing:
        raise ConfigError(
            f"A service needs packages that are not installed ({', '.join(missing)}): "
            "pip install 'promptreid[serve]'"
        )
    if place is None and model.folder is not None and RunFolder.of(model.folder) is not None:
        raise ConfigError(
            f"{model} is a run, not a gallery. Name the gallery, too: promptreid serve {model} "
            "--gallery GALLERY."
        )


def _start_service(
    gallery: GalleryUrl, places: list[Path], settings: ServiceSettings, device: str | None
) -> Service:
    """Load the models of some places, and serve a gallery with that which made its vectors."""
    from promptreid.gallery.embedder_model import EmbedderModel
    from promptreid.gallery.records.open_records import open_records
    from promptreid.gallery.searching.indexes.index_choice import AUTOMATIC
    from promptreid.inference.load import load
    from promptreid.serve.served_models import ServedModel, ServedModels
    from promptreid.serve.service import Service

    def load_served(model: Path) -> ServedModel:
        embedder = load(model, device=device)
        return ServedModel(EmbedderModel(embedder), embedder)

    models = ServedModels([load_served(place) for place in places], load_served, places)
    records = open_records(gallery)
    try:
        return Service.start(records, models, settings, gallery.index or AUTOMATIC, reporter())
    except BaseException:
        records.close()
        raise


def _is_installed(module: str) -> bool:
    return importlib.util.find_spec(module) is not None
