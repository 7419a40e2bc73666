"""A report's content from small painted pictures and made-up embeddings."""

from __future__ import annotations

import functools
from pathlib import Path

import numpy as np
import torch
from run_records import data_of, environment_record

from promptreid.data.manifest.manifest import Manifest, Sample
from promptreid.data.protocol import Protocol, Repeat
from promptreid.evaluation.assessment import Assessment
from promptreid.evaluation.embeddings.embeddings import Embeddings
from promptreid.evaluation.test_set import TestSet
from promptreid.evaluation.thresholds.threshold import Threshold
from promptreid.evaluation.uncertainty.resampling import Bootstrap
from promptreid.figures.activation.overlay import MapRow, activation_alt, activation_figure
from promptreid.figures.cmc import cmc_alt, cmc_figure
from promptreid.figures.curves import curves_alt, curves_figure
from promptreid.figures.drawn import Drawn
from promptreid.figures.histogram import histogram_alt, histogram_figure
from promptreid.figures.rank_lists import choose_queries
from promptreid.figures.shown_queries import gallery_rows, show_queries
from promptreid.figures.verification_figures import det_figure, roc_figure, verification_alt
from promptreid.pages.collect_ranks import SECTIONS
from promptreid.pages.collect_scores import pair_runs, score_run
from promptreid.pages.content import (
    Content,
    EmbeddingMap,
    MapPoint,
    MapSection,
    RankSection,
    RunFacts,
    SettingChange,
    Test,
    TestedRun,
    Unmatched,
)
from promptreid.runs.metrics_table import StageMetrics, Training
from promptreid.runs.run_records import BestRecord, StatusRecord

HOSTILE = "<script>alert(\"run\")</script> $x & 'y'"
HOSTILE_LABEL = '"><img src=x onerror=alert(1)> & <b>'
IDENTITIES, IMAGES, LOST = 16, 6, 2
NOISES = (1.5, 0.8, 1.0)  # by run; the first has not been trained
STORED = Threshold(0.71, 0.01, 4950, 100, 100, "validation images of <unseen> identities")


