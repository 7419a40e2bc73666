"""`promptreid verify`."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from promptreid.cli import options
from promptreid.cli.gallery_model import MODEL_PLACE, model_option, open_with_model
from promptreid.cli.json_out import JsonOut, json_option
from promptreid.cli.output import reporter, started
from promptreid.cli.pair_words import basis_text, pair_record, pair_text
from promptreid.gallery.records.gallery_url import GalleryUrl, parse_gallery_url

if TYPE_CHECKING:
    from promptreid.evaluation.thresholds.threshold import PairComparison, Threshold

    Compare = Callable[[Path, Path], PairComparison]


@click.command()
@click.argument("words", metavar="[GALLERY] A B [A B]...", nargs=-1, required=True)
@click.option(
    "--own-pairs",
    is_flag=True,
    help="Choose the threshold on the gallery's own pairs instead of taking the model's.",
)
@click.option(
    "--far",
    type=click.FloatRange(0, 1, min_open=True, max_open=True),
    help="Share of the gallery's pairs of strangers that may be accepted.  [default: 0.001, or as "
    "few of 0.01 and 0.1 as its identities can measure]",
)
@model_option(MODEL_PLACE)
@options.device
@json_option
def verify(
    words: tuple[str, ...],
    own_pairs: bool,
    far: float | None,
    model: Path | None,
    device: str | None,
    json_out: JsonOut,
) -> None:
    """Say of each pair of images, A and B, whether both show one identity.

    They do from a threshold on: the one that training stored with the model, or with --own-pairs
    the one that keeps a rate of false answers on the images of the gallery. Exit code 0 is an
    answer, whichever it is; 2 is no answer.

    \b
    promptreid verify people.gallery a.jpg b.jpg
    promptreid verify people.gallery a.jpg b.jpg --own-pairs --far 0.001
    promptreid verify --model runs/mine a.jpg b.jpg --json answers.json
    """  # noqa: D301 - click reads the \b itself
    from promptreid.actions.searches.search_checks import check_is_file

    place, pairs = _read_words(words, model)
    if far is not None and not own_pairs:
        raise click.UsageError("--far goes with --own-pairs.")
    if place is None and own_pairs:
        raise click.UsageError("--own-pairs needs a gallery before the images.")
    for pair in pairs:
        for image in pair:
            check_is_file(image)
    if place is None:
        compare, chosen = _use_model(model, device)
    else:
        compare, chosen = _use_gallery(place, model, device, far=far, own_pairs=own_pairs)
    records = []
    for first, second in pairs:
        answer = compare(first, second)
        click.echo(pair_text(first, second, answer))
        records.append(pair_record(first, second, answer))
    click.echo(basis_text(chosen))
    basis = {**chosen.to_dict(), "strangers": None}
    json_out.give({"gallery": place and str(place), "threshold": basis, "answers": records})


def _read_words(
    words: tuple[str, ...], model: Path | None
) -> tuple[GalleryUrl | None, list[tuple[Path, Path]]]:
    """Tell a gallery from images, and put these into pairs."""
    first = parse_gallery_url(words[0])
    is_gallery = first.folder is None or first.folder.is_dir()
    place = None if model is not None and not is_gallery else first
    images = [Path(word) for word in (words if place is None else words[1:])]
    if not is_gallery and place is not None:
        raise click.UsageError(
            f"{place} is no gallery. Name one before the images, or a model by --model RUN."
        )
    if not images or len(images) % 2:
        raise click.UsageError(f"Images come in pairs, A B [A B]..., but {len(images)} came.")
    return place, list(zip(images[::2], images[1::2], strict=True))


def _use_model(model: Path | None, device: str | None) -> tuple[Compare, Threshold]:
    from promptreid.errors import WeightsError

    with started(f"loading {model}"):
        from promptreid.evaluation.thresholds.stored_threshold import NO_THRESHOLD
        from promptreid.inference.load import load

        assert model is not None
        embedder = load(model, device=device)
    if embedder.threshold is None:
        raise WeightsError(NO_THRESHOLD.replace("RUN", str(model), 1))
    return embedder.same, embedder.threshold


def _use_gallery(
    place: GalleryUrl, model: Path | None, device: str | None, *, far: float | None, own_pairs: bool
) -> tuple[Compare, Threshold]:
    from promptreid.errors import GalleryError

    gallery = open_with_model(place, model, device)
    if own_pairs:
        with reporter().doing(f"scoring the pairs of {place}"):
            chosen = gallery.own_threshold(far)
    elif gallery.threshold is not None:
        chosen = gallery.threshold
    else:
        raise GalleryError(
            f"The model of {place} has no threshold. Take the gallery's own pairs: promptreid "
            f"verify {place} --own-pairs A B; or choose one on other people: promptreid threshold "
            "RUN --data folder:/path/to/folders."
        )
    return functools.partial(gallery.verify, threshold=chosen), chosen
