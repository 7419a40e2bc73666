"""`promptreid gallery`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from promptreid.cli import options
from promptreid.cli.described_group import DescribedGroup
from promptreid.cli.gallery_add import add
from promptreid.cli.gallery_audit import audit
from promptreid.cli.gallery_changes import (
    allow,
    entries,
    erase,
    hide,
    identities,
    merge,
    name,
    split,
    unhide,
)
from promptreid.cli.gallery_model import model_option, open_gallery, place, reading_records
from promptreid.cli.gallery_moves import copy, reembed
from promptreid.cli.gallery_negatives import negatives
from promptreid.cli.json_out import JsonOut, json_option
from promptreid.cli.output import reporter, started
from promptreid.gallery.records.gallery_url import GalleryUrl
from promptreid.text.lists import counted
from promptreid.text.safe import visible
from promptreid.text.wrap import wrapped


@click.group(cls=DescribedGroup)
def gallery() -> None:
    """Enrol people, and look after who is enrolled.

    A gallery is a folder, or postgresql://HOST/DATABASE/GALLERY. `promptreid search` answers who of
    it a picture shows.
    """


@gallery.command()
@place
@model_option("The model that makes the vectors.", required=True)
@click.option(
    "--aggregate",
    default="best",
    show_default=True,
    help="How an identity's images become one score: best, mean-of-K or mean-vector.",
)
@click.option(
    "--keep",
    type=click.Choice(["crops", "paths"]),
    default="crops",
    show_default=True,
    help="Keep the images themselves, or only where they lie.",
)
@click.option(
    "--rate",
    type=float,
    default=0.05,
    show_default=True,
    help="The part of strangers that may be taken for somebody.",
)
@click.option(
    "--audit",
    type=click.Choice(["service", "always", "never"]),
    default="service",
    show_default=True,
    help="Write down the uses of a service's clients, all uses, or none.",
)
@options.device
@json_option
def create(
    place: GalleryUrl,
    model: Path,
    json_out: JsonOut,
    **settings: Any,
) -> None:
    """Make an empty gallery for the vectors of a model."""
    with started(f"creating {place}"):
        from promptreid.actions import gallery_models

        gallery_models.create_gallery(place, model, **settings).close()
    click.echo(f"created {place}\nnext:\n  promptreid gallery add {place} folder:/path/to/folders")
    json_out.give({"gallery": str(place), "model": str(model.absolute())})


@gallery.command()
@place
@json_option
def info(place: GalleryUrl, json_out: JsonOut) -> None:
    """Say what a gallery holds, and which rate of strangers it can promise."""
    from promptreid.gallery.upkeep.gallery_facts import read_facts
    from promptreid.text.number_words import percent, write_threshold

    with reading_records(place) as records:
        facts = read_facts(records)
    hidden = f", {facts.hidden:,} of them hidden" if facts.hidden else ""
    source = visible(facts.model.get("source") or "an unknown place")
    lines = [
        f"{place}: {counted(facts.entries, 'image')} of "
        f"{counted(facts.identities, 'identity', 'identities')}{hidden}",
        f"  model        {facts.fingerprint} from {source}, {facts.width} numbers a vector",
        f"  score        {facts.aggregate}; keeps {facts.keep}",
    ]
    if facts.accepting_score is None:
        lines.append(
            f"  strangers    with {facts.calibrating:,} identities to compare with, no rate below "
            f"{percent(facts.least_rate)} can be promised; {percent(facts.rate)} needs "
            f"{facts.needed:,}"
        )
    else:
        lines.append(
            f"  strangers    {percent(facts.rate)} at most are accepted: now above the score "
            f"{write_threshold(facts.accepting_score)}, by {facts.calibrating:,} identities"
        )
    if facts.negatives:
        lines.append(f"  not          {counted(facts.negatives, 'negative example')}")
    for fingerprint, (state, vectors) in facts.models.items():
        if fingerprint != facts.fingerprint:
            lines.append(f"  vectors      {vectors:,} of {fingerprint}, {state}")
    if facts.audit_records:
        lines.append(
            f"  audit        {counted(facts.audit_records, 'record')}, which end with "
            f"{facts.audit_records}:{facts.audit_digest}"
        )
    click.echo(wrapped("\n".join(lines)))
    json_out.give(facts.to_dict())


@gallery.command()
@place
@click.option("--mend", is_flag=True, help="Compute anew what follows from the entries.")
@json_option
@click.pass_context
def check(ctx: click.Context, place: GalleryUrl, json_out: JsonOut, mend: bool) -> None:
    """Look for all that can be wrong with a gallery. Exit code: 0 nothing, 2 something."""
    opened = open_gallery(place)
    if mend:
        opened.mend(reporter())
    findings = opened.check(reporter())
    for finding in findings:
        click.echo(wrapped(visible(f"{finding.problem} {finding.remedy}")))
    if not findings:
        click.echo(f"{place}: nothing is wrong with {counted(opened.info().entries, 'image')}")
    json_out.give([finding.to_dict() for finding in findings])
    ctx.exit(2 if findings else 0)


@gallery.command()
@place
@click.argument("out", type=click.Path(path_type=Path))
@click.option("--identity", help="Only this one.")
@json_option
def export(place: GalleryUrl, out: Path, identity: str | None, json_out: JsonOut) -> None:
    """Write images and a table of them into the new folder OUT, which `csv:` reads as data."""
    from promptreid.gallery.upkeep.gallery_export import export_entries

    with reading_records(place) as records:
        written = export_entries(records, out, identity, reporter())
    elsewhere = f"; {written.elsewhere:,} lie elsewhere" if written.elsewhere else ""
    click.echo(f"wrote {counted(written.images, 'image')} and {written.table}{elsewhere}")
    counts = {"images": written.images, "elsewhere": written.elsewhere}
    json_out.give({"table": str(written.table), **counts})


for command in (
    add, identities, entries, name, merge, split, hide, unhide, erase, allow, negatives, reembed,
    copy, audit,
):  # fmt: skip
    gallery.add_command(command)
