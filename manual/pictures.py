"""Draws the pictures of the concepts: `python -m manual.pictures [FOLDER]`, some minutes.

People are rendered, and scores are those of a model that was trained on rendered people. Each
picture is drawn for light paper, as `NAME.png`, and for dark paper, as `NAME-dark.png`.
"""

from __future__ import annotations

import sys
from itertools import combinations
from pathlib import Path
from typing import Any

from PIL import Image
from PIL.PngImagePlugin import PngInfo
from torch import Tensor

import promptreid
from promptreid.data.dataset import DataSet
from promptreid.data.images.decode import read_image
from promptreid.data.load_data import load_data
from promptreid.evaluation import TestSet
from promptreid.figures.draw_scores import draw_pairs, draw_ranks
from promptreid.figures.drawn import Drawn
from promptreid.figures.style import DARK, LIGHT, Theme, themed_figure
from promptreid.inference.assess import assess
from promptreid.inference.embedder import Embedder
from promptreid.progress import Silent
from promptreid.synth.people.people import write_people
from promptreid.training.run.train import TrainRequest, train

IMAGES = Path(__file__).resolve().parents[1] / "docs" / "images"

_SHOWN = 24
"""Numbers of a vector that are drawn."""


def draw_all(work: Path) -> None:
    """Render people, train on them, and draw every picture into `docs/images`.

    Args:
        work: Folder of the pictures of people and of the run; what is there already is used.
    """
    spec = f"market1501:{work / 'people'}"
    if not (work / "people").exists():
        write_people(work / "people", identities=96, cameras=4, domain_index=1, seed=1)
    if not (work / "run").exists():
        request = TrainRequest("clip-reid/tiny", (), (spec,), work / "run", device="cpu")
        train(request, progress=Silent())
    embedder = promptreid.load(work / "run", device="cpu")
    assessed = {"trained model": assess(embedder, TestSet.of(spec))}
    for theme, ending in ((LIGHT, ".png"), (DARK, "-dark.png")):
        drawn = {
            "concept-vectors": _draw_vectors(embedder, load_data(spec), theme),
            "concept-ranks": draw_ranks(assessed, which="median", queries=3, top=8, theme=theme),
            "concept-split": _draw_split(theme),
            "concept-threshold": draw_pairs("histogram", assessed, theme=theme),
            "clip-reid-stages": _draw_stages(theme),
        }
        for name, picture in drawn.items():
            _save(picture, IMAGES / f"{name}{ending}")


def _save(picture: Drawn, path: Path) -> None:
    """Write a picture with 256 colours, which a page loads in a third of the time."""
    picture.save(path)
    with Image.open(path) as image:
        words = PngInfo()
        words.add_text("Description", image.info["Description"])
        image.convert("RGB").quantize(256).save(path, optimize=True, pnginfo=words)


def _draw_vectors(embedder: Embedder, data: DataSet, theme: Theme) -> Drawn:
    """Draw two photos of one person and one of another, their vectors, and the scores."""
    photos = _three_photos(data)
    vectors = embedder.embed(photos)
    limit = float(vectors[:, :_SHOWN].abs().max())
    with themed_figure(theme, (6.4, 3.0)) as figure:
        grid = figure.subplots(3, 2, width_ratios=(0.6, 5))
        names = ("Anna, first camera", "Anna, second camera", "Ben")
        for (photo, bars), path, vector, name in zip(grid, photos, vectors, names, strict=True):
            photo.imshow(read_image(path).permute(1, 2, 0).numpy())
            photo.axis("off")
            hue = theme.hues[0] if name.startswith("Anna") else theme.hues[4]
            bars.bar(range(_SHOWN), vector[:_SHOWN].tolist(), color=hue, width=0.7)
            bars.set(ylim=(-limit, limit), xticks=[], yticks=[])
            bars.set_title(name, loc="left", fontsize=9)
            bars.spines[:].set_visible(False)
        same, other = _cosine(vectors[0], vectors[1]), _cosine(vectors[0], vectors[2])
        words = (
            f"the two of Anna score {same:.2f}, Anna and Ben {other:.2f}; "
            f"the first {_SHOWN} of {vectors.shape[1]} numbers are drawn"
        )
        figure.supxlabel(words, fontsize=9)
    return Drawn(figure, f"Photos of two people and their vectors as bars: {words}.")


def _three_photos(data: DataSet) -> list[Path]:
    """Find two test photos of one identity by different cameras, and one of another identity."""
    rows = data.manifest
    tested = [row for row, split in enumerate(rows.splits) if split in ("query", "gallery")]
    for first, second in combinations(tested, 2):
        same = rows.identities[first] == rows.identities[second]
        if same and rows.cameras[first] != rows.cameras[second]:
            other = next(
                row for row in tested if rows.identities[row] not in (rows.identities[first], "0")
            )
            return [rows.root / rows.paths[row] for row in (first, second, other)]
    raise ValueError("The rendered people have no identity with photos of two cameras.")


def _cosine(first: Tensor, second: Tensor) -> float:
    return float(first @ second)


