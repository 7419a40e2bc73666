"""An inspection as text for people."""

from __future__ import annotations

from collections.abc import Sequence

from promptreid.data.inspection.findings import Inspection, PixelSizes, ProtocolSummary
from promptreid.text.lists import shorten_list
from promptreid.text.safe import visible
from promptreid.text.tables import plain_table

SHOWN = 10


def render_text(inspection: Inspection) -> str:
    """Write an inspection as lines of plain text, without a final newline."""
    lines = [f"{inspection.name}  {inspection.images:,} images in {visible(inspection.root)}", ""]
    lines += _table(inspection)
    if inspection.sizes is not None:
        lines += ["", _sizes(inspection.sizes)]
    for word, images in (("cameras", inspection.cameras), ("views", inspection.views)):
        if images:
            counts = [f"{name} ({count:,})" for name, count in images.items()]
            lines += ["", f"{word} (images): {shorten_list(counts, limit=SHOWN)}"]
    if inspection.protocol is not None:
        lines += ["", *_protocol(inspection.protocol)]
    for title, findings in (
        ("Notes", inspection.notes),
        ("Unreadable images", [f"{item.path}: {item.reason}" for item in inspection.unreadable]),
        ("Equal files", [" = ".join(group.paths) for group in inspection.duplicates]),
        ("Warnings", inspection.warnings),
        ("Problems", inspection.problems),
    ):
        lines += _section(title, findings)
    if not inspection.images_checked:
        lines += ["", "Images were not opened."]
    lines += ["", f"fingerprint {inspection.fingerprint[:16]}"]
    return "\n".join([*lines, "ok" if inspection.ok else "NOT USABLE as it is"])


def _table(inspection: Inspection) -> list[str]:
    header = ("split", "identities", "images", "cameras", "views", "per identity", "histogram")
    rows = [
        (
            item.split,
            f"{item.identities:,}",
            f"{item.images:,}",
            str(item.cameras or "-"),
            str(item.views or "-"),
            f"{item.per_identity[0]}..{item.per_identity[1]:g}..{item.per_identity[2]}",
            "  ".join(f"{images}: {count}" for images, count in item.histogram.items()),
        )
        for item in inspection.splits
    ]
    return plain_table([header, *rows], right=[False, *[True] * 5, False])


def _sizes(sizes: PixelSizes) -> str:
    median, smallest, largest = (
        f"{width:,} x {height:,}" for width, height in (sizes.median, sizes.smallest, sizes.largest)
    )
    if smallest == largest:
        return f"pixels (width x height): {median}"
    return f"pixels (width x height): {median} is the median; from {smallest} to {largest}"


def _protocol(protocol: ProtocolSummary) -> list[str]:
    rule = "ignored" if protocol.same_camera == "exclude" else "kept"
    return [
        f"protocol {protocol.name}: {protocol.repeats} repeat(s), "
        f"{_span(protocol.queries)} queries, {_span(protocol.gallery)} gallery images of "
        f"{_span(protocol.gallery_identities)} identities",
        f"  same camera {rule}; AP by {protocol.ap}. {protocol.note}".rstrip(),
        f"  queries without a possible match: {protocol.absent:,} (identity not in the gallery), "
        f"{protocol.same_camera_only:,} (only in the same camera) of {protocol.total_queries:,}",
    ]


def _span(bounds: tuple[int, int]) -> str:
    return "-".join(f"{bound:,}" for bound in dict.fromkeys(bounds))


def _section(title: str, findings: Sequence[str]) -> list[str]:
    if not findings:
        return []
    lines = ["", f"{title} ({len(findings):,})"]
    lines += [f"  {visible(line)}" for line in findings[:SHOWN]]
    more = [f"  … and {len(findings) - SHOWN:,} more"] if len(findings) > SHOWN else []
    return lines + more
