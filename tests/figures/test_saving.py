"""Files of figures: their description, and equal bytes."""

import pytest
from matplotlib.figure import Figure
from PIL import Image

from promptreid.errors import ConfigError
from promptreid.figures.saving import save_figure


def drawn():
    figure = Figure(figsize=(6, 5))
    figure.subplots().plot([0, 1], [1, 0])
    return figure


@pytest.mark.parametrize("kind", ["png", "svg", "pdf"])
def test_files_hold_the_description_and_are_the_same_every_time(tmp_path, kind):
    alt = "two runs, the second tighter"
    for name in ("one", "two"):
        figure = drawn()
        save_figure(figure, tmp_path / "new" / f"{name}.{kind}", alt=alt)
    one, two = ((tmp_path / "new" / f"{name}.{kind}").read_bytes() for name in ("one", "two"))
    assert one == two
    if kind == "png":
        with Image.open(tmp_path / "new" / "one.png") as image:
            assert image.text["Description"] == alt
            assert min(image.size) > 600
    else:
        assert alt.encode() in one


def test_other_endings_are_refused(tmp_path):
    figure = drawn()
    with pytest.raises(ConfigError, match=r"\.png, \.svg, \.pdf"):
        save_figure(figure, tmp_path / "figure.bmp", alt="")
    assert not list(tmp_path.iterdir())
