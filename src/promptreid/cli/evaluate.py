"""`promptreid evaluate`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from promptreid.cli import options
from promptreid.cli.json_out import JsonOut, json_option
from promptreid.cli.output import reporter, started
from promptreid.text.lists import listed
from promptreid.text.wrap import wrapped

if TYPE_CHECKING:
    from promptreid.data.dataset import DataSet
    from promptreid.data.images.image_store import ImageStore
    from promptreid.evaluation.assessment import Assessment
    from promptreid.evaluation.retrieval_settings import RetrievalSettings
    from promptreid.evaluation.test_set import TestSet
    from promptreid.inference.embedder import Embedder
    from promptreid.progress import Lines


@click.command()
@click.argument(
    "models",
    nargs=-1,
    required=True,
    metavar="RUN_OR_CHECKPOINT...",
    type=click.Path(path_type=Path),
)
@options.data("Data set to score on; may be given several times.  [default: the runs' own]")
@json_option
@click.option(
    "--same-camera",
    type=click.Choice(["exclude", "keep", "auto"]),
    default=None,
    help="Whether gallery images of the query's identity and camera are ignored.  "
    "[default: the data set's rule]",
)
@click.option(
    "--flip/--no-flip",
    default=None,
    help="Average each embedding with that of the mirrored image.  [default: as in the recipe]",
)
@click.option(
    "--query-expansion",
    type=click.IntRange(0),
    default=None,
    metavar="N",
    help="Average each query, and each gallery image, with its N nearest gallery images; 0 for "
    "none.  [default: as in the recipe]",
)
@click.option(
    "--expansion-power",
    type=click.FloatRange(0),
    default=None,
    metavar="P",
    help="Neighbours weigh their similarity to the power P; 0 weighs them alike.  "
    "[default: as in the recipe]",
)
@click.option(
    "--rerank/--no-rerank",
    default=None,
    help="Re-rank by k-reciprocal neighbours (k1 20, k2 6, lambda 0.3).  "
    "[default: as in the recipe]",
)
@click.option(
    "--sentences",
    type=click.FloatRange(0, 1, max_open=True),
    default=None,
    metavar="SHARE",
    help="Share of the recipe's sentences (zero_shot.attributes) in the similarity of two images; "
    "0 for images alone.  [default: as in the recipe]",
)
@click.option(
    "--prompt",
    "prompts",
    multiple=True,
    type=click.Choice(["composed", "simplified"]),
    help="Sentence of a model that has one for each image: with the image's own word, or without a "
    "word.  Give both to see scores and embedding speed side by side.  [default: as in the recipe]",
)
@click.option(
    "--words",
    is_flag=True,
    help="Also score a model that reads a word of each image with the words of other images, and "
    "with none, to see whether the words matter.",
)
@click.option(
    "--multi-query",
    type=click.Choice(["identity", "identity_camera"]),
    default=None,
    help="Join the queries of one identity, or of one identity and camera, into one.",
)
@click.option(
    "--verification",
    is_flag=True,
    help="Also verify: TAR at FAR with thresholds, EER, AUC, and open-set identification.",
)
@click.option("--intervals", is_flag=True, help="Also give 95 % intervals of all scores.")
@click.option(
    "--paired",
    is_flag=True,
    help="Also give the differences of all runs to the first, on the same draws of identities.",
)
@click.option(
    "--by",
    multiple=True,
    metavar="ATTRIBUTE",
    help="Also score the queries of each value of an attribute, of camera, view or domain, or of "
    "each pair of values of query and gallery (camera-pair); may be given several times.",
)
@click.option(
    "--attributes",
    is_flag=True,
    help="Also read the recipe's attributes off the test images by sentences alone "
    "(zero_shot.attributes).",
)
@click.option(
    "--image-size",
    type=(int, int),
    default=None,
    metavar="H W",
    help="Image size of a published checkpoint, where the file alone does not tell.",
)
@options.batch_size
@click.option(
    "--precision",
    type=click.Choice(["float32", "bfloat16", "auto"]),
    default="float32",
    show_default=True,
    help="Number type of the towers' matrices; auto takes bfloat16 where device and backbone "
    "allow it. mAP then moves by less than 0.1.",
)
@options.device
@options.unreadable
def evaluate(
    models: tuple[Path, ...],
    specs: tuple[str, ...],
    json_out: JsonOut,
    same_camera: str | None,
    flip: bool | None,
    query_expansion: int | None,
    expansion_power: float | None,
    rerank: bool | None,
    sentences: float | None,
    prompts: tuple[str, ...],
    words: bool,
    multi_query: str | None,
    verification: bool,
    intervals: bool,
    paired: bool,
    by: tuple[str, ...],
    attributes: bool,
    image_size: tuple[int, int] | None,
    batch_size: int,
    precision: str,
    device: str | None,
    unreadable: str,
) -> None:
    """Score runs, checkpoints or published CLIP-ReID .pth files by the data sets' protocols.

    With several of them, or several data sets, a table of what each was trained on by what it was
    tested on comes last.

    \b
    promptreid evaluate runs/my-run
    promptreid evaluate runs/my-run --flip --query-expansion 5 --rerank
    promptreid evaluate runs/my-run --verification --intervals \\
        --by gender --by camera-pair
    promptreid evaluate runs/my-sg --prompt composed --prompt simplified
    promptreid evaluate runs/my-prompt-sg-run --words
    promptreid evaluate runs/my-run --data market1501:/data/Market-1501-v15.09.15
    promptreid evaluate runs/a runs/b \\
        --data market1501:/data/Market --data msmt17:/data/MSMT17_V1
    promptreid evaluate runs/a runs/b --paired --data market1501:/data/Market
    """  # noqa: D301 - click reads the \b itself
    from promptreid.cli.attribute_table import attribute_text, read_attributes, recipe_templates
    from promptreid.cli.paired_table import Pairing, paired_text
    from promptreid.cli.score_table import matrix_row, named, own_data, summarise, tell, tell_speeds
    from promptreid.data.data_spec import parse_spec

    options.check_runs(models)
    specs = specs or own_data(models)
    for spec in specs:
        parse_spec(spec)
    progress = reporter()
    with started(f"reading {listed([str(model) for model in models])}"):
        from promptreid.data.images.readable import load_readable
        from promptreid.evaluation.retrieval_settings import RetrievalSettings
        from promptreid.evaluation.tables.verification_tables import render_further
        from promptreid.evaluation.test_set import TestSet
        from promptreid.inference.embedder import load
        from promptreid.inference.text_controls.word_control import WordControl
        from promptreid.inference.text_controls.word_tables import render_words
        from promptreid.runs.seen_identities import testable

    if multi_query is not None and by:
        raise click.UsageError("--by groups single queries; leave out --multi-query or --by.")
    if paired and max(len(models), len(set(prompts))) < 2:
        raise click.UsageError("--paired compares runs with the first; give two runs or more.")
    if words and sentences:
        raise click.UsageError(
            "--words exchanges words in a model's own sentences; leave out --sentences."
        )
    if words and prompts:
        raise click.UsageError(
            "--words scores sentences with and without words by itself; leave out --prompt."
        )
    pairing = Pairing(verification=verification) if paired else None
    asked = {"verification": verification, "intervals": intervals, "by": tuple(dict.fromkeys(by))}
    datasets: dict[str, DataSet] = {}
    kinds: tuple[str | None, ...] = tuple(dict.fromkeys(prompts)) or (None,)
    rows, table = [], []
    for model in models:
        with progress.doing(f"loading {model}"):
            embedder = load(model, device=device, image_size=image_size, precision=precision)
        if prompts:
            _check_sentences(embedder, model, progress)
        if words:
            _check_read_words(embedder, model)
        rows += [matrix_row(model, embedder.info, kind) for kind in kinds]
        settings = RetrievalSettings.of(
            embedder.info.evaluation,
            flip=flip,
            query_expansion=query_expansion,
            expansion_power=expansion_power,
            rerank=rerank,
            sentences=sentences,
            same_camera=same_camera,
            multi_query=multi_query,
        )
        if expansion_power is not None and settings.expansion is None:
            raise click.UsageError(
                "--expansion-power needs --query-expansion N, which is 0 or absent."
            )
        templates = recipe_templates(model, embedder.info) if attributes else {}
        results: list[list[dict[str, Any]]] = [[] for _ in kinds]
        for spec in specs:
            if spec not in datasets:
                loaded = load_readable(spec, policy=unreadable, progress=progress)
                datasets[spec] = testable(models, loaded, say=progress.message)
            dataset = datasets[spec]
            test_set, shared = TestSet.of(dataset), (batch_size, progress)
            if words:
                assessed = _assess_words(embedder, test_set, settings, *shared)
            else:
                assessed = _assess_prompts(embedder, test_set, settings, kinds, *shared)
            found = []
            for kind, (assessment, more) in zip(kinds, assessed, strict=True):
                if pairing is not None:
                    pairing.keep(named(model, kind), assessment)
                with progress.doing(f"measuring how sure the scores of {spec} are"):
                    result = assessment.to_dict(**asked)
                result |= {"precision": embedder.precision, **more}
                found.append(result)
                tell(result, named(model, kind), alone=len(models) == len(kinds) == 1)
                if further := render_further(result):
                    click.echo(f"\n{wrapped(further)}")
                if words:
                    click.echo(f"\n{render_words(WordControl.from_dict(result['word_control']))}")
            tell_speeds(found)
            read = {}
            if templates:
                read = read_attributes(embedder, test_set, templates, batch_size, progress)
                click.echo(attribute_text(read))
            for own, result in zip(results, found, strict=True):
                if read:
                    result["attributes"] = {name: s.to_dict() for name, s in read.items()}
                own.append({**result, "model": str(model)})
        table += [tuple(own) for own in results]
    content = summarise(rows, [datasets[spec] for spec in specs], table)
    if pairing is not None:
        with progress.doing("comparing runs"):
            content["paired"] = pairing.records()
        for record in content["paired"]:
            click.echo(f"\n{paired_text(record)}")
    json_out.give(content)


def _check_sentences(embedder: Embedder, model: Path, progress: Lines) -> None:
    """Refuse --prompt for a model without a sentence per image; say when it changes nothing."""
    from promptreid.models.prompts.image_prompt import ImagePrompt

    if not isinstance(embedder.model.prompt, ImagePrompt):
        raise click.UsageError(
            f"--prompt chooses between the sentences of an image prompt (prompt.kind: image), and "
            f"{model} has none. Leave --prompt out, or give runs of PromptSG alone."
        )
    if not embedder.model.reads_sentence:
        features = ", ".join(embedder.model.embedding.features)
        progress.message(
            f"{model} retrieves with {features}, which read no sentence: all kinds score alike."
        )


def _check_read_words(embedder: Embedder, model: Path) -> None:
    """Refuse --words for a model that reads no word of an image."""
    from promptreid.errors import EvaluationError
    from promptreid.inference.text_controls.word_embed import check_words

    try:
        check_words(embedder.model)
    except EvaluationError as error:
        raise click.UsageError(
            f"--words exchanges the words that a model reads at retrieval, and {model} reads none. "
            f"{error} Leave --words out, or give runs of PromptSG alone."
        ) from None


def _assess_prompts(
    embedder: Embedder,
    test_set: TestSet,
    settings: RetrievalSettings,
    prompts: Sequence[str | None],
    batch_size: int,
    progress: Lines,
) -> Iterator[tuple[Assessment, dict[str, Any]]]:
    """Assess each kind of sentence, on images that are decoded once where memory allows."""
    from promptreid.inference.assess import assess
    from promptreid.inference.embed import open_images

    store, speeds = None, {}
    named = [prompt for prompt in prompts if prompt is not None]
    if named:
        store = open_images(test_set.manifest, embedder.preprocess)
        speeds = _speeds(embedder, test_set, store, named, settings.flip, batch_size)
    for prompt in prompts:
        assessment = assess(
            embedder,
            test_set,
            replace(settings, prompt=prompt),
            store=store,
            batch_size=batch_size,
            progress=progress,
        )
        yield assessment, speeds.get(prompt, {})


def _assess_words(
    embedder: Embedder,
    test_set: TestSet,
    settings: RetrievalSettings,
    batch_size: int,
    progress: Lines,
) -> Iterator[tuple[Assessment, dict[str, Any]]]:
    """Assess each image with its own word, and set that against exchanged words and none."""
    from promptreid.inference.text_controls.word_control import assess_words

    assessment, control = assess_words(
        embedder, test_set, settings, batch_size=batch_size, progress=progress
    )
    yield assessment, {"word_control": control.to_dict()}


def _speeds(
    embedder: Embedder,
    test_set: TestSet,
    store: ImageStore,
    kinds: Sequence[str],
    flip: bool,
    batch_size: int,
) -> dict[str | None, dict[str, Any]]:
    """Measure how fast the test images are embedded by kind of sentence."""
    from promptreid.inference.embed import sentence_rows
    from promptreid.inference.speed import measure_speed

    found = measure_speed(
        embedder,
        store,
        prompts=kinds,
        variants=sentence_rows(embedder.model, test_set.manifest),
        batch_size=batch_size,
        flip=flip,
    )
    return {
        kind: {
            "prompt": kind,
            "images_per_second": speed.images_per_second,
            "speed": speed.to_dict(),
        }
        for kind, speed in found.items()
    }
