"""Draw `demo.png` from a finished demo: queries and their five nearest gallery images.

python docs/images/make.py runs/demo
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import torch
from PIL import Image, ImageDraw, ImageFont

import promptreid
from promptreid.data.dataset import load_data
from promptreid.data.manifest import Manifest

SIDE, GAP, TOP, MARK = 104, 8, 40, 5
QUERIES, SHOWN = 5, 5
GREEN, RED, INK, PAPER = (21, 128, 61), (200, 30, 30), (30, 30, 30), (255, 255, 255)


def main(demo: Path) -> None:
    """Write the picture beside this file."""
    runs = {"zero-shot": demo / "zero-shot", "CLIP-ReID": demo / "clip-reid"}
    spec = json.loads((runs["CLIP-ReID"] / "data.json").read_text())[0]["spec"]
    dataset = load_data(spec)
    assert dataset.protocol is not None
    repeat, manifest = dataset.protocol.repeats[0], dataset.manifest
    # One query each of several people, in the order of the list.
    seen: dict[str, int] = {}
    for row in repeat.query:
        seen.setdefault(manifest.identities[row], int(row))
    queries = list(seen.values())[:: max(1, len(seen) // QUERIES)][:QUERIES]
    ranked = {}
    for name, run in runs.items():
        model = promptreid.load(run, device="cpu")
        query = model.embed([manifest.path(row) for row in queries])
        gallery = model.embed([manifest.path(int(row)) for row in repeat.gallery])
        order = torch.argsort(query @ gallery.T, dim=1, descending=True)[:, :SHOWN]
        ranked[name] = [[int(repeat.gallery[i]) for i in row] for row in order.tolist()]
    draw_page(manifest, queries, ranked).save(Path(__file__).with_name("demo.png"), optimize=True)


def draw_page(
    manifest: Manifest, queries: list[int], ranked: dict[str, list[list[int]]]
) -> Image.Image:
    """Lay queries and rank lists out as one picture."""
    step = SIDE + GAP
    width = GAP + step + len(ranked) * (3 * GAP + SHOWN * step)
    page = Image.new("RGB", (width, TOP + len(queries) * step), PAPER)
    pen, font = ImageDraw.Draw(page), ImageFont.load_default(20)
    pen.text((GAP, 9), "query", INK, font)
    for row, query in enumerate(queries):
        y = TOP + row * step
        page.paste(thumbnail(manifest.path(query)), (GAP, y))
        for column, (name, lists) in enumerate(ranked.items()):
            x = GAP + step + 3 * GAP + column * (3 * GAP + SHOWN * step)
            pen.text((x, 9), f"{name}: nearest five", INK, font)
            for found in lists[row]:
                right = manifest.identities[found] == manifest.identities[query]
                page.paste(thumbnail(manifest.path(found)), (x, y))
                mark(pen, x, y, right)
                x += step
    return page


def thumbnail(path: Path) -> Image.Image:
    """Return a square of the picture."""
    return Image.open(path).convert("RGB").resize((SIDE, SIDE), Image.Resampling.LANCZOS)


def mark(pen: ImageDraw.ImageDraw, x: int, y: int, right: bool) -> None:
    """Frame a result; the sign in the corner says the same without colour."""
    colour = GREEN if right else RED
    pen.rectangle((x, y, x + SIDE - 1, y + SIDE - 1), outline=colour, width=MARK)
    pen.rectangle((x, y, x + 22, y + 22), fill=colour)
    if right:
        pen.line((x + 5, y + 12, x + 10, y + 17, x + 18, y + 6), fill=PAPER, width=3)
    else:
        pen.line((x + 6, y + 6, x + 16, y + 16), fill=PAPER, width=3)
        pen.line((x + 6, y + 16, x + 16, y + 6), fill=PAPER, width=3)


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "runs/demo"))
