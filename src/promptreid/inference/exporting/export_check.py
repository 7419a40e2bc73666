"""Comparing an exported file with the model it was made of."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional as F

from promptreid.data.images.boxes import ImageSource
from promptreid.data.images.image_store import ImageStore
from promptreid.data.images.preprocess import IMAGENET_MEAN, IMAGENET_STD, Preprocess
from promptreid.data.images.transforms import normalize
from promptreid.errors import ModelError
from promptreid.inference.embedding_loop import embed_images
from promptreid.inference.exporting.retrieval_graph import RetrievalGraph
from promptreid.inference.exporting.side_choice import SideChoice
from promptreid.inference.exporting.traced_file import OUTPUT, input_names, need
from promptreid.json_record import JsonRecord
from promptreid.models.reid import ReIDModel

BATCHES = (1, 2, 5)
"""Numbers of images that go in at a time."""

_LEAST_COSINE, _LEAST_HALF = 0.99999, 0.999
_MOST_DIFFERENCE = 1e-5

CheckImage = Path | ImageSource | Image.Image | np.ndarray
"""An image to compare on, as `ImageStore` takes it."""

Runner = Callable[..., Tensor]
"""Takes pixels and sides, as `RetrievalGraph.forward` does, and gives vectors."""


@dataclass(frozen=True)
class ExportCheck(JsonRecord):
    """How an exported file compares with the model.

    Attributes:
        images: Number of images compared.
        cosine: Lowest cosine of the two vectors of an image.
        difference: Largest difference between two numbers.
    """

    images: int
    cosine: float
    difference: float


def check_images(given: Sequence[CheckImage], count: int, preprocess: Preprocess) -> Tensor:
    """Return images to compare with: those given, else drawn ones, and one of a single colour.

    Args:
        given: Real images; the first `count` are taken.
        count: How many; drawn ones are coloured patches with noise, the same every time.
        preprocess: Says of which size, and how they are resized.

    Returns:
        (N, 3, H, W) uint8.

    Raises:
        UnreadableImage: An image cannot be decoded.
    """
    size = preprocess.image_size
    if given:
        chosen = list(given)[:count]
        store = ImageStore(chosen, size, preprocess.test_interpolation, cache=False, disk=None)
        images = store.batch(np.arange(len(chosen)))
    else:
        generator = torch.Generator().manual_seed(0)
        coarse = torch.rand(count, 3, 8, 4, generator=generator)
        smooth = F.interpolate(coarse, size, mode="bilinear")
        noise = 0.1 * torch.randn(smooth.shape, generator=generator)
        images = (255 * (smooth + noise)).clamp(0, 255).to(torch.uint8)
    return torch.cat([images, torch.full_like(images[:1], 128)])


def prepare_pixels(images: Tensor, preprocess: Preprocess, pixels: str) -> Tensor:
    """Turn (N, 3, H, W) uint8 images into what a file takes, float32, by the names of `PIXELS`."""
    if pixels == "pixels":
        return images.float()
    if pixels == "unit":
        return images.float() / 255
    if pixels == "imagenet":
        return normalize(images, Preprocess(preprocess.image_size, IMAGENET_MEAN, IMAGENET_STD))
    return normalize(images, preprocess)


def open_onnx(path: Path, graph: RetrievalGraph) -> Runner:
    """Open an ONNX file in onnxruntime on the processor.

    Raises:
        ConfigError: onnxruntime is not installed.
    """
    runtime = need("onnxruntime")
    options = runtime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    session = runtime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])

    def run(*inputs: Tensor) -> Tensor:
        named = dict(zip(input_names(graph), (one.numpy() for one in inputs), strict=True))
        return torch.from_numpy(session.run([OUTPUT], named)[0])

    return run


def open_pt2(path: Path) -> Runner:
    """Open a program of `torch.export`."""
    with path.open("rb") as file:
        return torch.export.load(file).module()


@torch.no_grad()
def compare_with_model(
    run: Runner,
    model: ReIDModel,
    graph: RetrievalGraph,
    sides: SideChoice,
    images: Tensor,
    preprocess: Preprocess,
) -> tuple[float, float]:
    """Embed images by a file and by the model, in batches of several sizes.

    Where a camera or view goes in, images take all of them in turn, unknown ones included.

    Args:
        run: The opened file.
        model: What it was made of, in float32.
        graph: What was written; says what goes in.
        sides: The cameras and views of all images.
        images: (N, 3, H, W) uint8.
        preprocess: That of the model.

    Returns:
        The lowest cosine and the largest difference.
    """
    device = next(model.parameters()).device
    count, cosine, difference = len(images), 1.0, 0.0
    pixels = prepare_pixels(images, preprocess, graph.pixels)
    rows = _side_rows(model, sides, count)
    own = normalize(images, preprocess).to(device)
    wanted = embed_images(model, own, *(None if row is None else row.to(device) for row in rows))
    given = [row for row, fixed in zip(rows, (sides.camera, sides.view), strict=True)
             if fixed is None and row is not None]  # fmt: skip
    for size in BATCHES:
        numbers = torch.arange(max(size, count)) % count
        for part in numbers.split(size):
            if len(part) < size:
                continue
            vectors = run(pixels[part], *(row[part] for row in given)).float()
            expected = wanted[part].float().cpu()
            cosine = min(cosine, float(F.cosine_similarity(vectors, expected).min()))
            difference = max(difference, float((vectors - expected).abs().max()))
            if not vectors.isfinite().all():
                return -1.0, float("inf")
    return cosine, difference


def refuse_difference(cosine: float, difference: float, *, half: bool, path: Path) -> None:
    """Raise `ModelError` where a file does not compute what the model does."""
    least = _LEAST_HALF if half else _LEAST_COSINE
    if cosine >= least and (half or difference <= _MOST_DIFFERENCE):
        return
    allowed = f"a cosine of {least}" + ("" if half else f" and a difference of {_MOST_DIFFERENCE}")
    raise ModelError(
        f"The exported model does not compute what the model does: the lowest cosine is "
        f"{cosine:.7f} and the largest difference {difference:.1e}, where {allowed} is allowed. "
        f"{path} was not written." + (" Leave --half out." if half else "")
    )


def _side_rows(
    model: ReIDModel, sides: SideChoice, count: int
) -> tuple[Tensor | None, Tensor | None]:
    if model.sie is None:
        return None, None
    rows = []
    for fixed, size in ((sides.camera, model.sie.cameras), (sides.view, model.sie.views)):
        every = torch.arange(count) % (size + 1) - 1
        rows.append(every if fixed is None else torch.full((count,), fixed))
    return rows[0], rows[1]
