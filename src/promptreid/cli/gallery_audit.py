"""`promptreid gallery audit`."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Generator
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import click

from promptreid.cli.described_group import DescribedGroup
from promptreid.cli.gallery_model import open_gallery, place, reading_records
from promptreid.cli.json_out import JsonOut, json_option
from promptreid.gallery.records.gallery_url import GalleryUrl
from promptreid.text.lists import counted
from promptreid.text.safe import visible
from promptreid.text.wrap import wrapped

if TYPE_CHECKING:
    from promptreid.gallery.audit.audit_log import AuditLog
    from promptreid.gallery.gallery_settings import GallerySettings


class _ListsByDefault(DescribedGroup):
    """A group of commands of which the first needs no name."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Put the name of the first command before what is none."""
        if args and args[0] not in self.commands and args[0] not in ("--help", "-h"):
            args = ["list", *args]
        return super().parse_args(ctx, args)


@click.group(cls=_ListsByDefault)
def audit() -> None:
    """List what a gallery was used for, and prove that the list was not changed.

    \b
    promptreid gallery audit list people.gallery --since 2026-03-01
    promptreid gallery audit verify people.gallery
    promptreid gallery audit set people.gallery always
    promptreid gallery audit expire people.gallery --days 180
    """  # noqa: D301 - click reads the \b itself


@contextlib.contextmanager
def reading_audit(place: GalleryUrl) -> Generator[tuple[AuditLog, GallerySettings]]:
    """Open what a gallery was used for, and its settings, with nothing made ready for a search."""
    from promptreid.gallery.audit.audit_log import AuditLog
    from promptreid.gallery.gallery_settings import GallerySettings

    with reading_records(place) as records:
        settings = GallerySettings.from_texts(records.settings())
        yield AuditLog(records, threading.RLock(), is_on=False), settings


@audit.command("list")
@place
@click.option("--since", help="Only uses from this time on.")
@json_option
def list_uses(place: GalleryUrl, since: str | None, json_out: JsonOut) -> None:
    """List uses: number, time, who asked, and the answer."""
    from promptreid.gallery.searching.filters import parse_time

    earliest = 0.0 if since is None else parse_time(since)
    with reading_audit(place) as (log, settings):
        records = [record.to_dict() for record in log.read(earliest)]
    for record in records:
        click.echo(visible(f"{record['number']:>8}  {_time(record['time'])}  {_tell(record)}"))
    if not records:
        which = "no uses" if since is None else f"no uses since {since}"
        click.echo(
            wrapped(f"{place} has {which} written down; it writes down {_AUDITS[settings.audit]}.")
        )
    json_out.give(records)


@audit.command()
@place
@click.option(
    "--noted",
    metavar="COUNT:DIGEST",
    help="An end of the chain that was noted elsewhere, as `gallery info` prints it.",
)
@json_option
@click.pass_context
def verify(ctx: click.Context, place: GalleryUrl, noted: str | None, json_out: JsonOut) -> None:
    """Look for changed, missing or exchanged records. Exit code: 0 none, 2 some.

    Who can write to the gallery can also compute the whole chain anew. That is found out with an
    end of the chain that was noted elsewhere.
    """
    with reading_audit(place) as (log, _):
        findings, head = log.verify(_parse_noted(noted)), log.head()
    for finding in findings:
        click.echo(wrapped(visible(finding.problem)))
    if not findings:
        click.echo(
            f"{place}: nothing is wrong with {counted(head.count, 'audit record')}; the chain ends "
            f"with {head.count}:{head.digest}"
            if head.count
            else f"{place}: there are no audit records"
        )
    json_out.give(
        {
            "count": head.count,
            "digest": head.digest,
            "findings": [finding.to_dict() for finding in findings],
        }
    )
    ctx.exit(2 if findings else 0)


@audit.command()
@place
@click.argument("number", type=int)
@click.option("--by", required=True, help="Who looked at the answer.")
@click.option("--right/--wrong", required=True, default=None, help="Whether it was right.")
@click.option("--words", default="", help="What there is to say about it.")
@json_option
def confirm(
    place: GalleryUrl, number: int, by: str, right: bool, words: str, json_out: JsonOut
) -> None:
    """Write down that somebody verified the answer of record NUMBER."""
    record = open_gallery(place).audit.confirm(number, by=by, right=right, words=words)
    click.echo(visible(f"record {record} says that {by} found {number} {_RIGHT[right]}"))
    json_out.give({"record": record, "confirms": number, "by": by, "right": right})


@audit.command("set")
@place
@click.argument("which", type=click.Choice(["service", "always", "never"]))
@json_option
def set_which(place: GalleryUrl, which: str, json_out: JsonOut) -> None:
    """Choose which uses are written down: a service's, all, or none."""
    open_gallery(place).set_audit(which)
    click.echo(f"{place} writes down {_AUDITS[which]} from its next opening on")
    json_out.give({"gallery": str(place), "audit": which})


@audit.command()
@place
@click.option(
    "--days",
    type=click.IntRange(1, 36_500),
    required=True,
    help="How long records keep their content.",
)
@json_option
def expire(place: GalleryUrl, days: int, json_out: JsonOut) -> None:
    """Erase the content of records that are older than so many days.

    The links of the chain stay, and a further record says which ones lost their content, so that
    `verify` finds nothing wrong. Run it once a day to keep to a term.
    """
    before = datetime.now(UTC) - timedelta(days=days)
    count = open_gallery(place).audit.expire(before.timestamp())
    click.echo(
        f"{place}: {counted(count, 'audit record')} from before {before:%Y-%m-%d %H:%M} lost "
        f"{'its' if count == 1 else 'their'} content"
        if count
        else f"{place}: no audit record from before {before:%Y-%m-%d %H:%M} has content"
    )
    json_out.give({"records": count, "before": before.isoformat(timespec="seconds")})


_AUDITS = {
    "service": "the uses of a service's clients",
    "always": "all uses",
    "never": "no uses",
}
_RIGHT = {True: "right", False: "wrong"}


def _parse_noted(noted: str | None) -> Any:
    from promptreid.gallery.records.record_rows import AuditHead

    if noted is None:
        return None
    count, colon, digest = noted.partition(":")
    if not colon or not count.isdecimal() or len(digest) != 64:
        raise click.UsageError(
            f"{noted!r} is no end of a chain; it is COUNT:DIGEST, with 64 hexadecimal digits."
        )
    return AuditHead(int(count), digest.lower())


def _time(milliseconds: int) -> str:
    return datetime.fromtimestamp(milliseconds / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S")


def _tell(record: dict[str, Any]) -> str:
    content = record["content"]
    if content is None:
        return "(the content was erased)"
    answer, who = content["answer"], content["asked_by"] or "somebody"
    if content["kind"] == "confirmation":
        return f"{who} verified record {answer['record']}: {_RIGHT[answer['right']]}"
    if content["kind"] in ("erasure", "expiry"):
        ranges = ", ".join(str(a) if a == b else f"{a}-{b}" for a, b in answer["records"])
        records = "records" if "," in ranges or "-" in ranges else "record"
        if content["kind"] == "expiry":
            return f"{who} let the content of {records} {ranges} expire"
        return f"{who} erased; the content of {records} {ranges} went with it"
    told = answer.get("identity") or answer.get("verdict")
    if "same" in answer:
        told = "one identity" if answer["same"] else "two identities"
    elif "nearest" in answer:
        told = counted(len(answer["nearest"]), "image")
    return f"{who} asked ({content['kind']}): {told}"
