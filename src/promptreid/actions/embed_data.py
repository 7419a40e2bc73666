"""Vectors of many images as files, as the command `embed` and Python make them."""

from __future__ import annotations

import os
from pathlib import Path

from promptreid.actions.run_data_specs import existing_models
from promptreid.data.packed.open_table import open_table
from promptreid.errors import ConfigError
from promptreid.inference.embedder import Embedder
from promptreid.inference.load import load
from promptreid.inference.shards.embed_shards import ShardsDone, embed_shards
from promptreid.inference.shards.ray_shards import RayRequest, embed_on_ray
from promptreid.inference.shards.shard_job import ShardOptions
from promptreid.inference.shards.shard_plan import WorkShare, name_local_device
from promptreid.progress import Lines, Progress


def embed(
    model: str | os.PathLike[str] | Embedder,
    data: str | os.PathLike[str],
    out: str | os.PathLike[str],
    *,
    shard: str | None = None,
    ray: int | None = None,
    shard_rows: int = 4096,
    batch_size: int = 64,
    flip: bool | None = None,
    prompt: str | None = None,
    precision: str = "fp32",
    threads: int | None = None,
    device: str | None = None,
    unreadable: str = "stop",
    progress: Progress | None = None,
) -> ShardsDone:
    """Embed all images of a data set into Parquet files in a folder.

    A call that was stopped or killed goes on where it was when it is made again. For the vectors of
    a few images in memory there is `Model.embed`. The arguments are the options of
    `promptreid embed`.

    Args:
        model: A run, a checkpoint, or a loaded model.
        data: A data spec, a folder of pictures, one picture, or packed pictures: `tar:PLACE`,
            `parquet:PLACE`.
        out: The folder.
        shard: "I/N" for the I-th of N parts of the work, counted from 0; None for torchrun's part,
            or all.
        ray: Compute with so many workers on Ray; None for none.
        shard_rows: Rows of the table in one file.
        batch_size: Images per forward pass.
        flip: Average each vector with that of the mirrored image; None for the recipe's choice.
        prompt: "composed" or "simplified", for a model with a sentence for each image.
        precision: Number type of the matrices, where the model is loaded here.
        threads: Threads that a processor computes with; None for what the folder was begun with.
        device: Where the model computes, where it is loaded here; None for the best there is.
        unreadable: "stop" at images that cannot be decoded, or "skip" them.
        progress: Where to report; None for lines on standard error.

    Returns:
        What was made and what is missing.

    Raises:
        ConfigError: Options exclude each other, or the extra `parquet` is not installed.
        DataError: The data are not there or cannot be read.
        RunError: The folder holds something else, or vectors of another model.

    Example:
        >>> promptreid.embed("runs/mine", "folder:photos", "vectors", device="cpu").images
        60
    """
    share = WorkShare.from_environment() if shard is None else WorkShare.parse(shard)
    if shard is not None and ray is not None:
        raise ConfigError("Ray shares the work by itself; give --ray or --shard, not both.")
    progress, folder, spec = progress or Lines(), Path(out), os.fspath(data)
    chosen = ShardOptions(shard_rows, batch_size, flip, prompt, threads)
    if ray is not None:
        if ray < 1:
            raise ConfigError(f"ray is {ray}; it is the number of workers, at least 1.")
        if isinstance(model, Embedder):
            raise ConfigError("Workers of Ray load the model themselves: give its path.")
        (path,) = existing_models([model])
        request = RayRequest(
            str(path.absolute()), spec, str(folder.absolute()), chosen, precision, device,
            unreadable,
        )  # fmt: skip
        return embed_on_ray(request, workers=ray, progress=progress)
    found = model if isinstance(model, Embedder) else existing_models([model])[0]
    with progress.doing(f"reading {spec}"):
        table = open_table(spec)
    for note in table.notes:
        progress.message(f"{table.manifest.name}: {note}")
    if not isinstance(found, Embedder):
        with progress.doing(f"loading {found}"):
            found = load(found, device=device or name_local_device(), precision=precision)
    with progress.doing(f"embedding {spec}"):
        return embed_shards(
            found, table, folder, options=chosen, share=share, unreadable=unreadable,
            progress=progress,
        )  # fmt: skip
