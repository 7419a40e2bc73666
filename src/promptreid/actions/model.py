"""A trained model as people use it: pictures compared and searched, and shown."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path

import torch

from promptreid.actions.run_data_specs import path_of
from promptreid.actions.searches.picture_index import PictureIndex
from promptreid.evaluation.thresholds.threshold import PairComparison
from promptreid.figures.drawn import Drawn
from promptreid.figures.photographs import read_picture
from promptreid.figures.picture_rows import CaptionedPicture, PictureRow, picture_rows_figure
from promptreid.inference.device import pick_device
from promptreid.inference.embedder import Embedder, ImageLike
from promptreid.inference.load import read_weights
from promptreid.inference.named_sides import Name
from promptreid.progress import Progress
from promptreid.text.number_words import alike_digits

_LONGEST = 320  # pixels of the longer side of a picture that is shown


@dataclass(frozen=True, repr=False)
class ComparedPictures(PairComparison):
    """Whether two images show one identity, with the images. True where they do.

    Attributes:
        images: Both images.
    """

    images: tuple[ImageLike, ImageLike] = field(default=("", ""), kw_only=True, compare=False)

    def __repr__(self) -> str:
        return f"ComparedPictures({self})"

    def show(self, *, pixelate: bool = False) -> Drawn:
        """Draw both images beside each other, with the answer.

        Args:
            pixelate: Show them as coarse mosaics.

        Raises:
            ConfigError: Matplotlib is missing.
        """
        shown = [
            CaptionedPicture(
                read_picture(
                    Path(image) if isinstance(image, str) else image,
                    longest=_LONGEST,
                    pixelate=pixelate,
                ),
                (Path(image).name if isinstance(image, str | Path) else f"picture {number}",),
                marked=self.same,
            )
            for number, image in enumerate(self.images, start=1)
        ]
        digits = alike_digits((self.score, self.threshold))
        title = f"{'The same' if self.same else 'Not the same'}: score {self.score:.{digits}f}"
        rarity = f" {self.rarity[0].upper()}{self.rarity[1:]}." if self.rarity else ""
        note = f"The same from {self.threshold:.{digits}f} on.{rarity}"
        figure = picture_rows_figure([PictureRow(title, tuple(shown))], note=note)
        return Drawn(figure, f"Two pictures beside each other. {self}.")


class Model(Embedder):
    """A trained model with its pre-processing: it embeds, compares and searches pictures.

    `promptreid.load` gives one. Its attributes are those of `Embedder`.
    """

    def same(
        self,
        first: ImageLike,
        second: ImageLike,
        *,
        cameras: Sequence[Name] | None = None,
        views: Sequence[Name] | None = None,
        attributes: Mapping[str, Sequence[str]] | None = None,
    ) -> ComparedPictures:
        """Say whether two images show one identity, as `Embedder.same` does; `show()` draws it.

        Args:
            first: An image.
            second: Another.
            cameras: The two cameras, as in `embed`.
            views: The two views, as in `embed`.
            attributes: Two values of each attribute, as in `embed`.

        Raises:
            WeightsError: The model has no threshold.
            DataError: As for `embed`.

        Example:
            >>> answer = model.same("photos/000/0.png", "photos/000/1.png")
            >>> answer.same, answer.score >= answer.threshold
            (True, True)
        """
        compared = super().same(first, second, cameras=cameras, views=views, attributes=attributes)
        values = {one.name: getattr(compared, one.name) for one in fields(PairComparison)}
        return ComparedPictures(**values, images=(first, second))

    def index(
        self,
        place: str | os.PathLike[str],
        *,
        keep: bool = True,
        progress: Progress | None = None,
    ) -> PictureIndex:
        """Embed the pictures of a folder, or open a gallery, to search them.

        Vectors of a folder are kept in the user's cache: the next time only new and changed
        pictures are embedded.

        Args:
            place: A folder with one folder of pictures for each person, or with loose pictures; a
                data spec; or a gallery that this model made.
            keep: Whether the vectors of a folder are kept for the next time.
            progress: Where to report; None for lines on standard error.

        Raises:
            GalleryError: It is nothing that can be searched, no picture can be read, or another
                model made the vectors of the gallery.
            DataError: A data set is not there or cannot be used.

        Example:
            >>> index = model.index("photos")
            >>> index.search("photos/000/0.png", top=3)[0].answer.candidates[0].identity
            '000'
        """
        return PictureIndex.open(place, self, keep=keep, progress=progress)


def load(
    path: str | os.PathLike[str],
    device: str | torch.device | None = None,
    *,
    image_size: tuple[int, int] | None = None,
    views: int = 0,
    coefficient: float | None = None,
    precision: str = "fp32",
) -> Model:
    """Load a trained model for inference.

    Args:
        path: A run folder (its best checkpoint, else its last), a promptreid checkpoint, a
            published `.pth` of CLIP-ReID, TransReID or SOLIDER, a folder that `save_pretrained`
            wrote, or an address on the Hugging Face Hub, `hf:OWNER/NAME[@REVISION][:FILE]`.
        device: Where it computes; None for CUDA or MPS where there is one, else the CPU.
        image_size: Height and width a published `.pth` was trained with, where the file leaves it
            open.
        views: Number of views in a published `.pth`'s side-information table.
        coefficient: Factor on that table (`SIE_COE`), which the file does not hold; None for that
            of the published configurations, 1 of CLIP-ReID and 3 of TransReID.
        precision: "fp32"; "bf16" or "fp16" for embeddings that are computed several times as fast
            where these types are native; "auto" for what device and architecture are made for.

    Returns:
        The model, ready to embed.

    Raises:
        WeightsError: There is no such file, or it is none that is read.
        RunError: The checkpoint in a run folder is another run's.
        ConfigError: The device is not there, or the precision is unknown.
        ModelError: The architecture does not embed in 16 bits.

    Example:
        >>> import promptreid
        >>> model = promptreid.load("runs/mine", device="cpu")
        >>> model.embed(["photos/000/0.png", "photos/001/0.png"]).shape
        torch.Size([2, 128])
    """
    place = pick_device(None if device is None else str(device))
    path_of(path)
    model, info, checkpoint = read_weights(
        os.fspath(path), image_size=image_size, views=views, coefficient=coefficient
    )
    return Model(model, info, device=place, precision=precision, source=checkpoint)
