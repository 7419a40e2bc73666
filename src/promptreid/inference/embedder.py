"""The object that `promptreid.load` gives: it turns images and sentences into vectors."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike
from PIL import Image
from torch import Tensor
from torch.nn import functional as F

from promptreid.data.images.image_store import ImageStore
from promptreid.errors import WeightsError
from promptreid.evaluation.thresholds.stored_threshold import NO_THRESHOLD
from promptreid.evaluation.thresholds.threshold import PairComparison
from promptreid.inference.embedding_loop import (
    BATCH_SIZE,
    SideRows,
    embed_images,
    encode_source,
    image_batches,
)
from promptreid.inference.loaded_model import LoadedModel
from promptreid.inference.named_sides import Name, Names, find_named_sides
from promptreid.inference.trackers.frame_crops import crop_boxes
from promptreid.inference.trackers.reid_backbone import ReIDBackbone
from promptreid.models.prompts.context_positions import encode_sentences
from promptreid.progress import Progress

ImageLike = str | Path | Image.Image | np.ndarray


class Embedder(LoadedModel):
    """A trained model with its preprocessing, ready for inference.

    Attributes are those of `LoadedModel`.
    """

    def embed(
        self,
        images: ImageLike | Iterable[ImageLike] | Tensor,
        cameras: Names | None = None,
        views: Names | None = None,
        *,
        attributes: Mapping[str, Sequence[str]] | None = None,
        prompt: str | None = None,
        flip: bool = False,
        batch_size: int = BATCH_SIZE,
        progress: Progress | None = None,
    ) -> Tensor:
        """Turn images into retrieval vectors.

        Args:
            images: Paths, Pillow images or (H, W, 3) arrays; one or many, decoded in parallel. Or a
                tensor (N, 3, H, W) of the model's size, taken as already normalised.
            cameras: Camera of each image, as the training data name it ("gate6", or 6 for "6");
                None where unknown, as is every camera that did not train. A model that was trained
                on several data sets takes pairs of data set and camera, and the camera alone where
                only one of them has it. Only models with camera embeddings read it.
            views: View of each image, likewise; or the value of the attribute, such as
                "palmar right", for a model trained with `sie.attribute`.
            attributes: Attribute to its value for each image, for a model whose sentences name
                attributes of the image. None, where they are unknown, averages over all sentences.
            prompt: Kind of sentence of a model with a sentence per image: "composed" with a word
                computed from the image, "simplified" without, which is faster; None for what the
                recipe chose.
            flip: Average each vector with that of the mirrored image. Costs a second pass.
            batch_size: Images per forward pass.
            progress: Where to report; None for silence.

        Returns:
            (N, width) float32 rows of length 1, on the CPU.

        Raises:
            DataError: An image cannot be read, there are not as many cameras, views or values of an
                attribute as images, or the model has no sentence with these values.
            ModelError: A tensor has another size than the model takes.
            ConfigError: `prompt` is unknown, or the model has no sentence per image.

        Example:
            >>> vectors = model.embed(["photos/000/0.png", "photos/000/1.png"])
            >>> bool(vectors[0] @ vectors[1] > 0.5)
            True
        """
        if isinstance(images, str | Path | Image.Image | np.ndarray):
            images = [images]
        source = images if isinstance(images, Tensor) else self._open(images)
        sides = {"cameras": cameras, "views": views, "attributes": attributes}
        return self.embed_source(
            source,
            find_named_sides(self.model, self.info, len(source), **sides),
            title="embedding images",
            batch_size=batch_size,
            flip=flip,
            prompt=prompt,
            progress=progress,
        )

    def embed_boxes(
        self,
        frame: ImageLike,
        boxes: ArrayLike,
        *,
        bgr: bool = True,
        camera: Name = None,
        view: Name = None,
        batch_size: int = BATCH_SIZE,
    ) -> Tensor:
        """Embed what lies in the boxes of a frame of a video.

        Corners are rounded and clipped, as supervision does it.

        Args:
            frame: An array (H, W, 3) as OpenCV reads it, with blue first; or a file or a Pillow
                image, which say themselves which colour is which.
            boxes: (N, 4) left, top, right, bottom, in pixels.
            bgr: Whether an array has blue first; False for RGB, as `embed` takes arrays.
            camera: Camera of the frame, as in `embed`.
            view: View of all boxes, likewise.
            batch_size: Images per forward pass.

        Returns:
            (N, width) float32 rows of length 1, on the CPU; zeros for a box that holds no pixel,
            because it is empty or lies outside.

        Raises:
            DataError: The boxes are no (N, 4) numbers, or the frame cannot be read.
        """
        crops = crop_boxes(frame, boxes, bgr=bgr)
        vectors = torch.zeros(crops.count, self.width)
        cameras, views = ([name] * len(crops.rows) for name in (camera, view))
        rows = torch.from_numpy(crops.rows)
        vectors[rows] = self.embed(crops.images, cameras, views, batch_size=batch_size)
        return vectors

    def embed_detections(self, frame: ImageLike, detections: Any, **options: Any) -> Tensor:
        """Embed detections of supervision, which then hold the vectors, too.

        They stand in `detections.data["embedding"]`, where they go through filters and trackers.

        Args:
            frame: As in `embed_boxes`.
            detections: A `supervision.Detections`, or anything with `xyxy` and `data`.
            options: Further arguments of `embed_boxes`.

        Returns:
            (N, width), as `embed_boxes` gives them.
        """
        vectors = self.embed_boxes(frame, detections.xyxy, **options)
        detections.data["embedding"] = vectors.numpy()
        return vectors

    def for_reid(self) -> ReIDBackbone:
        """Return an encoder for `reid.ReIDModel` of Roboflow, which shares the model's weights.

        Example:
            backbone = model.for_reid()
            ReIDModel(backbone, model.device, ReIDPreprocessing(**backbone.preprocessing))
        """
        return ReIDBackbone(self.model, self.preprocess)

    def embed_source(
        self,
        source: ImageStore | Tensor,
        rows: SideRows,
        *,
        title: str,
        batch_size: int = BATCH_SIZE,
        flip: bool = False,
        prompt: str | None = None,
        progress: Progress | None = None,
    ) -> Tensor:
        """Embed the N images of a source, beside each of which go some rows of the model's tables.

        A source is a store of images resized with the test filter, or (N, 3, H, W), taken as
        already normalised. The title is what is reported; the other arguments are those of `embed`.

        Returns:
            (N, width) float32 rows of length 1, on the CPU.

        Raises:
            UnreadableImage: An image cannot be decoded.
            ConfigError: `prompt` is unknown, or the model has no sentence per image.
        """
        if not len(source):
            return torch.empty(0, self.width)

        def encode(numbers: Tensor, images: Tensor) -> Tensor:
            sides = rows.at(numbers, self.device)
            return embed_images(self.model, images, *sides, flip=flip, prompt=prompt)

        return encode_source(
            self.model,
            source,
            self.preprocess,
            encode,
            width=self.width,
            title=title,
            batch_size=batch_size,
            progress=progress,
        )

    def batches(
        self,
        source: ImageStore | Tensor,
        *,
        title: str,
        batch_size: int = BATCH_SIZE,
        progress: Progress | None = None,
    ) -> Iterator[tuple[Tensor, Tensor]]:
        """Give the images of a source in batches on the model's device, as `image_batches` does."""
        return image_batches(
            source,
            self.preprocess,
            device=self.device,
            title=title,
            batch_size=batch_size,
            progress=progress,
        )

    def same(
        self,
        first: ImageLike,
        second: ImageLike,
        *,
        cameras: Sequence[Name] | None = None,
        views: Sequence[Name] | None = None,
        attributes: Mapping[str, Sequence[str]] | None = None,
    ) -> PairComparison:
        """Say whether two images show one identity.

        The threshold is that of the checkpoint, or of `with_threshold`, chosen on validation
        pairs. It stands for the false accept rate on those pairs; on images of another kind the
        rate may be another, and where they show identities that training has seen (the answer's
        `source` says so) strangers are accepted more often.

        Args:
            first: An image.
            second: Another.
            cameras: The two cameras, as in `embed`.
            views: The two views, as in `embed`.
            attributes: Two values of each attribute, as in `embed`.

        Returns:
            Score, threshold, what that rests on, and how many strangers score so high; true where
            the images show one identity.

        Raises:
            WeightsError: The checkpoint has no threshold.
            DataError: As for `embed`.
        """
        if self.threshold is None:
            raise WeightsError(NO_THRESHOLD)
        pair = self.embed([first, second], cameras, views, attributes=attributes)
        return self.threshold.compare(float(pair[0] @ pair[1]))

    def embed_text(self, sentences: str | Sequence[str], *, batch_size: int = 256) -> Tensor:
        """Turn sentences into vectors of the joint image-text space.

        They compare with an image's `projected` feature, so with `embed` only for models whose
        embedding is that feature alone, such as zero-shot ones.

        Args:
            sentences: One or many.
            batch_size: Sentences per forward pass.

        Returns:
            (N, d) float32 rows of length 1, on the CPU.

        Raises:
            ConfigError: A sentence is too long.
            WeightsError: The weights came without word embeddings.
        """
        sentences = [sentences] if isinstance(sentences, str) else list(sentences)
        backbone = self.model.backbone
        texts = encode_sentences(backbone.text, backbone.tokenizer, sentences, chunk=batch_size)
        return F.normalize(texts.float(), dim=1).cpu()

    def _open(self, images: Iterable[ImageLike]) -> ImageStore:
        """Open images for the test transform; none is read yet."""
        opened = [Path(image) if isinstance(image, str) else image for image in images]
        size, interpolation = self.preprocess.image_size, self.preprocess.test_interpolation
        return ImageStore(opened, size, interpolation, cache=False, disk=None)
