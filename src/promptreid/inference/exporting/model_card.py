"""The model card of a model on the hub, made from its run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from pydantic import ValidationError

from promptreid.data.data_spec import parse_spec
from promptreid.errors import ConfigError
from promptreid.evaluation.metrics import METRICS
from promptreid.evaluation.tables.retrieval_table import render_scores
from promptreid.evaluation.tables.verification_tables import render_further
from promptreid.evaluation.uncertainty.training_gain import worth_text
from promptreid.inference.exporting.training_section import (
    name_trained_readers,
    write_training_section,
)
from promptreid.models.checkpoint_info import CheckpointInfo
from promptreid.models.reid import ReIDModel
from promptreid.runs.record_reading import describe_error
from promptreid.runs.run_folder import RunFolder
from promptreid.runs.run_records import ResultRecord
from promptreid.text.lists import counted
from promptreid.text.number_words import write_threshold

SUBJECTS: Mapping[str, str] = MappingProxyType(
    {
        **dict.fromkeys(("market1501", "msmt17", "dukemtmc", "occluded_duke"), "person"),
        **dict.fromkeys(("cuhk01", "cuhk03"), "person"),
        **dict.fromkeys(("veri776", "vehicleid"), "vehicle"),
        **dict.fromkeys(("hands11k", "hd_hands"), "hand"),
    }
)
"""What published data sets show, by the name of their reader."""

_REPORTED: Mapping[str, str] = MappingProxyType({"mAP": "mAP", "rank1": "rank-1"})
"""Metrics of the hub by the name of ours."""
_NOT_STATED = "not stated"


@dataclass(frozen=True)
class CardFacts:
    """What nobody but the user of a model knows, and what goes into its card beside.

    Attributes:
        name: What the model is called.
        license: Identifier of its licence, such as "mit"; None where it is not stated.
        base_model: Repository of the weights it was started from; None for the one that is known.
        scores: Scores as `scores.json` or `promptreid evaluate --json` holds them; None for those
            of the run.
    """

    name: str
    license: str | None = None
    base_model: str | None = None
    scores: Sequence[Mapping[str, Any]] | None = None


def read_scores(content: Mapping[str, Any]) -> tuple[Mapping[str, Any], ...]:
    """Take the scores out of what `scores.json` or `promptreid evaluate --json` holds.

    Raises:
        ConfigError: It is something else; says which key is missing.
    """
    results = content.get("results", [content]) if isinstance(content, Mapping) else None
    try:
        for values in results or [content]:
            ResultRecord.model_validate(values)
    except (TypeError, ValidationError) as error:
        reason = describe_error(error) if isinstance(error, ValidationError) else str(error)
        raise ConfigError(
            f"These are no scores: {reason.rstrip('.')}. Give what promptreid evaluate --json FILE "
            "has written."
        ) from error
    return tuple(results or ())


def write_card(
    model: ReIDModel, info: CheckpointInfo, facts: CardFacts, run: RunFolder | None
) -> str:
    """Return the text of a README.md: metadata as YAML, then what a reader wants to know.

    Args:
        model: The model, as it goes out.
        info: What its checkpoint says, as it goes out.
        facts: What the user says.
        run: Where it was trained; None where that is not known.
    """
    from huggingface_hub import ModelCardData

    scores = facts.scores if facts.scores is not None else _read_scores(run)
    readers = _name_readers(run)
    subjects = sorted({SUBJECTS[name] for name in readers if name in SUBJECTS})
    metadata = ModelCardData(
        library_name="promptreid",
        pipeline_tag="image-feature-extraction",
        tags=[
            "re-identification",
            *(f"{subject}-re-identification" for subject in subjects),
            *([] if info.recipe is None else [info.recipe.name]),
            "clip",
        ],
        license=facts.license,
        base_model=facts.base_model or find_base_model(model),
        datasets=[name for name in name_trained_readers(info, run) if name in SUBJECTS] or None,
        metrics=list(_REPORTED) if scores else None,
        model_name=facts.name if scores else None,
        eval_results=_results(scores, subjects) or None,
    )
    parts = [
        f"---\n{metadata.to_yaml()}\n---",
        f"# {facts.name}",
        _introduction(model, info, subjects),
        _usage(),
        write_training_section(info, run),
        _score_section(scores),
        _threshold_section(info),
        _use_section(info, facts, subjects),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def find_base_model(model: ReIDModel) -> str | None:
    """Return the repository of the weights a backbone was started from; None where unknown."""
    from open_clip.pretrained import get_pretrained_cfg

    backbone = model.backbone
    if backbone.pretrained.startswith("hf:"):
        return backbone.pretrained.removeprefix("hf:").partition("@")[0].partition(":")[0]
    config = get_pretrained_cfg(backbone.name, backbone.pretrained) or {}
    repository = str(config.get("hf_hub") or "").strip("/")
    return "/".join(repository.split("/")[:2]) or None


def _read_scores(run: RunFolder | None) -> Sequence[Mapping[str, Any]]:
    return run.scores() if run is not None and run.has_scores else ()


def _name_readers(run: RunFolder | None) -> list[str]:
    records = () if run is None else run.data()
    return list(dict.fromkeys(parse_spec(record.spec).name for record in records))


def _results(scores: Sequence[Mapping[str, Any]], subjects: Sequence[str]) -> list[Any]:
    """Return one entry of the model index for each score that is reported, in percent."""
    from huggingface_hub import EvalResult

    kind = subjects[0].capitalize() if len(subjects) == 1 else "Object"
    return [
        EvalResult(
            task_type="image-retrieval",
            task_name=f"{kind} re-identification",
            dataset_type=_short_data(values),
            dataset_name=values["protocol"],
            dataset_split="test",
            metric_type=name,
            metric_name=METRICS[ours].heading,
            metric_value=round(100 * METRICS[ours].read(values), 2),
        )
        for values in scores
        for name, ours in _REPORTED.items()
    ]


def _short_data(values: Mapping[str, Any]) -> str:
    return str(values.get("data") or values["protocol"]).partition(":")[0].partition("/")[0]


def _introduction(model: ReIDModel, info: CheckpointInfo, subjects: Sequence[str]) -> str:
    height, width = info.preprocess.image_size
    shown = f"{subjects[0]}s" if len(subjects) == 1 else "people, vehicles, hands or animals"
    recipe = "" if info.recipe is None else f", trained with the recipe `{info.recipe.name}`"
    return (
        f"Turns images of {shown} into vectors of {model.embedding_width} numbers, in which images "
        f"of one identity lie close together. {model.backbone.name} at {height} x {width} pixels"
        f"{recipe}, by [promptreid](https://pypi.org/project/promptreid)."
    )


def _usage() -> str:
    return """## How to use it