def _draw_split(theme: Theme) -> Drawn:
    """Draw how identities are divided."""
    boxes = [
        (0.0, 0.55, 0, "train", "the model learns from these"),
        (0.57, 0.13, 2, "held back", "choose the threshold"),
        (0.72, 0.28, 4, "test", "nobody here was seen in training"),
    ]
    with themed_figure(theme, (6.4, 1.9), layout=None) as figure:
        axes = figure.add_axes((0.02, 0.02, 0.96, 0.96))
        axes.set(xlim=(-0.005, 1.005), ylim=(0, 1))
        axes.axis("off")
        axes.text(0, 0.93, "all identities", fontsize=9, weight="bold", va="center")
        for left, width, hue, title, words in boxes:
            _box(axes, (left, 0.52, width, 0.3), title, theme, hue=hue)
            axes.text(left, 0.44, _broken(words, width), fontsize=8, va="top")
        for left, title in ((0.72, "query"), (0.865, "gallery")):
            _box(axes, (left, 0.02, 0.135, 0.22), title, theme, hue=4)
    alt = (
        "Identities divided in three: some train, some are held back to choose the threshold, some "
        "test; photos of the test identities are queries or gallery."
    )
    return Drawn(figure, alt)


def _broken(words: str, width: float) -> str:
    middle = len(words) // 2
    if width > 0.3:
        return words
    space = min((place for place, letter in enumerate(words) if letter == " "),
                key=lambda place: abs(place - middle))  # fmt: skip
    return f"{words[:space]}\n{words[space + 1 :]}"


def _draw_stages(theme: Theme) -> Drawn:
    """Draw the two stages of CLIP-ReID, what learns in each being filled."""
    stages = (
        ("first stage: words", ("words", "text tower", "image tower"), {"words"}),
        ("second stage: image tower", ("words", "text tower", "image tower"), {"image tower"}),
    )
    with themed_figure(theme, (6.4, 2.7), layout=None) as figure:
        for column, (title, parts, learning) in enumerate(stages):
            axes = figure.add_axes((0.01 + 0.5 * column, 0.02, 0.48, 0.96))
            axes.set(xlim=(0, 1), ylim=(0, 1))
            axes.axis("off")
            axes.text(0.02, 0.94, title, fontsize=10, weight="bold", va="center")
            axes.text(0.02, 0.79, "“A photo of a", fontsize=9, va="center")
            axes.text(0.71, 0.79, "person.”", fontsize=9, va="center")
            places = {parts[0]: (0.38, 0.7), parts[1]: (0.38, 0.4), parts[2]: (0.38, 0.02)}
            for part, (left, bottom) in places.items():
                verb = "learn" if part in learning else "stay"
                shown = f"{part}\n{verb}" if part == "words" else f"{part}\n{verb}s"
                _box(
                    axes,
                    (left, bottom, 0.3, 0.18),
                    shown,
                    theme,
                    hue=0 if part in learning else None,
                )
            axes.text(0.02, 0.11, "photos", fontsize=9, va="center")
            _arrow(axes, (0.53, 0.69), (0.53, 0.59), theme)
            _arrow(axes, (0.16, 0.11), (0.37, 0.11), theme)
            _arrow(axes, (0.69, 0.49), (0.82, 0.36), theme)
            _arrow(axes, (0.69, 0.11), (0.82, 0.24), theme)
            axes.text(0.84, 0.3, "alike?", fontsize=9, va="center")
    alt = (
        "Two stages. First the words of each person learn, while text tower and image tower stay; "
        "then the image tower learns, and words and text tower stay. Both times texts and photos "
        "of one person are made alike."
    )
    return Drawn(figure, alt)


def _box(
    axes: Any,
    place: tuple[float, float, float, float],
    title: str,
    theme: Theme,
    *,
    hue: int | None,
) -> None:
    """Draw a box with its title.

    Args:
        axes: Where to draw.
        place: Left, bottom, width and height.
        title: What stands in it.
        theme: Light or dark.
        hue: Number of the colour that fills it; None for an empty, dashed one.
    """
    from matplotlib.patches import FancyBboxPatch

    left, bottom, width, height = place
    filled = hue is not None
    colour = theme.hues[6 if hue is None else hue]
    axes.add_patch(FancyBboxPatch(
        (left, bottom), width, height, boxstyle="round,pad=0,rounding_size=0.02",
        facecolor=colour if filled else theme.paper, edgecolor=colour,
        linestyle="-" if filled else "--", linewidth=1.2,
    ))  # fmt: skip
    ink = theme.paper if filled else theme.ink
    middle = (left + width / 2, bottom + height / 2)
    axes.text(*middle, title, ha="center", va="center", fontsize=8.5, color=ink)


def _arrow(axes: Any, start: tuple[float, float], end: tuple[float, float], theme: Theme) -> None:
    style = {"arrowstyle": "->", "color": theme.faint, "linewidth": 1.2}
    axes.annotate("", xy=end, xytext=start, arrowprops=style)


if __name__ == "__main__":
    draw_all(Path(sys.argv[1] if len(sys.argv) > 1 else "build/manual/pictures-work"))
