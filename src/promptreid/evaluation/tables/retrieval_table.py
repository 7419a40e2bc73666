"""Scores as a plain-text table for people."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from promptreid.evaluation.metrics import METRICS, Metric, separate_metrics, unit_words
from promptreid.evaluation.ranking.scores import Scores
from promptreid.text.tables import plain_table

Values = Mapping[str, Any]

_SENTENCES = {
    "composed": "Sentences hold a word computed from each image.",
    "simplified": "The sentence has no word of the image; its text is encoded once.",
}


def render_scores(scores: Scores | Values, title: str) -> str:
    """Lay out scores in percent, and say by which rules they were made.

    Args:
        scores: The scores, or what a `scores.json` holds for one data set.
        title: What was scored.
    """
    values = _read_values(scores)
    return "\n".join([title, *_lay_out([("", values)]), *_explain_rules(values)])


def render_comparison(rows: Mapping[str, Scores] | Mapping[str, Values], title: str) -> str:
    """Lay out several scores below each other.

    Rules that all rows share are said once, below the table; where rows differ, each row's rules
    are listed under its name.

    Args:
        rows: The scores by name, at least one, as for `render_scores`.
        title: What is compared.
    """
    read = {name: _read_values(scores) for name, scores in rows.items()}
    lines = [title, *_lay_out(list(read.items()))]
    explanations = {name: _explain_rules(values) for name, values in read.items()}
    shared = next(iter(explanations.values()))
    common = [line for line in shared if all(line in other for other in explanations.values())]
    lines += common
    for name, explanation in explanations.items():
        lines += [f"{name}: {line}" for line in explanation if line not in common]
    return "\n".join(lines)


def _read_values(scores: Scores | Values) -> Values:
    return scores.to_dict() if isinstance(scores, Scores) else scores


def _lay_out(rows: list[tuple[str, Values]]) -> list[str]:
    columns = _choose_columns([values for _, values in rows])
    header = [metric.heading for metric in columns]
    timed = any("speed" in values for _, values in rows)
    header += ["images/s", "of tower"] * timed
    cells = [["", *header]]
    for name, values in rows:
        means = [metric.text(metric.read(values)) for metric in columns]
        cells.append([name, *means, *_write_speed(values) * timed])
        if values["repeats"] > 1:
            spreads = [f"±{metric.text(metric.read(values['std']))}" for metric in columns]
            cells.append(["", *spreads, *["", ""] * timed])
    if not any(name for name, _ in rows):
        cells = [row[1:] for row in cells]
    return plain_table(cells, right=[column != "" for column in cells[0]])


def _choose_columns(rows: list[Values]) -> list[Metric]:
    """List the metrics that all rows hold; of one with several definitions these.

    The definition of the first row's protocol comes first.
    """
    columns: list[Metric] = []
    for metric in separate_metrics():
        definitions = [one for one in METRICS.values() if one.definition_of == metric.name]
        definitions.sort(key=lambda one: one.name != f"{one.definition_of}_{rows[0]['ap']}")
        columns += definitions or [metric]
    return [metric for metric in columns if all(metric.is_in(values) for values in rows)]


def _write_speed(values: Values) -> list[str]:
    speed = values.get("speed")
    if speed is None:
        return ["", ""]
    return [f"{speed['images_per_second']:.1f}", f"{speed['of_tower']:.2f}x"]


def _explain_rules(values: Values) -> list[str]:
    several = values["repeats"] > 1
    repeats = f", mean ± standard deviation of {values['repeats']}" if several else ""
    lines = [
        f"{unit_words(_choose_columns([values]))}. Protocol {values['protocol']}{repeats}: "
        f"{_count(values['queries'], 'query')} against "
        f"{_count(values['gallery'], 'gallery image')}.",
        _explain_camera_rule(values["same_camera"]),
        f"The protocol's mAP is of the {values['ap']} definition.",
    ]
    lines += _explain_settings(values)
    if values["queries_without_match"]:
        reasons = "; ".join(
            f"{count} {reason}" for reason, count in values["without_match_reasons"].items()
        )
        where = " in the repeat with most of them" if several else ""
        lines.append(
            f"{_count(values['queries_without_match'], 'query')} without a match{where}, left out "
            f"of all means: {reasons}."
        )
    else:
        lines.append("Every query has a match.")
    return lines + [values["note"]] * bool(values["note"])


def _explain_settings(values: Values) -> list[str]:
    """Say what was done to the embeddings; files of earlier versions lack some of the keys."""
    lines = []
    if values.get("precision", "fp32") != "fp32":
        lines.append(f"Embeddings are computed with {values['precision']} matrices.")
    if values.get("flip"):
        lines.append("Embeddings are averages over each image and its mirror image.")
    sentences = values.get("sentences")
    if sentences is not None:
        share, about = sentences["share"], ", ".join(sentences["attributes"])
        lines.append(
            f"What sentences say of two images ({about}) has a share of {share:g} in their "
            "similarity."
            if about
            else f"Sentences were to have a share of {share:g} in the similarity, but none "
            "of their attributes differs between these images, so images count alone."
        )
    joined = values.get("multi_query")
    if joined is not None:
        group = {"identity": "identity", "identity_camera": "identity and camera"}[joined]
        lines.append(f"Each query is the mean of all query images of one {group}.")
    expansion, rerank = values.get("query_expansion"), values.get("rerank")
    if expansion is not None:
        lines.append(
            "Queries and gallery are averaged with their nearest gallery images "
            f"({expansion['neighbours']} neighbours, power {expansion['power']:g})."
        )
    if rerank is not None:
        lines.append(
            "Re-ranked by k-reciprocal neighbours "
            f"(k1 {rerank['k1']}, k2 {rerank['k2']}, lambda {rerank['lam']:g})."
        )
    if values.get("prompt") is not None:
        lines.append(_SENTENCES[values["prompt"]])
    if values.get("speed") is not None:
        speed = values["speed"]
        lines.append(
            f"Speed: {speed['device']}, batches of {speed['batch_size']}, images decoded before, "
            "model time alone; 'of tower' is against the image tower without sentences."
        )
    return lines


def _explain_camera_rule(rule: str) -> str:
    if rule == "exclude":
        return "Gallery images of the query's identity and camera are ignored."
    return "All gallery images are ranked, those of the query's camera too."


def _count(number: int, noun: str) -> str:
    plural = {"query": "queries"}.get(noun, f"{noun}s")
    return f"{number:,} {noun if number == 1 else plural}"
