"""How often a gallery takes a stranger for somebody, beside what it promises, by its size.

    python -m benchmarks.nobody MODEL SPEC [--size 60]... [--rate 0.05]... [--json FILE]

Identities of a data set that a model has not learned from are split at random, over and over: some
are enrolled with several images, as many are strangers who show one image each. Everybody enrolled
shows one more image, of a camera that no enrolled image of theirs is from. The null sample is as in
a gallery: one random image of each identity against all others.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import click
import numpy as np
from numpy.typing import NDArray

from promptreid.data.load_data import load_data
from promptreid.files import write_json
from promptreid.gallery.searching.aggregate import Aggregate, identity_scores
from promptreid.gallery.searching.nobody import accepting_score, least_rate
from promptreid.inference.embed import embed_manifest
from promptreid.inference.load import load
from promptreid.json_record import JsonRecord
from promptreid.progress import Lines
from promptreid.text.tables import plain_table

IMAGES = 5
"""Images at most that an identity is enrolled with."""


@dataclass(frozen=True)
class Half:
    """What came of one split of the identities.

    Attributes:
        strangers: (N,) best scores of strangers.
        enrolled: (N,) best scores of new images of those who are enrolled.
        right: (N,) whether the best score was that of the right identity.
        null: (N,) the null sample.
    """

    strangers: NDArray[np.float32]
    enrolled: NDArray[np.float32]
    right: NDArray[np.bool_]
    null: NDArray[np.float32]

    def measure(self, score: float) -> tuple[float, float, float]:
        """Return the parts of strangers accepted, enrolled found, and enrolled called others."""
        taken = self.enrolled > score
        return (
            float((self.strangers > score).mean()),
            float((taken & self.right).mean()),
            float((taken & ~self.right).mean()),
        )


@dataclass(frozen=True)
class Row(JsonRecord):
    """A rule's rates at one size of a gallery, over all splits.

    Attributes:
        rule: "p-value", "fixed", or "of training".
        asked: Rate of strangers that is asked for; None for the threshold of training.
        identities: Enrolled identities, and strangers.
        strangers: Mean part of strangers that is accepted.
        interval: Between which parts that lies in 95 of 100 splits.
        found: Mean part of new images of the enrolled that are given the right name.
        confused: Mean part of these that are given another's name.
    """

    rule: str
    asked: float | None
    identities: int
    strangers: float
    interval: tuple[float, float]
    found: float
    confused: float


@dataclass(frozen=True, eq=False)
class UnseenImages:
    """Embedded images of identities that a model has not learned from.

    Attributes:
        vectors: (M, d) of length 1.
        rows: Rows of each identity with two images or more.
        cameras: (M,) code of each image's camera.
    """

    vectors: NDArray[np.float32]
    rows: Sequence[NDArray[np.int64]]
    cameras: NDArray[np.int64]

    def split(self, size: int, rng: np.random.Generator) -> Half:
        """Enrol as many random identities as are asked for, and let as many others be strangers."""
        chosen = rng.permutation(len(self.rows))[: 2 * size]
        probes, rows, codes, stand_ins = [], [], [], []
        for code, identity in enumerate(chosen[:size]):
            images = rng.permutation(self.rows[identity])
            others = images[self.cameras[images] != self.cameras[images[0]]]
            kept = (others if len(others) else images[1:])[:IMAGES]
            probes.append(images[0])
            stand_ins.append(kept[0])
            rows += kept.tolist()
            codes += [code] * len(kept)
        strange = [rng.choice(self.rows[identity]) for identity in chosen[size:]]
        queries = self.vectors[np.array([*strange, *probes, *stand_ins])]
        scores = identity_scores(
            queries,
            self.vectors[rows],
            np.array(codes),
            size,
            np.ones(len(rows), bool),
            Aggregate(),
        )
        strangers, enrolled, null = np.split(scores, [len(strange), len(strange) + size])
        np.fill_diagonal(null, -np.inf)
        right = enrolled.argmax(1) == np.arange(size)
        return Half(strangers.max(1), enrolled.max(1), right, null.max(1))


def embed_test(model: Path, spec: str) -> tuple[UnseenImages, float | None]:
    """Embed the images that a data set tests on; return them and the threshold of training."""
    data, embedder = load_data(spec), load(model)
    rows = [
        row
        for row, sample in enumerate(data.manifest)
        if sample.split != "train" and sample.identity not in data.background
    ]
    manifest = data.manifest.select(rows)
    vectors = embed_manifest(embedder, manifest, progress=Lines()).vectors.numpy()
    names, cameras = np.array(manifest.identities), [str(name) for name in manifest.cameras]
    by_identity = [np.flatnonzero(names == name) for name in np.unique(names)]
    images = UnseenImages(
        vectors,
        [images for images in by_identity if len(images) > 1],
        np.unique(cameras, return_inverse=True)[1],
    )
    return images, None if embedder.threshold is None else embedder.threshold.threshold


def compare_rules(
    images: UnseenImages,
    sizes: Sequence[int],
    rates: Sequence[float],
    *,
    halves: int,
    seed: int,
    trained: float | None,
) -> list[Row]:
    """Measure p-values, a fixed threshold and that of training at several sizes.

    The fixed threshold is the median of what the smallest gallery computes for a rate.
    """
    splits = {
        size: [
            images.split(size, np.random.default_rng([seed, size, number]))
            for number in range(halves)
        ]
        for size in sizes
    }
    rows = []
    for rate in rates:
        borders = [accepting_score(half.null, rate) for half in splits[sizes[0]]]
        fixed = float(np.median(borders))
        for size, made in splits.items():
            if least_rate(size) <= rate:
                scores = [accepting_score(half.null, rate) for half in made]
                rows.append(_summarise("p-value", rate, size, made, scores))
            if np.isfinite(fixed):
                rows.append(_summarise("fixed", rate, size, made, [fixed] * halves))
    if trained is not None:
        for size, made in splits.items():
            rows.append(_summarise("of training", None, size, made, [trained] * halves))
    return rows


def _summarise(
    rule: str, rate: float | None, size: int, made: Sequence[Half], scores: Sequence[float]
) -> Row:
    parts = np.array([half.measure(score) for half, score in zip(made, scores, strict=True)])
    low, high = np.percentile(parts[:, 0], [2.5, 97.5])
    strangers, found, confused = parts.mean(0).tolist()
    return Row(rule, rate, size, strangers, (float(low), float(high)), found, confused)


def table_lines(rows: Sequence[Row]) -> list[str]:
    """Lay rows out for people, in percent."""
    header = ("rule", "asked", "enrolled", "strangers accepted", "found", "another's name")
    cells = [
        (
            row.rule,
            "" if row.asked is None else f"{100 * row.asked:g}",
            str(row.identities),
            f"{100 * row.strangers:.1f} ({100 * row.interval[0]:.1f} to "
            f"{100 * row.interval[1]:.1f})",
            f"{100 * row.found:.1f}",
            f"{100 * row.confused:.1f}",
        )
        for row in rows
    ]
    return plain_table([header, *cells], right=(False, *[True] * (len(header) - 1)))


@click.command()
@click.argument("model", type=click.Path(path_type=Path, exists=True))
@click.argument("spec")
@click.option("--size", "sizes", type=int, multiple=True, default=(60, 120, 250, 375))
@click.option("--rate", "rates", type=float, multiple=True, default=(0.05, 0.1))
@click.option("--halves", default=100, show_default=True)
@click.option("--seed", default=0, show_default=True)
@click.option("--json", "file", type=click.Path(path_type=Path))
def main(
    model: Path,
    spec: str,
    sizes: tuple[int, ...],
    rates: tuple[float, ...],
    halves: int,
    seed: int,
    file: Path | None,
) -> None:
    """Print how often strangers are accepted and the enrolled are found, by size of the gallery."""
    images, trained = embed_test(model, spec)
    fitting = [size for size in sorted(sizes) if 2 * size <= len(images.rows)]
    if not fitting:
        raise click.UsageError(
            f"{spec} tests {len(images.rows)} identities with two images or more; a gallery of N "
            "needs 2 N."
        )
    rows = compare_rules(images, fitting, rates, halves=halves, seed=seed, trained=trained)
    click.echo(f"{spec}: {len(images.rows)} identities, {halves} random splits, seed {seed}")
    click.echo("\n".join(table_lines(rows)))
    if file is not None:
        record: Mapping[str, object] = {
            "model": str(model),
            "spec": spec,
            "identities": len(images.rows),
            "halves": halves,
            "seed": seed,
            "images": IMAGES,
            "rows": [row.to_dict() for row in rows],
        }
        write_json(file, record)


if __name__ == "__main__":
    main()
