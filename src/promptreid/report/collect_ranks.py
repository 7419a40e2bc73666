"""Rank lists of the worst, the median and the best queries under all runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from promptreid.data.protocol import Protocol
from promptreid.evaluation.ranking.scores import QueryResult
from promptreid.evaluation.ranking.scoring_rules import protocol_rule
from promptreid.figures.rank_lists import RankList, choose_queries, rank_lists
from promptreid.figures.ranks_figure import ShownQuery
from promptreid.inference.trial import Trial, TrialRun
from promptreid.report.collect_data import Pictures
from promptreid.report.collect_options import ReportOptions
from promptreid.report.content import RankSection, TestedRun

SECTIONS = ("worst", "median", "best")
_LONGEST_SIDE = 120


def rank_sections(
    trial: Trial,
    runs: Sequence[TrialRun],
    tested: Sequence[TestedRun],
    options: ReportOptions,
    pictures: Pictures,
) -> tuple[RankSection, ...]:
    """Show queries of the first repeat, and what each run puts first for them.

    Queries are chosen by average precision: the worst and the best by its mean over the runs, those
    around the median by the first run. Identities differ as far as there are enough. No query is
    in two sections; where there are few, sections are short or missing.

    Args:
        trial: The test images.
        runs: Embeddings of each run.
        tested: Scores of the same runs.
        options: How many queries, how long the lists, and the seed.
        pictures: Of the data set.

    Raises:
        UnreadableImage: An image cannot be decoded.
    """
    protocol = replace(trial.protocol, repeats=trial.protocol.repeats[:1])
    results = [run.scores.results[0] for run in tested]
    chosen = _choose(results, protocol.ap, options)
    every = tuple(query for queries in chosen.values() for query in queries)
    lists = {run.name: _lists(run, protocol, every, options.top) for run in runs}
    repeat, names, cameras = protocol.repeats[0], trial.identity_names(), trial.camera_names()
    sections = []
    for which, queries in chosen.items():
        shown = []
        for query in queries:
            row = int(repeat.query[query])
            precisions = {
                run.name: float(getattr(result, f"ap_{protocol.ap}")[query])
                for run, result in zip(tested, results, strict=True)
            }
            shown.append(
                ShownQuery(
                    identity=names[row],
                    camera=cameras[row],
                    picture=pictures.of(row, _LONGEST_SIDE),
                    lists={name: own[query] for name, own in lists.items()},
                    precisions=precisions,
                )
            )
        needed = {
            hit.row
            for query in shown
            for ranked in query.lists.values()
            for hit in (*ranked.hits, ranked.first)
        }
        rows = {row: int(repeat.gallery[row]) for row in sorted(needed)}
        gallery = {row: pictures.of(own, _LONGEST_SIDE) for row, own in rows.items()}
        seen_by = {row: cameras[own] for row, own in rows.items()}
        sections.append(RankSection(which, tuple(shown), gallery, seen_by, options.top))
    return tuple(sections)


def _choose(
    results: Sequence[QueryResult], ap: str, options: ReportOptions
) -> Mapping[str, tuple[int, ...]]:
    """Choose queries of each section, none twice; sections without any are left out."""
    taken: set[int] = set()
    found: dict[str, tuple[int, ...]] = {}
    for which in ("worst", "best", "median"):
        # More than are needed, so that enough remain once others' are gone.
        many = choose_queries(results, which, 3 * options.queries, ap=ap, seed=options.seed)
        own = [query for query in many if query not in taken]
        if which == "median":
            start = max(0, (len(own) - options.queries) // 2)
            own = own[start:]
        found[which] = tuple(own[: options.queries])
        taken |= set(found[which])
    return {which: found[which] for which in SECTIONS if found[which]}


def _lists(
    run: TrialRun, protocol: Protocol, chosen: Sequence[int], top: int
) -> dict[int, RankList]:
    repeat = protocol.repeats[0]
    rule, _ = protocol_rule(run.embeddings, protocol, None)
    found = rank_lists(
        run.embeddings.select(repeat.query),
        run.embeddings.select(repeat.gallery),
        chosen,
        exclude_camera=rule == "exclude",
        settings=run.settings,
        top=top,
    )
    return dict(zip(chosen, found, strict=True))
