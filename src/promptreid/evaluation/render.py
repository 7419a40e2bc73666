"""Scores as a plain-text table for people."""

from __future__ import annotations

from collections.abc import Mapping

from promptreid.evaluation.scores import AP_DEFINITIONS, REPORTED_RANKS, Scores


def render_scores(scores: Scores, title: str) -> str:
    """Lay out scores in percent, and say by which rules they were made.

    Args:
        scores: The scores.
        title: What was scored.

    Returns:
        Several lines without a line break at the end.
    """
    return "\n".join([title, *_table([("", scores)]), *_explanation(scores)])


def render_comparison(rows: Mapping[str, Scores], title: str) -> str:
    """Lay out several scores below each other.

    Rules that all rows share are said once, below the table; where rows differ, each row's rules
    are listed under its name.

    Args:
        rows: The scores by name, at least one.
        title: What is compared.

    Returns:
        Several lines without a line break at the end.
    """
    lines = [title, *_table(list(rows.items()))]
    explanations = {name: _explanation(scores) for name, scores in rows.items()}
    shared = next(iter(explanations.values()))
    common = [line for line in shared if all(line in other for other in explanations.values())]
    lines += common
    for name, explanation in explanations.items():
        lines += [f"{name}: {line}" for line in explanation if line not in common]
    return "\n".join(lines)


def _table(rows: list[tuple[str, Scores]]) -> list[str]:
    # Both definitions of average precision are shown, that of the protocol first.
    first = rows[0][1].ap
    definitions = sorted(AP_DEFINITIONS, key=lambda definition: definition != first)
    header = [f"mAP({definition})" for definition in definitions]
    header += ["mINP", *(f"R{rank}" for rank in REPORTED_RANKS)]
    cells = [["", *header]] + [[name, *_values(scores, definitions)] for name, scores in rows]
    widths = [max(len(row[column]) for row in cells) for column in range(len(cells[0]))]
    return [
        "  ".join(
            [row[0].ljust(widths[0])] * bool(widths[0])
            + [cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True)]
        )
        for row in cells
    ]


def _values(scores: Scores, definitions: list[str]) -> list[str]:
    spread = scores.std
    pairs = [(scores.mean_ap(name), scores.mean_ap_std(name)) for name in definitions]
    pairs += [(scores.mINP, spread["mINP"])]
    pairs += [(scores.cmc[rank], spread["cmc"][str(rank)]) for rank in REPORTED_RANKS]
    if scores.repeats == 1:
        return [f"{100 * value:.2f}" for value, _ in pairs]
    return [f"{100 * value:.2f} ±{100 * std:.2f}" for value, std in pairs]


def _explanation(scores: Scores) -> list[str]:
    repeats = "" if scores.repeats == 1 else f", mean ± standard deviation of {scores.repeats}"
    lines = [
        f"Percent. Protocol {scores.protocol}{repeats}: {_count(scores.queries, 'query')} against "
        f"{_count(scores.gallery, 'gallery image')}.",
        _camera_sentence(scores.same_camera),
        f"The protocol's mAP is of the {scores.ap} definition.",
    ]
    if scores.rerank is not None:
        rerank = scores.rerank
        lines.append(
            "Re-ranked by k-reciprocal neighbours "
            f"(k1 {rerank.k1}, k2 {rerank.k2}, lambda {rerank.lam:g})."
        )
    if scores.queries_without_match:
        reasons = "; ".join(
            f"{count} {reason}" for reason, count in scores.without_match_reasons.items()
        )
        where = " in the repeat with most of them" if scores.repeats > 1 else ""
        lines.append(
            f"{_count(scores.queries_without_match, 'query')} without a match{where}, left out of "
            f"all means: {reasons}."
        )
    else:
        lines.append("Every query has a match.")
    return lines + [scores.note] * bool(scores.note)


def _camera_sentence(rule: str) -> str:
    if rule == "exclude":
        return "Gallery images of the query's identity and camera are ignored."
    return "All gallery images are ranked, those of the query's camera too."


def _count(number: int, noun: str) -> str:
    plural = {"query": "queries"}.get(noun, f"{noun}s")
    return f"{number:,} {noun if number == 1 else plural}"
