"""What a folder of shards holds embeddings of, and how they are computed: its `job.json`."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import torch

from promptreid.data.packed.image_table import ImageTable
from promptreid.data.tables.arrow_import import import_pyarrow
from promptreid.errors import ConfigError, RunError
from promptreid.files import create_text, name_entries
from promptreid.inference.embedder import Embedder
from promptreid.inference.embedding_loop import BATCH_SIZE
from promptreid.inference.model_fingerprint import fingerprint_model
from promptreid.inference.shards.shard_plan import ShardPlan
from promptreid.json_record import JsonRecord
from promptreid.text.lists import listed
from promptreid.version import __version__

JOB_FILE = "job.json"
SHARD_ROWS = 4096
_DIGITS = 64  # of a SHA-256 in hex


@dataclass(frozen=True)
class ShardOptions:
    """Choices of how images are embedded into shards.

    Attributes:
        shard_rows: Rows of a shard. What a killed process loses is less than one.
        batch_size: Images per forward pass.
        flip: Average each vector with that of the mirrored image; None for what the recipe says.
        prompt: Kind of sentence of an image prompt; None for the model's own choice.
        threads: Threads that a processor computes with, since their number decides in which order
            sums are added; None for the folder's, and in a new folder for what PyTorch chooses.

    Raises:
        ConfigError: Images or threads are fewer than one.
    """

    shard_rows: int = SHARD_ROWS
    batch_size: int = BATCH_SIZE
    flip: bool | None = None
    prompt: str | None = None
    threads: int | None = None

    def __post_init__(self) -> None:
        if self.batch_size < 1:
            raise ConfigError(f"batch_size is {self.batch_size}; it must be at least 1.")
        if self.threads is not None and self.threads < 1:
            raise ConfigError(f"threads is {self.threads}; it must be at least 1.")


@dataclass(frozen=True)
class ShardJob(JsonRecord):
    """All that the bytes of shards depend on, besides the processor or card.

    Attributes:
        data: The spec of the images.
        root: Folder that relative image paths start from.
        rows: N, the number of images.
        rows_sha256: Fingerprint of what is known of them.
        model_sha256: Fingerprint of the model.
        width: Numbers in a vector.
        shard_rows: Rows of a shard.
        batch_size: Images per forward pass.
        flip: Whether vectors are averaged with those of mirrored images.
        prompt: Kind of sentence of an image prompt; None for the model's own choice.
        precision: Number type of the model's matrices.
        device: Kind of device that computes.
        threads: Threads that a processor computes with.
        versions: Version of each program that has a say.
    """

    data: str
    root: str
    rows: int
    rows_sha256: str
    model_sha256: str
    width: int
    shard_rows: int
    batch_size: int
    flip: bool
    prompt: str | None
    precision: str
    device: str
    threads: int
    versions: dict[str, str]

    @classmethod
    def of(cls, embedder: Embedder, table: ImageTable, options: ShardOptions) -> Self:
        """Describe the embedding of all images of a table by a model.

        Raises:
            DataError: pyarrow is not installed.
        """
        flip = embedder.info.evaluation.flip if options.flip is None else options.flip
        return cls(
            data=table.spec,
            root=str(table.manifest.root),
            rows=len(table),
            rows_sha256=table.manifest.fingerprint(),
            model_sha256=fingerprint_model(embedder),
            width=embedder.width,
            shard_rows=options.shard_rows,
            batch_size=options.batch_size,
            flip=flip,
            prompt=options.prompt,
            precision=embedder.precision,
            device=embedder.device.type,
            threads=options.threads or torch.get_num_threads(),
            versions={
                "promptreid": __version__,
                "torch": torch.__version__,
                "pyarrow": import_pyarrow()[0].__version__,
            },
        )

    @property
    def plan(self) -> ShardPlan:
        """How the rows are cut into shards."""
        return ShardPlan(self.rows, self.shard_rows)


_WORDS = {
    "data": "data",
    "root": "folder of the images",
    "rows": "number of images",
    "rows_sha256": "table of the images",
    "model_sha256": "model",
    "width": "width of vectors",
    "shard_rows": "rows of a shard",
    "batch_size": "batch size",
    "flip": "averaging with mirrored images",
    "prompt": "kind of sentence",
    "precision": "precision",
    "device": "kind of device",
    "threads": "number of threads",
    "versions": "versions of programs",
}


def begin_job(out: Path, job: ShardJob, *, threads_given: bool) -> ShardJob:
    """Write what a folder is going to hold, or check that it is the same as was begun in it.

    Several processes may begin at a time: the first one decides, and the others agree or stop.

    Args:
        out: The folder; it is made where there is none.
        job: What is to be in it.
        threads_given: Whether the number of threads was asked for; else the folder's counts.

    Returns:
        The job of the folder.

    Raises:
        RunError: The folder holds something else.
    """
    path = out / JOB_FILE
    if not path.is_file():
        if out.exists():
            _refuse_strange(out)
        create_text(path, json.dumps(job.to_dict(), indent=2, ensure_ascii=False) + "\n")
    begun = read_job(out)
    differing = [
        name
        for name in _WORDS
        if getattr(job, name) != getattr(begun, name) and (name != "threads" or threads_given)
    ]
    if differing:
        pairs = [
            f"{_WORDS[name]} ({_shown(getattr(begun, name))} there, {_shown(getattr(job, name))} "
            "here)"
            for name in differing
        ]
        raise RunError(
            f"{out} was begun as another job, which differs in {listed(pairs)}. Give another "
            "folder, or go on with what that one was begun with."
        )
    return begun


def read_job(out: Path) -> ShardJob:
    """Read what a folder of shards holds.

    Raises:
        RunError: It is no folder of shards, or the file is damaged.
    """
    path = out / JOB_FILE
    try:
        return ShardJob.from_dict(json.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        raise RunError(
            f"{out} holds no embeddings: it has no {JOB_FILE}. `promptreid embed` makes such a "
            "folder."
        ) from None
    except (OSError, ValueError) as error:
        raise RunError(f"{path} cannot be read: {error}.") from error


def _refuse_strange(out: Path) -> None:
    """Raise `RunError` where a folder without a job holds more than a beginning process leaves."""
    strange = [entry for entry in out.iterdir() if not entry.name.startswith(f".{JOB_FILE}.")]
    if strange and not (out / JOB_FILE).is_file():
        raise RunError(
            f"{out} is not empty and holds no embeddings: {name_entries(out)}. Give a new folder."
        )


def _shown(value: object) -> str:
    text = str(value)
    return f"{text[:12]}…" if len(text) == _DIGITS else text