```python
from promptreid.inference.embedder import Embedder

model = Embedder.from_pretrained("OWNER/NAME")  # this repository, or a folder
vectors = model.embed(["a.jpg", "b.jpg"])  # (2, width), rows of length 1
print(vectors[0] @ vectors[1])  # cosine
```

```
promptreid same hf:OWNER/NAME a.jpg b.jpg
promptreid evaluate hf:OWNER/NAME --data market1501:/data/Market
promptreid export hf:OWNER/NAME model.onnx
```"""


def _score_section(scores: Sequence[Mapping[str, Any]]) -> str:
    if not scores:
        return "## Scores\n\nThis model was not scored."
    parts = ["## Scores"]
    for values in scores:
        parts.append(f"```\n{render_scores(values, _short_data(values))}\n```")
        further = render_further(values)
        if further:
            parts.append(f"```\n{further}\n```")
        if "worth" in values:
            parts.append(f"```\n{worth_text(values['worth'])}\n```")
    return "\n\n".join(parts)


def _threshold_section(info: CheckpointInfo) -> str:
    chosen = info.verification
    if chosen is None:
        return ""
    seen = ""
    if chosen.get("people") == "seen":
        seen = " The model was trained on these identities, so strangers score higher."
    return (
        f"## Same or not\n\nTwo images count as one identity from a cosine of "
        f"{write_threshold(chosen['threshold'])} on. It accepts at most "
        f"{100 * chosen['far']:g} % of pairs of strangers, chosen on "
        f"{counted(chosen['pairs'], 'pair')} of "
        f"{chosen.get('source') or 'images'}.{seen} On other images the rate may be another."
    )


def _use_section(info: CheckpointInfo, facts: CardFacts, subjects: Sequence[str]) -> str:
    license_text = facts.license or _NOT_STATED
    people = "person" in subjects or "hand" in subjects or not subjects
    lines = [
        "## Intended use",
        "",
        "Finding again, in images of the kind it was trained on, what was seen in other images; "
        "research on re-identification. Scores fall on other cameras, places and seasons: score it "
        "on your own images before you rely on it.",
    ]
    if people:
        lines += [
            "",
            "Not for deciding about people without a person who looks, nor for following people "
            "without a legal ground. A high score is no proof of identity.",
        ]
    lines += [
        "",
        f"Licence of these weights: {license_text}. The data it was trained on have licences of "
        "their own, many for research alone; whether weights may be used otherwise follows from "
        "them.",
    ]
    return "\n".join(lines)
