"""Scoring models on data sets, as the command `evaluate` and Python do."""

from __future__ import annotations

import html
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from promptreid.actions.evaluating.evaluate_request import EvaluateRequest
from promptreid.actions.evaluating.score_models import ModelScoring, Say
from promptreid.actions.run_data_specs import existing_models, find_run_data
from promptreid.actions.train_settings import list_specs
from promptreid.errors import ConfigError, unknown_name
from promptreid.evaluation.metrics import METRICS
from promptreid.inference.embedder import Embedder
from promptreid.progress import Lines, Progress
from promptreid.text.lists import list_words

if TYPE_CHECKING:
    from promptreid.data.dataset import DataSet


@dataclass(frozen=True, eq=False, repr=False)
class Evaluation:
    """Scores of models on data sets.

    Printed, it is what `promptreid evaluate` prints.

    Attributes:
        content: All of it, JSON-ready, as `promptreid evaluate --json` writes it.
        text: The same in words.
    """

    content: dict[str, Any]
    text: str

    @property
    def results(self) -> tuple[dict[str, Any], ...]:
        """One record for each model and data set, each as a `scores.json` holds it."""
        return tuple(self.content.get("results", [self.content]))

    @property
    def scores(self) -> dict[str, float]:
        """The scores of the first model on the first data set, as fractions of 1."""
        result = self.results[0]
        return {one.key: one.read(result) for one in METRICS.values() if one.is_in(result)}

    def to_dict(self) -> dict[str, Any]:
        """Return all of it, JSON-ready."""
        return self.content

    def __str__(self) -> str:
        return self.text

    __repr__ = __str__

    def _repr_html_(self) -> str:
        return f"<pre>{html.escape(self.text)}</pre>"


def evaluate(
    *models: str | os.PathLike[str] | Embedder,
    data: str | DataSet | Sequence[str | DataSet] | None = None,
    say: Say | None = None,
    progress: Progress | None = None,
    **how: Any,
) -> Evaluation:
    """Score runs, checkpoints or loaded models by the data sets' protocols.

    Args:
        models: Runs, checkpoints, published `.pth` files, or loaded models.
        data: Data sets to score on; None for the runs' own.
        say: Hears each result in words as soon as it is there; None to wait for all.
        progress: Where to report; None for lines on standard error.
        how: The options of `promptreid evaluate` with `_` for `-`, which `EvaluateRequest` lists:
            `flip=True`, `rerank=True`, `query_expansion=5`, `same_camera="keep"`,
            `verification=True`, `intervals=True`, `paired=True`, `by=["camera"]`,
            `multi_query="identity"`, `prompts=["composed"]`, `words=True`, `attributes=True`,
            `device="cpu"`, `precision="auto"`, `batch_size=64`, `unreadable="skip"`.

    Returns:
        The scores; `print` them, or read `scores` and `results`.

    Raises:
        ConfigError: There are no data to score on, options exclude each other, or two loaded models
            are of one file.
        RunError: There is no such run, or it was trained on who would be tested.
        DataError: A data set or an image cannot be read.
        EvaluationError: A data set has nothing to test on.

    Example:
        >>> found = promptreid.evaluate("runs/mine", device="cpu", verification=True)
        >>> 0 < found.scores["mAP"] <= 1, "verification" in found.results[0]
        (True, True)
    """
    options = set(EvaluateRequest.__dataclass_fields__) - {"models", "specs"}
    for name in how:
        if name not in options:
            raise ConfigError(unknown_name("option of evaluate", name, options))
    loaded = {_find_source(model): model for model in models if isinstance(model, Embedder)}
    found_paths = existing_models(
        [_find_source(one) if isinstance(one, Embedder) else one for one in models]
    )
    for source in loaded:
        if found_paths.count(source) > 1:
            raise ConfigError(
                f"Several of the models are of the file {source}, by which scores name them. "
                "Evaluate them one after the other."
            )
    specs = () if data is None else list_specs(data)
    for name in ("by", "prompts"):
        how[name] = list_words(how.get(name, ()))
    request = EvaluateRequest(models=found_paths, specs=specs, **how)
    request.check()
    specs = specs or find_run_data(found_paths)
    texts: list[str] = []

    def hear(text: str) -> None:
        texts.append(text)
        if say is not None:
            say(text)

    scoring = ModelScoring(request, specs, loaded, say=hear, progress=progress or Lines())
    return Evaluation(scoring.run(), "\n".join(texts))


def _find_source(model: Embedder) -> Path:
    if model.source is None:
        raise ConfigError(
            "This model was made in memory, and scores name the file of their model. Save it, "
            "such as model.save('mine.safetensors'), and evaluate that."
        )
    return model.source
