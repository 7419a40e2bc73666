"""Sites where synthetic people are seen: each has its own look, season and set of cameras."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from promptreid.errors import ConfigError
from promptreid.synth.people.people_scene import Rgb, draw_scene


@dataclass(frozen=True)
class Site:
    """The look of a place before its cameras: surroundings, light, and how captions call it."""

    name: str
    phrase: str
    season: str
    grounds: tuple[tuple[str, Rgb], ...]
    backdrops: tuple[tuple[str, Rgb], ...]
    props: tuple[str, ...]
    exposure: float
    contrast: float
    tint: Rgb
    saturation: float
    ambient: float
    noise: float
    shadow: float
    falling: str = ""


@dataclass(frozen=True, eq=False)
class PersonCamera:
    """One camera of a site.

    `scene` is its (320, 720, 3) uint8 panorama, `tint` multiplies red, green and blue, `pitch` is
    the downward look in radians, `blur` the resolution kept (1 is sharp), `light` the azimuth of
    the lamp in radians, `noise` the deviation of sensor noise in grey levels.
    """

    scene: np.ndarray
    tint: Rgb
    exposure: float
    gamma: float
    saturation: float
    lift: float
    pitch: float
    blur: float
    light: float
    noise: float
    quality: int


@dataclass(frozen=True, eq=False)
class PersonDomain:
    """A site with its cameras; pictures of one domain resemble each other."""

    name: str
    index: int
    seed: int
    site: Site
    cameras: tuple[PersonCamera, ...] = field(repr=False)

    @property
    def season(self) -> str:
        """Which garments are usual here: "any", "summer" or "winter"."""
        return self.site.season


SITES = (
    Site(
        "sunny campus", "on a sunny campus", "summer",
        (("paving", (134, 132, 128)), ("asphalt", (104, 104, 106)), ("paving", (142, 124, 114))),
        (("trees", (70, 92, 52)), ("doorways", (110, 110, 112)), ("wall", (150, 150, 148))),
        ("bikes", "grass", "kerb", "bushes", "poles"),
        1.02, 1.05, (1.03, 1.0, 0.95), 0.85, 0.45, 1.8, 0.5,
    ),
    Site(
        "indoor mall", "in an indoor mall", "any",
        (("tiles", (212, 198, 176)), ("tiles", (222, 216, 206))),
        (("shops", (196, 176, 150)), ("panels", (214, 204, 188))),
        ("posters", "crowd", "poles"),
        1.04, 0.92, (1.08, 1.0, 0.84), 1.0, 0.72, 4.0, 0.22,
    ),
    Site(
        "night street", "on a street at night", "any",
        (("asphalt", (66, 62, 64)), ("paving", (78, 72, 68))),
        (("lights", (34, 34, 46)), ("shops", (58, 50, 48))),
        ("cars", "poles"),
        0.8, 1.1, (1.14, 0.95, 0.76), 0.8, 0.42, 11.0, 0.3,
    ),
    Site(
        "snowy square", "on a snowy square", "winter",
        (("snow", (226, 232, 240)), ("snow", (214, 222, 234))),
        (("wall", (170, 178, 192)), ("trees", (118, 124, 130)), ("brick", (140, 112, 104))),
        ("heaps", "poles", "benches"),
        1.12, 0.88, (0.92, 0.99, 1.12), 0.75, 0.7, 4.0, 0.2, "snow",
    ),
    Site(
        "subway station", "in a subway station", "any",
        (("tiles", (120, 130, 122)), ("tiles", (100, 108, 106))),
        (("panels", (168, 190, 172)), ("panels", (150, 168, 160))),
        ("posters", "kerb", "crowd"),
        0.86, 1.0, (0.92, 1.08, 0.94), 0.8, 0.68, 7.0, 0.2,
    ),
    Site(
        "beach promenade", "by the sea", "summer",
        (("sand", (222, 200, 158)), ("paving", (206, 192, 164))),
        (("sea", (70, 136, 176)),),
        ("benches", "poles"),
        1.18, 1.05, (1.02, 1.0, 0.97), 1.2, 0.5, 2.5, 0.55,
    ),
    Site(
        "autumn park", "in a park in autumn", "any",
        (("leaves", (132, 98, 58)), ("leaves", (112, 96, 70))),
        (("trees", (188, 116, 44)), ("trees", (164, 132, 52))),
        ("benches", "poles"),
        0.95, 1.0, (1.1, 0.99, 0.82), 1.08, 0.6, 3.5, 0.3,
    ),
    Site(
        "rainy crossing", "on a wet street", "winter",
        (("crossing", (82, 88, 98)), ("asphalt", (92, 98, 108))),
        (("shops", (92, 98, 110)), ("wall", (112, 118, 128))),
        ("cars", "crowd", "poles"),
        0.82, 0.82, (0.9, 0.98, 1.1), 0.65, 0.75, 6.0, 0.15, "rain",
    ),
)  # fmt: skip


def domain(index: int, *, seed: int = 0, cameras: int = 6) -> PersonDomain:
    """Build a site and its cameras.

    Args:
        index: Which site: 0 sunny campus, 1 indoor mall, 2 night street, 3 snowy square, 4 subway
            station, 5 beach promenade, 6 autumn park, 7 rainy crossing; from 8 on the same kinds
            of place with other colours of light and other surroundings.
        seed: Draws the surroundings and the cameras' errors.
        cameras: How many cameras look at it.

    Returns:
        The domain; the same arguments give the same one.

    Raises:
        ConfigError: `index` or `seed` is negative, or there is no camera.
    """
    if index < 0 or seed < 0 or cameras < 1:
        raise ConfigError(
            f"A synthetic site needs index >= 0, seed >= 0 and cameras >= 1, "
            f"but got index {index}, seed {seed} and cameras {cameras}."
        )
    site, again = SITES[index % len(SITES)], index // len(SITES)
    name = site.name if again == 0 else f"{site.name} {again + 1}"
    shift = np.ones(3)
    if again:
        shift = np.random.default_rng([7, index]).uniform(0.82, 1.18, 3)
    views = tuple(
        _camera(np.random.default_rng([11, seed, index, number]), site, shift)
        for number in range(cameras)
    )
    return PersonDomain(name, index, seed, site, views)


def _camera(rng: np.random.Generator, site: Site, shift: np.ndarray) -> PersonCamera:
    ground, ground_rgb = site.grounds[int(rng.integers(len(site.grounds)))]
    backdrop, backdrop_rgb = site.backdrops[int(rng.integers(len(site.backdrops)))]
    props = [name for name in site.props if rng.random() < 0.65]
    pitch = float(rng.uniform(0.02, 0.3))
    scene = draw_scene(
        rng,
        ground=ground,
        ground_rgb=_jitter(rng, ground_rgb),
        backdrop=backdrop,
        backdrop_rgb=_jitter(rng, backdrop_rgb),
        props=props,
        # A camera that looks down sees more ground.
        horizon=float(0.5 - 0.8 * pitch + rng.uniform(-0.05, 0.05)),
    )
    # White balance errs mostly between blue and orange, less between green and purple.
    warm, green = rng.normal(0, 0.075), rng.normal(0, 0.025)
    cast = np.asarray(site.tint) * shift * np.exp((warm, green, -warm))
    gains: Rgb = tuple((cast / cast.mean()).tolist())
    return PersonCamera(
        scene=scene,
        tint=gains,
        exposure=float(site.exposure * np.exp(rng.normal(0, 0.12))),
        gamma=float(np.exp(rng.normal(0.05, 0.13))),
        saturation=float(np.clip(site.saturation * rng.uniform(0.7, 1.15), 0.2, 1.4)),
        lift=float(rng.uniform(0, 34)) + 26.0 * max(0.0, 1.0 - site.contrast),
        pitch=pitch,
        blur=float(rng.uniform(0.45, 1.0)),
        light=float(rng.uniform(-np.pi, np.pi)),
        noise=float(site.noise * rng.uniform(0.5, 1.5)),
        quality=int(rng.integers(80, 95)),
    )


def _jitter(rng: np.random.Generator, colour: Rgb) -> Rgb:
    red, green, blue = np.clip(
        np.asarray(colour) * rng.uniform(0.85, 1.12) * rng.uniform(0.95, 1.05, 3), 0, 255
    )
    return float(red), float(green), float(blue)
