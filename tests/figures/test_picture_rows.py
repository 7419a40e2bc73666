"""Rows of captioned pictures."""

import numpy as np
from matplotlib.text import Text

from promptreid.figures.picture_rows import CaptionedPicture, PictureRow, picture_rows_figure

TALL, WIDE = np.zeros((60, 30, 3), np.uint8), np.full((30, 60, 3), 255, np.uint8)


def words(figure):
    return [text.get_text() for text in figure.findobj(Text) if text.get_text()]


def test_every_picture_has_a_cell_and_its_words():
    rows = [
        PictureRow(
            "who.jpg: anna",
            (
                CaptionedPicture(TALL, ("anna", "0.91"), marked=True),
                CaptionedPicture(None, ("ben",)),
            ),
            asked=CaptionedPicture(TALL, ("who.jpg",)),
        ),
        PictureRow("", (CaptionedPicture(WIDE, ("a very long name of a file.jpg",)),)),
    ]
    figure = picture_rows_figure(rows, note="numbers are cosines")
    assert len(figure.axes) == 4
    shown = words(figure)
    for word in ("who.jpg: anna", "anna", "0.91", "ben", "who.jpg", "numbers are cosines"):
        assert word in shown
    assert any(word.startswith("…") and word.endswith("file.jpg") for word in shown)
    assert any("not there" in word for word in shown)
    widths = [axes.spines["left"].get_linewidth() for axes in figure.axes]
    assert widths.index(max(widths)) == 1  # the marked one


def test_no_cell_lies_over_another_or_beyond_the_page():
    rows = [
        PictureRow(f"row {row}", tuple(CaptionedPicture(TALL, ("x", "y")) for _ in range(5)))
        for row in range(3)
    ]
    figure = picture_rows_figure(rows)
    boxes = [axes.get_position() for axes in figure.axes]
    assert all(0 <= box.x0 < box.x1 <= 1 and 0 <= box.y0 < box.y1 <= 1 for box in boxes)
    for number, box in enumerate(boxes):
        assert not any(box.overlaps(other) for other in boxes[number + 1 :])
