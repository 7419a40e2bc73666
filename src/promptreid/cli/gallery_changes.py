"""Commands of `promptreid gallery` that list and change who is enrolled."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import click

from promptreid.cli import options
from promptreid.cli.gallery_model import open_gallery, place, reading_records
from promptreid.cli.json_out import JsonOut, json_option
from promptreid.cli.output import reporter
from promptreid.gallery.records.gallery_url import GalleryUrl
from promptreid.text.lists import counted
from promptreid.text.safe import visible

entry_option = click.option(
    "--entry",
    "entries",
    type=int,
    multiple=True,
    help="Number of an entry; may come several times.",
)
seen_option = click.option(
    "--seen", type=int, help="Refuse where the identity has another version than this by now."
)


@click.command()
@place
@json_option
def identities(place: GalleryUrl, json_out: JsonOut) -> None:
    """List who is enrolled: name, images, hidden ones, version and note."""
    from promptreid.text.tables import plain_table

    with reading_records(place) as records:
        rows = records.identities()
    table = [("identity", "images", "hidden", "version", "note")]
    table += [
        (visible(row.name), str(row.entries), str(row.hidden), str(row.version), visible(row.note))
        for row in rows
    ]
    for line in plain_table(table, right=(False, True, True, True, False)):
        click.echo(line.rstrip())
    json_out.give([vars(row) for row in rows])


@click.command()
@place
@click.argument("identity")
@json_option
def entries(place: GalleryUrl, identity: str, json_out: JsonOut) -> None:
    """List an identity's images by number, as `split`, `hide` and `erase` take them."""
    with reading_records(place) as records, records.reading():
        shown = records.identity(identity).identity
        rows = records.entry_rows(records.entries_by_identity(shown))
    for row in rows:
        facts = [row.camera and f"camera {row.camera}", row.path, row.hidden and "hidden"]
        click.echo(visible(f"{row.entry:>8}  " + "  ".join(str(fact) for fact in facts if fact)))
    json_out.give([{**vars(row), "attributes": dict(row.attributes)} for row in rows])


@click.command()
@place
@click.argument("identity")
@click.argument("name")
@seen_option
@json_option
def name(place: GalleryUrl, identity: str, name: str, seen: int | None, json_out: JsonOut) -> None:
    """Give an identity another name."""
    open_gallery(place).name(identity, name, seen=seen)
    click.echo(visible(f"{identity} is named {name} now"))
    json_out.give({"identity": name, "former": identity})


@click.command()
@place
@click.argument("identity")
@click.argument("into")
@seen_option
@json_option
def merge(place: GalleryUrl, identity: str, into: str, seen: int | None, json_out: JsonOut) -> None:
    """Put all images of IDENTITY under INTO."""
    open_gallery(place).merge(identity, into, seen=seen)
    click.echo(visible(f"{identity} is {into} now"))
    json_out.give({"identity": into, "former": identity})


@click.command()
@place
@click.argument("identity")
@click.argument("name")
@entry_option
@seen_option
@json_option
def split(
    place: GalleryUrl,
    identity: str,
    name: str,
    entries: tuple[int, ...],
    seen: int | None,
    json_out: JsonOut,
) -> None:
    """Put some images of IDENTITY under the new NAME."""
    open_gallery(place).split(identity, entries, name, seen=seen)
    click.echo(visible(f"{counted(len(entries), 'image')} of {identity} went to {name}"))
    json_out.give({"identity": name, "former": identity, "entries": list(entries)})


@click.command()
@place
@click.argument("identity", required=False)
@entry_option
@json_option
def hide(
    place: GalleryUrl, identity: str | None, entries: tuple[int, ...], json_out: JsonOut
) -> None:
    """Take an identity, or single entries, out of every answer; `unhide` undoes it."""
    number = open_gallery(place).hide(identity, entries)
    click.echo(f"hid {counted(number, 'image')}")
    json_out.give({"images": number})


@click.command()
@place
@click.argument("identity", required=False)
@entry_option
@json_option
def unhide(
    place: GalleryUrl, identity: str | None, entries: tuple[int, ...], json_out: JsonOut
) -> None:
    """Let an identity, or single entries, answer again."""
    number = open_gallery(place).unhide(identity, entries)
    click.echo(f"{counted(number, 'image')} may answer again")
    json_out.give({"images": number})


@click.command()
@place
@click.argument(
    "images", metavar="IMAGE...", nargs=-1, required=True, type=click.Path(path_type=Path)
)
@json_option
def allow(place: GalleryUrl, images: tuple[Path, ...], json_out: JsonOut) -> None:
    """Let image files be enrolled that are refused since `erase --refuse`."""
    number = open_gallery(place).allow(list(images))
    click.echo(f"{number:,} of {counted(len(images), 'image')} were refused, and are no more")
    json_out.give({"images": len(images), "allowed": number})


@click.command()
@place
@click.argument("identity", required=False)
@entry_option
@click.option("--refuse", is_flag=True, help="Let the same pictures never be enrolled again.")
@options.sure
@json_option
def erase(
    place: GalleryUrl,
    identity: str | None,
    entries: tuple[int, ...],
    refuse: bool,
    yes: bool,
    json_out: JsonOut,
) -> None:
    """Remove an identity, or single entries, for good; there is no way back.

    The store is rewritten without them, and every file of it that can be read is, to prove that
    none of their bytes is left. Backups, and image files that lie elsewhere, are not touched.
    """
    opened = open_gallery(place)
    from promptreid.gallery.identity_changes import choose_entries

    with opened.records.reading():
        what = counted(len(choose_entries(opened.records, identity, entries)), "image")
    if identity is not None:
        what += f" of {visible(identity)}"
    if not yes:
        click.confirm(f"Erase {what} from {place} for good?", abort=True, err=True)
    with reporter().doing(f"erasing {what}"):
        erased = opened.erase(identity, entries, refuse=refuse)
    click.echo(
        f"erased {counted(erased.entries, 'image')}; none of {counted(erased.pieces, 'piece')} of "
        f"their pictures and vectors is left in {erased.place}"
    )
    json_out.give(asdict(erased))
