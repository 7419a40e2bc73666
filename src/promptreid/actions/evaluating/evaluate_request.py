"""What `promptreid evaluate` is asked for."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from promptreid.data.data_spec import parse_spec
from promptreid.errors import ConfigError

if TYPE_CHECKING:
    from promptreid.evaluation.retrieval_settings import RetrievalSettings
    from promptreid.inference.embedder import Embedder


@dataclass(frozen=True)
class EvaluateRequest:
    """The options of `promptreid evaluate`, whose help says what each of them does."""

    models: tuple[Path, ...]
    specs: tuple[str, ...]
    same_camera: str | None = None
    flip: bool | None = None
    query_expansion: int | None = None
    expansion_power: float | None = None
    rerank: bool | None = None
    sentences: float | None = None
    prompts: tuple[str, ...] = ()
    words: bool = False
    multi_query: str | None = None
    verification: bool = False
    intervals: bool = False
    paired: bool = False
    by: tuple[str, ...] = ()
    attributes: bool = False
    image_size: tuple[int, int] | None = None
    views: int = 0
    batch_size: int = 64
    precision: str = "fp32"
    device: str | None = None
    unreadable: str = "stop"

    def check(self) -> None:
        """Refuse options that exclude each other, and data sets without a name and a root.

        Raises:
            ConfigError: With what to leave out.
        """
        for spec in self.specs:
            parse_spec(spec)
        if self.multi_query is not None and self.by:
            raise ConfigError("--by groups single queries; leave out --multi-query or --by.")
        if self.paired and max(len(self.models), len(self.kinds)) < 2:
            raise ConfigError("--paired compares runs with the first; give two runs or more.")
        if self.words and self.sentences:
            raise ConfigError(
                "--words exchanges words in a model's own sentences; leave out --sentences."
            )
        if self.words and self.prompts:
            raise ConfigError(
                "--words scores sentences with and without words by itself; leave out --prompt."
            )

    @property
    def kinds(self) -> tuple[str | None, ...]:
        """Kinds of sentences that are scored, each once; None stands for the recipe's own."""
        return tuple(dict.fromkeys(self.prompts)) or (None,)

    @property
    def further(self) -> dict[str, Any]:
        """What is scored beside the ranking, as `Assessment.to_dict` takes it."""
        by = tuple(dict.fromkeys(self.by))
        return {"verification": self.verification, "intervals": self.intervals, "by": by}

    def settings(self, embedder: Embedder) -> RetrievalSettings:
        """Return how a model's images are embedded and ranked: the options over its recipe."""
        from promptreid.evaluation.retrieval_settings import RetrievalSettings

        settings = RetrievalSettings.of(
            embedder.info.evaluation,
            flip=self.flip,
            query_expansion=self.query_expansion,
            expansion_power=self.expansion_power,
            rerank=self.rerank,
            sentences=self.sentences,
            same_camera=self.same_camera,
            multi_query=self.multi_query,
        )
        if self.expansion_power is not None and settings.expansion is None:
            raise ConfigError("--expansion-power needs --query-expansion N, which is 0 or absent.")
        return settings