def person(identity: int, number: int, *, height: int = 96) -> np.ndarray:
    """Paint somebody: head, top and trousers in colours of the identity, before a grey wall."""
    rng, noise = np.random.default_rng([1, identity]), np.random.default_rng([2, identity, number])
    width = height // 2
    picture = np.full((height, width, 3), 150 + noise.integers(-40, 60), np.float64)
    skin, top, legs = rng.integers(60, 230, (3, 3))
    left = int(width * 0.25) + int(noise.integers(-3, 4))
    picture[int(height * 0.06) : int(height * 0.2), left + 5 : left + width // 2 - 5] = skin
    picture[int(height * 0.2) : int(height * 0.55), left : left + width // 2] = top
    picture[int(height * 0.55) : int(height * 0.95), left + 2 : left + width // 2 - 2] = legs
    picture += noise.normal(0, 9, picture.shape)
    return picture.clip(0, 255).astype(np.uint8)


def manifest() -> Manifest:
    """Sixteen identities before three cameras, and two queries that nobody answers."""
    samples = [
        Sample(
            path=f"{identity:04d}_c{number % 3}_{number}.jpg",
            identity=f"{identity:04d}",
            split="query" if number < 2 else "gallery",
            camera=str(number % 3),
            attributes={"gender": "female" if identity % 2 else "male"},
        )
        for identity in range(IDENTITIES)
        for number in range(IMAGES)
    ]
    samples += [
        Sample(f"lost {number} {HOSTILE_LABEL}.jpg", f"lost{number}", "query", camera="0")
        for number in range(LOST)
    ]
    return Manifest.of("people", Path("/data/people"), samples)


def protocol(table: Manifest) -> Protocol:
    """Queries against the gallery, once."""
    repeat = Repeat(table.indices("query"), table.indices("gallery"))
    return Protocol("market1501", (repeat,), "exclude", "step")


def embedded(table: Manifest, noise: float) -> Embeddings:
    """Draw embeddings around a direction for each identity."""
    rng = np.random.default_rng(3)
    names = sorted(set(table.identities))
    centres = dict(zip(names, rng.normal(size=(len(names), 12)), strict=True))
    rows = [centres[name] + noise * rng.normal(size=12) for name in table.identities]
    return Embeddings.from_vectors(
        torch.tensor(np.array(rows)), table.identities, cameras=table.cameras
    )


def tested(name: str, noise: float, table: Manifest) -> tuple[TestedRun, Assessment]:
    """Score a made-up run."""
    assessment = Assessment(
        TestSet("made-up", table, protocol(table)),
        embedded(table, noise),
        threshold=None if noise == NOISES[0] else STORED,
        bootstrap=Bootstrap(200),
    )
    run, remarks = score_run(name, assessment, ("camera", "gender"))
    assert not remarks
    return run, assessment


def rank_section(
    which: str, assessed: dict[str, Assessment], table: Manifest, top: int
) -> RankSection:
    """Rank lists of three queries."""
    results = [run.scores.results[0] for run in assessed.values()]
    chosen = choose_queries(results, which, 3)
    shown = show_queries(assessed, chosen, top=top, picture=lambda row: picture(table, row))
    rows = gallery_rows(shown, next(iter(assessed.values())).test_set)
    gallery = {number: picture(table, row) for number, row in rows.items()}
    cameras = {number: str(table.cameras[row]) for number, row in rows.items()}
    return RankSection(which, shown, gallery, cameras, top)


def picture(table: Manifest, row: int, height: int = 96) -> np.ndarray:
    """Paint what a row shows."""
    name = table.identities[row]
    return person(900 + row if name.startswith("lost") else int(name), row, height=height)


def map_section(assessed: dict[str, Assessment], table: Manifest) -> MapSection:
    """Maps by two directions of the embeddings, and two sentences in the second."""
    rows = [row for row, name in enumerate(table.identities) if not name.startswith("lost")]
    names = sorted({table.identities[row] for row in rows})
    points = tuple(
        MapPoint(
            "query" if table.splits[row] == "query" else "gallery",
            names.index(table.identities[row]),
            f"{table.identities[row]}, camera {table.cameras[row]}, "
            f"{HOSTILE_LABEL if row == 0 else table.paths[row]}",
            number,
        )
        for number, row in enumerate(rows)
    )
    texts = (
        MapPoint("text", -1, "a photo of a person & <i>nobody</i>.", -1),
        MapPoint("text", 3, "a photo of a tall person.", -1),
    )
    maps = []
    for number, (name, run) in enumerate(assessed.items()):
        plane = run.embeddings.vectors[rows][:, :2].double().numpy()
        own = number > 0
        maps.append(
            EmbeddingMap(
                name, "PCA", plane - plane.mean(0), 0.8 - 0.3 * number,
                np.array([[0.6, -0.6], [-0.5, 0.7]]) if own else np.zeros((0, 2)),
                texts if own else (),
            )
        )  # fmt: skip
    pictures = tuple(picture(table, row, 48) for row in rows)
    return MapSection(tuple(maps), points, tuple(names), pictures)


def training(seed: int) -> Training:
    """Curves of one stage."""
    rng = np.random.default_rng(seed)
    epochs = tuple(range(1, 13))
    falling = tuple(float(3 * 0.8**epoch + 0.1 * rng.random()) for epoch in epochs)
    rising = tuple(0.7 - 0.5 * 0.8**epoch for epoch in epochs)
    columns = {"loss": falling, "loss_id": falling, "val_mAP": rising, "lr": (3e-4,) * 12}
    return Training((StageMetrics("image", epochs, columns),), ("image", 9))


def activation(pictures: list[np.ndarray], names: tuple[str, ...]) -> Drawn:
    """Maps of two runs over a few pictures."""
    rng = torch.Generator().manual_seed(0)
    rows = [
        MapRow(name, "rollout", 2 * torch.rand(len(pictures), 6, 3, generator=rng),
               (1 / 6, 1 / 3), (1 / 6, 1 / 3))
        for name in names
    ]  # fmt: skip
    captions = [f"{number:04d}" for number in range(len(pictures))]
    return Drawn(
        activation_figure(pictures, captions, rows), activation_alt(captions, rows, "people")
    )


def facts(name: str, number: int) -> RunFacts:
    """What is known of a made-up run; the second one was trained."""
    trained = number > 0
    return RunFacts(
        name=name,
        path=f"runs/{name}",
        recipe="clip-reid" if trained else "zero-shot",
        source="Li et al., CLIP-ReID, AAAI 2023",
        parent="clip-reid" if trained else "zero-shot",
        changes=(
            SettingChange("backbone.image_size", [256, 128], [128, 64]),
            SettingChange("stages.image.epochs", 60, 12),
            SettingChange("stages.image.losses.<b>", None, {"weight": 0.5}),
            SettingChange("evaluation.flip", True, None),
        )
        if trained
        else (),
        backbone="tiny, no pretrained weights, 128 x 64",
        parameters=1_940_000 + number,
        weights=f"3f9a1c77b2e{number}",
        environment=environment_record(
            number,
            packages={"torch": "2.15.0", "numpy": "2.4.6"},
            precision="bf16" if trained else "fp32",
            command=("promptreid", "train", HOSTILE),
        ),
        data=(
            data_of(
                "market1501:/data/people",
                name="people",
                fingerprint="bb4409f6357c20cc39050130329333224cdb6c6cd40b0140779dda823a359b16",
                splits={"train": {"images": 496, "identities": 80}},
                protocol="market1501",
                notes=("Two images cannot be read & were <left> out.",),
            ),
        ),
        status=StatusRecord(
            status="complete",
            training_seconds=132.9 * number,
            best=BestRecord(score=0.5585 if trained else None,
                            chosen_at="stage image, epoch 9" if trained else ""),
        ),
        threshold=STORED if trained else None,
    )  # fmt: skip


@functools.cache
def report_content(names: tuple[str, ...] = ("zero-shot", HOSTILE), top: int = 8) -> Content:
    """Two runs on one data set, with every part that a report may have."""
    table = manifest()
    parts = [tested(name, noise, table) for name, noise in zip(names, NOISES, strict=False)]
    runs = tuple(run for run, _ in parts)
    assessed = {run.name: assessment for run, assessment in parts}
    scores = {run.name: run.scores for run in runs}
    verified = {run.name: run.verification for run in runs}
    figures = {
        "cmc": Drawn(cmc_figure(scores), cmc_alt(scores, "people")),
        "roc": Drawn(roc_figure(verified), verification_alt(verified, "people", "ROC curves")),
        "det": Drawn(det_figure(verified), verification_alt(verified, "people", "DET curves")),
        "histogram": Drawn(histogram_figure(verified), histogram_alt(verified, "people")),
        "activation": activation([person(n, 0, height=160) for n in range(5)], names),
    }
    test = Test(
        spec="market1501:/data/people",
        name="people",
        fingerprint="bb4409f6357c20cc39050130329333224cdb6c6cd40b0140779dda823a359b16",
        counts={
            "query": {"images": 2 * IDENTITIES + LOST, "identities": IDENTITIES + LOST},
            "gallery": {"images": 4 * IDENTITIES, "identities": IDENTITIES},
        },
        notes=("Painted, so nobody is <shown>.",),
        protocol="market1501",
        repeats=1,
        queries=2 * IDENTITIES + LOST,
        gallery=4 * IDENTITIES,
        unmatched=(
            Unmatched(
                "identity not in the gallery",
                LOST,
                tuple(path for path in table.paths if path.startswith("lost")),
            ),
        ),
        runs=runs,
        pairs=pair_runs(assessed),
        figures=figures,
        ranks=tuple(rank_section(which, assessed, table, top) for which in SECTIONS),
        map=map_section(assessed, table),
        remarks=(f"{names[0]} has no sentences, so its map shows images alone.",),
    )
    curves = {name: training(number) for number, name in enumerate(names)}
    return Content(
        title="People, <before> and after",
        made="2026-11-21",
        version="0.1.0",
        command="promptreid report runs/zero-shot 'runs/<b>' --out report.html",
        runs=tuple(facts(name, number) for number, name in enumerate(names)),
        curves=Drawn(curves_figure(curves), curves_alt(curves)),
        tests=(test,),
        pixelated=False,
        remarks=("zero-shot was not trained, so it has no learning curve of its own.",),
    )
