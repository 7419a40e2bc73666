"""Frozen records of the JSON files of a run, which are checked when they are read."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, PlainValidator, RootModel

Count = Annotated[int, Field(ge=0, lt=2**63)]
Share = Annotated[float, Field(ge=0, le=1 + 1e-9)]
Role = Literal["train", "test"]
State = Literal["started", "training", "stopped", "failed", "complete"]


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError(f"{type(value).__name__} is not a text")
    return value


Text = Annotated[Any, PlainValidator(_text)]
"""Text that may name files, whose names need not be UTF-8, as `str` in a model has to be."""


class Record(BaseModel):
    """Frozen, without unknown keys, with finite numbers."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


Library = Literal["torch", "onednn", "onednn-contiguous"]
"""torch's own product; oneDNN's; oneDNN's of operands that are first copied row by row."""


class ProductChoice(Record):
    """The library that multiplies float32 tokens with weight matrices, by kind of product.

    Attributes:
        forward: For tokens times the matrix.
        to_input: For the gradient to the tokens.
        to_weight: For the gradient to the matrix.
    """

    forward: Library
    to_input: Library
    to_weight: Library

    def __str__(self) -> str:
        return f"{self.forward} forward, {self.to_input} to the input, {self.to_weight} to weights"


class BestRecord(Record):
    """Which weights validation kept.

    Attributes:
        score: Score of validation; None without validation images.
        chosen_at: Stage and epoch, in words.
    """

    score: float | None
    chosen_at: str


class StatusRecord(Record):
    """A record of how far a run is: `status.json`.

    Attributes:
        status: In a word.
        at: Where a run that was stopped or failed goes on, in words.
        error: Why it failed, in a sentence.
        training_seconds: Training time of all sessions, once complete.
        best: Which weights validation kept, once complete.
        ended_early: Epoch after which a stage ended before its last one, by stage.
        trackers_dropped: Trackers that failed: "tracker", "while", "error".
    """

    status: State
    at: Text | None = None
    error: Text | None = None
    training_seconds: Annotated[float, Field(ge=0)] | None = None
    best: BestRecord | None = None
    ended_early: dict[str, Count] = {}
    trackers_dropped: tuple[dict[str, Text], ...] = ()

    @property
    def complete(self) -> bool:
        """Tell whether nothing is left to do."""
        return self.status == "complete"


class EnvironmentRecord(Record):
    """A record of where and how a run was made: `environment.json`.

    Attributes:
        promptreid: Version.
        git: Commit of the sources, `+changes` behind it if they differ; None outside a checkout.
        python: Version.
        packages: Versions by name.
        platform: System.
        processor: Its name.
        cores: Number of processor cores of the machine.
        threads: That computed.
        device: Name.
        precision: "fp32" or "bf16".
        products: Who multiplied float32 tokens with weights.
        seed: Seed of every random choice.
        command: Words of the command, or the call in Python as one text; empty where neither is
            known.
        started: Time, ISO 8601.
        unreadable: What became of unreadable images, as in `promptreid train --unreadable`.
        track_pictures: How trackers get pictures of test images.
        before: Whether the untrained weights are scored, too.
        processes: Number of processes that began the run together.
        hub: Commit of each address on the hub that the recipe names.
    """

    promptreid: str
    git: str | None
    python: str
    packages: dict[str, str]
    platform: str
    processor: str
    cores: Count | None
    threads: Count
    device: str
    precision: str
    products: ProductChoice
    seed: Count
    command: tuple[Text, ...]
    started: str
    unreadable: str
    track_pictures: str
    before: bool
    processes: Count = 1
    hub: dict[str, str] = {}


class DataRecord(Record):
    """One data set of a run, an entry of `data.json`.

    Attributes:
        spec: As given on the command line.
        place: The same with the root, and the root that a table may name, in full.
        beside: Where these lie from the run folder, by option; "" is the root itself.
        role: "train", or "test" for one that is only scored.
        name: Name of the manifest.
        fingerprint: Fingerprint of the manifest.
        splits: Images and identities by split.
        protocol: Name; None where nothing is tested.
        repeats: How many query and gallery draws the protocol has.
        notes: What the reader says.
    """

    spec: Text
    place: Text
    beside: dict[str, Text]
    role: Role
    name: Text
    fingerprint: str
    splits: dict[str, dict[str, Count]]
    protocol: str | None
    repeats: Count
    notes: tuple[Text, ...]


class ResultRecord(BaseModel):
    """One data set's scores in `scores.json`, as far as all readers rely on them."""

    model_config = ConfigDict(extra="allow", frozen=True, allow_inf_nan=False)

    data: Text
    protocol: str
    ap: str
    repeats: Count
    mAP: Share  # noqa: N815 - the field's own spelling
    mINP: Share  # noqa: N815
    cmc: dict[str, Share]
    queries: Count
    gallery: Count
    domain_texts: tuple[dict[str, Any], ...] = ()


class ResultsRecord(Record):
    """A `scores.json` of several data sets."""

    results: tuple[ResultRecord, ...]
    domain_texts: tuple[dict[str, Any], ...] = ()


class ScoresRecord(RootModel[ResultRecord | ResultsRecord]):
    """A `scores.json`: one result, or several under "results"."""
