"""Background panoramas: the ground, what stands behind it, and the clutter between them.

A panorama shows one camera's surroundings, wider than a crop, so that each picture can be cut
from another part of it.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from promptreid.synth.drawing.noise import noise_between_nodes

HEIGHT, WIDTH = 320, 720
"""Size of a panorama in pixels; a person in it is about 200 pixels tall."""

Rgb = tuple[float, float, float]


def draw_scene(
    rng: np.random.Generator,
    *,
    ground: str,
    ground_rgb: Rgb,
    backdrop: str,
    backdrop_rgb: Rgb,
    props: Sequence[str],
    horizon: float,
) -> np.ndarray:
    """Render a panorama.

    Args:
        rng: Places everything.
        ground: "paving", "asphalt", "tiles", "snow", "sand", "leaves" or "crossing".
        ground_rgb: Colour of the ground.
        backdrop: "wall", "brick", "trees", "shops", "doorways", "sea", "lights" or "panels".
        backdrop_rgb: Colour of the backdrop.
        props: Names of clutter: "bikes", "bushes", "cars", "poles", "crowd", "posters",
            "benches", "heaps", "grass", "kerb".
        horizon: Where ground meets backdrop, as a share of the height.

    Returns:
        (320, 720, 3) uint8.
    """
    edge = int(HEIGHT * horizon)
    picture = Image.new("RGB", (WIDTH, HEIGHT), _rgb(backdrop_rgb))
    pen = ImageDraw.Draw(picture)
    _BACKDROPS[backdrop](pen, rng, edge, backdrop_rgb)
    pen.rectangle((0, edge, WIDTH, HEIGHT), fill=_rgb(ground_rgb))
    _draw_ground(pen, rng, edge, ground, ground_rgb)
    for name in props:
        _PROPS[name](pen, rng, edge, ground_rgb)
    picture = picture.filter(ImageFilter.GaussianBlur(0.7))
    pixels = np.asarray(picture, np.float32)
    grain = 0.022 * noise_between_nodes(rng, (HEIGHT, WIDTH), (160, 360), deviation=1.3)
    patches = 0.05 * noise_between_nodes(rng, (HEIGHT, WIDTH), (8, 12), deviation=1.3)
    return np.clip(pixels * (1.0 + grain + patches)[..., None], 0, 255).astype(np.uint8)


def _rgb(colour: Sequence[float], factor: float = 1.0) -> tuple[int, int, int]:
    red, green, blue = (int(np.clip(value * factor, 0, 255)) for value in colour)
    return red, green, blue


def _vivid(rng: np.random.Generator) -> tuple[int, int, int]:
    return _rgb(rng.uniform(20, 235, 3).tolist())


def _draw_ground(
    pen: ImageDraw.ImageDraw, rng: np.random.Generator, edge: int, kind: str, colour: Rgb
) -> None:
    joint = {"paving": 0.8, "tiles": 0.86}.get(kind)
    if joint is not None:
        # Rows of slabs grow towards the viewer; columns meet far above the picture.
        y, step = float(edge), 4.0
        while y < HEIGHT:
            pen.line((0, y, WIDTH, y), fill=_rgb(colour, joint), width=1)
            y, step = y + step, step * 1.22
        for x in range(-WIDTH, 2 * WIDTH, 34):
            pen.line((WIDTH / 2 + (x - WIDTH / 2) * 0.7, edge, x, HEIGHT), fill=_rgb(colour, joint))
    elif kind == "crossing":
        for x in range(0, WIDTH, 90):
            corners = [(x + 10, HEIGHT), (x + 60, HEIGHT), (x + 48, edge + 30), (x + 16, edge + 30)]
            pen.polygon(corners, fill=_rgb((205, 205, 200)))
    else:
        speck = {"asphalt": 0.9, "snow": 0.95, "sand": 0.93, "leaves": 1.0}[kind]
        for _ in range(500):
            x, y = rng.uniform(0, WIDTH), rng.uniform(edge, HEIGHT)
            size = 0.5 + 3.5 * (y - edge) / HEIGHT
            shade = _rgb(colour, rng.uniform(2 * speck - 1.05, 1.06))
            if kind == "leaves":
                shade = _rgb((190, 110, 40), rng.uniform(0.5, 1.2))
            pen.ellipse((x - 2 * size, y - size, x + 2 * size, y + size), fill=shade)


def _wall(pen: ImageDraw.ImageDraw, rng: np.random.Generator, edge: int, colour: Rgb) -> None:
    step = int(rng.integers(60, 130))
    for x in range(int(rng.integers(step)), WIDTH, step):
        pen.line((x, 0, x, edge), fill=_rgb(colour, 0.8), width=2)
    pen.rectangle((0, edge - 14, WIDTH, edge), fill=_rgb(colour, 0.65))


def _brick(pen: ImageDraw.ImageDraw, rng: np.random.Generator, edge: int, colour: Rgb) -> None:
    for row, y in enumerate(range(0, edge, 9)):
        for x in range(-12 * (row % 2), WIDTH, 24):
            pen.rectangle((x, y, x + 22, y + 7), fill=_rgb(colour, rng.uniform(0.85, 1.15)))


def _trees(pen: ImageDraw.ImageDraw, rng: np.random.Generator, edge: int, colour: Rgb) -> None:
    pen.rectangle((0, 0, WIDTH, edge), fill=_rgb(colour, 0.4))
    for _ in range(9):
        x, thick = rng.uniform(0, WIDTH), rng.uniform(3, 9)
        pen.rectangle(
            (x - thick, edge * 0.2, x + thick, edge + 6),
            fill=_rgb((70, 58, 50), rng.uniform(0.5, 1.3)),
        )
    # Clumps of leaves, lit from above.
    for _ in range(70):
        x, y, spread = rng.uniform(0, WIDTH), rng.uniform(-10, edge), rng.uniform(10, 30)
        glow = rng.uniform(0.5, 1.25)
        for dx, dy in rng.normal(0, 0.5, (24, 2)) * spread:
            size = rng.uniform(2, 6)
            leaf = _rgb(colour, glow * (1.0 - 0.4 * dy / spread) * rng.uniform(0.7, 1.3))
            pen.ellipse(
                (x + dx - size, y + 0.7 * dy - size, x + dx + size, y + 0.7 * dy + size), fill=leaf
            )


def _shops(pen: ImageDraw.ImageDraw, rng: np.random.Generator, edge: int, colour: Rgb) -> None:
    x = 0.0
    while x < WIDTH:
        wide = rng.uniform(60, 150)
        pen.rectangle((x, 0, x + wide, edge), fill=_rgb(colour, rng.uniform(0.35, 1.2)))
        pen.rectangle((x, edge * 0.08, x + wide, edge * 0.22), fill=_vivid(rng))
        for _ in range(7):
            left, top = x + rng.uniform(4, wide), rng.uniform(edge * 0.3, edge * 0.85)
            pen.rectangle(
                (left, top, left + rng.uniform(4, 18), top + rng.uniform(6, 30)), fill=_vivid(rng)
            )
        pen.rectangle((x, 0, x + 4, edge), fill=_rgb(colour, 0.5))
        x += wide


def _doorways(pen: ImageDraw.ImageDraw, rng: np.random.Generator, edge: int, colour: Rgb) -> None:
    x = rng.uniform(0, 60)
    while x < WIDTH:
        wide = rng.uniform(70, 170)
        pen.rectangle((x, 10, x + wide, edge), fill=(26, 26, 30))
        pen.rectangle((x, 10, x + wide, edge), outline=_rgb(colour, 1.15), width=4)
        pen.line((x + wide / 2, 10, x + wide / 2, edge), fill=_rgb(colour, 0.6), width=3)
        x += wide + rng.uniform(20, 120)


def _sea(pen: ImageDraw.ImageDraw, rng: np.random.Generator, edge: int, colour: Rgb) -> None:
    pen.rectangle((0, 0, WIDTH, edge * 0.45), fill=_rgb((178, 206, 228)))
    for y in range(int(edge * 0.45), edge, 3):
        pen.line((0, y, WIDTH, y), fill=_rgb(colour, rng.uniform(0.9, 1.2)), width=2)


def _lights(pen: ImageDraw.ImageDraw, rng: np.random.Generator, edge: int, colour: Rgb) -> None:
    for x in range(0, WIDTH, 55):
        pen.rectangle((x, 0, x + 50, edge), fill=_rgb(colour, rng.uniform(0.5, 1.4)))
    for _ in range(60):
        x, y, size = rng.uniform(0, WIDTH), rng.uniform(0, edge), rng.uniform(2, 8)
        glow = ((255, 214, 140), (255, 240, 210), (240, 80, 60), (120, 170, 255))[
            int(rng.integers(4))
        ]
        pen.ellipse((x - size, y - size, x + size, y + size), fill=glow)


def _panels(pen: ImageDraw.ImageDraw, rng: np.random.Generator, edge: int, colour: Rgb) -> None:
    for y in range(0, edge, 14):
        for x in range(0, WIDTH, 20):
            pen.rectangle((x, y, x + 18, y + 12), fill=_rgb(colour, rng.uniform(0.93, 1.05)))
    pen.rectangle((0, edge * 0.5, WIDTH, edge * 0.58), fill=_vivid(rng))


def _bikes(pen: ImageDraw.ImageDraw, rng: np.random.Generator, edge: int, _tone: Rgb) -> None:
    for _ in range(26):
        x, y, size = rng.uniform(0, WIDTH), edge + rng.uniform(-4, 46), rng.uniform(22, 34)
        ink = _rgb((34, 34, 38), rng.uniform(0.6, 1.8))
        frame = _vivid(rng) if rng.random() < 0.5 else ink
        for hub in (x, x + 2.1 * size):
            pen.ellipse((hub - size, y - size, hub + size, y + size), outline=ink, width=3)
        seat, bar = (x + 0.7 * size, y - 1.5 * size), (x + 1.8 * size, y - 1.7 * size)
        pedal = (x + size, y)
        for start, end in (((x, y), seat), (seat, pedal), (pedal, bar), (bar, (x + 2.1 * size, y)),
                           ((x, y), pedal)):  # fmt: skip
            pen.line((*start, *end), fill=frame, width=3)
        pen.rectangle((bar[0], bar[1], bar[0] + 16, bar[1] + 12), outline=ink, width=2)


def _bushes(pen: ImageDraw.ImageDraw, rng: np.random.Generator, edge: int, _tone: Rgb) -> None:
    for _ in range(900):
        x, y, size = rng.uniform(0, WIDTH), edge + rng.normal(-4, 12), rng.uniform(2, 5)
        leaf = _rgb((58, 84, 50), rng.uniform(0.4, 1.5))
        pen.ellipse((x - size, y - size, x + size, y + size), fill=leaf)


def _cars(pen: ImageDraw.ImageDraw, rng: np.random.Generator, edge: int, _tone: Rgb) -> None:
    for _ in range(3):
        x, y = rng.uniform(-60, WIDTH), edge + rng.uniform(6, 24)
        paint = ((214, 214, 216), (30, 32, 36), (120, 124, 130), (150, 30, 34))[
            int(rng.integers(4))
        ]
        pen.rounded_rectangle((x, y - 55, x + 230, y), radius=16, fill=paint)
        pen.polygon(
            [(x + 40, y - 52), (x + 70, y - 92), (x + 165, y - 92), (x + 195, y - 52)], fill=paint
        )
        pen.polygon(
            [(x + 54, y - 54), (x + 76, y - 86), (x + 160, y - 86), (x + 182, y - 54)],
            fill=(40, 48, 58),
        )
        for hub in (x + 50, x + 180):
            pen.ellipse((hub - 20, y - 20, hub + 20, y + 20), fill=(24, 24, 26))


def _poles(pen: ImageDraw.ImageDraw, rng: np.random.Generator, edge: int, _tone: Rgb) -> None:
    for _ in range(5):
        x, thick = rng.uniform(0, WIDTH), rng.uniform(2, 5)
        grey = _rgb((130, 132, 136), rng.uniform(0.4, 1.4))
        pen.rectangle((x - thick, 0, x + thick, edge + rng.uniform(4, 60)), fill=grey)


def _crowd(pen: ImageDraw.ImageDraw, rng: np.random.Generator, edge: int, _tone: Rgb) -> None:
    for _ in range(8):
        x, y, tall = rng.uniform(0, WIDTH), edge + rng.uniform(4, 50), rng.uniform(110, 170)
        wide = 0.13 * tall
        pen.rectangle(
            (x - 0.7 * wide, y - 0.5 * tall, x + 0.7 * wide, y),
            fill=_rgb((44, 46, 56), rng.uniform(0.5, 2)),
        )
        top = (x - wide, y - 0.84 * tall, x + wide, y - 0.45 * tall)
        pen.rounded_rectangle(top, radius=int(0.5 * wide), fill=_vivid(rng))
        head = 0.07 * tall
        pen.ellipse((x - head, y - tall, x + head, y - tall + 2.4 * head), fill=(60, 48, 42))


def _posters(pen: ImageDraw.ImageDraw, rng: np.random.Generator, edge: int, _tone: Rgb) -> None:
    for _ in range(7):
        x, y = rng.uniform(0, WIDTH), rng.uniform(0, edge * 0.5)
        pen.rectangle((x, y, x + rng.uniform(30, 80), y + rng.uniform(30, 70)), fill=_vivid(rng))


def _benches(pen: ImageDraw.ImageDraw, rng: np.random.Generator, edge: int, _tone: Rgb) -> None:
    for _ in range(4):
        x, y = rng.uniform(0, WIDTH), edge + rng.uniform(10, 40)
        for up in (0, 12, 24):
            pen.rectangle((x, y - 20 - up, x + 110, y - 13 - up), fill=(112, 82, 56))
        for leg in (x + 8, x + 100):
            pen.rectangle((leg, y - 20, leg + 5, y), fill=(48, 48, 50))


def _heaps(pen: ImageDraw.ImageDraw, rng: np.random.Generator, edge: int, ground: Rgb) -> None:
    for _ in range(26):
        x, y, size = rng.uniform(0, WIDTH), edge + rng.uniform(-4, 16), rng.uniform(20, 60)
        pen.ellipse(
            (x - size, y - size * 0.45, x + size, y + size * 0.3),
            fill=_rgb(ground, rng.uniform(0.88, 1.06)),
        )


def _grass(pen: ImageDraw.ImageDraw, rng: np.random.Generator, edge: int, _tone: Rgb) -> None:
    deep = rng.uniform(10, 50)
    pen.rectangle((0, edge - 4, WIDTH, edge + deep), fill=(96, 134, 62))
    for _ in range(500):
        x, y = rng.uniform(0, WIDTH), edge + rng.uniform(-6, deep)
        pen.line((x, y, x + 2, y - 6), fill=_rgb((92, 136, 58), rng.uniform(0.6, 1.4)), width=2)


def _kerb(pen: ImageDraw.ImageDraw, rng: np.random.Generator, edge: int, ground: Rgb) -> None:
    y = edge + rng.uniform(16, 70)
    colour = ((178, 70, 52), (200, 180, 60), _rgb(ground, 1.2))[int(rng.integers(3))]
    pen.polygon([(0, y), (WIDTH, y + 10), (WIDTH, y + 24), (0, y + 12)], fill=colour)


_BACKDROPS = {
    "wall": _wall,
    "brick": _brick,
    "trees": _trees,
    "shops": _shops,
    "doorways": _doorways,
    "sea": _sea,
    "lights": _lights,
    "panels": _panels,
}
_PROPS = {
    "bikes": _bikes,
    "bushes": _bushes,
    "cars": _cars,
    "poles": _poles,
    "crowd": _crowd,
    "posters": _posters,
    "benches": _benches,
    "heaps": _heaps,
    "grass": _grass,
    "kerb": _kerb,
}
