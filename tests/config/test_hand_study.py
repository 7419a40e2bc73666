"""The settings of the hand study, version by version, as they resolve."""

from itertools import pairwise

import pytest

from promptreid.config.recipes import load_recipe, recipe_names
from promptreid.config.schema import Recipe
from promptreid.config.stage import StageConfig
from promptreid.config.sweep import find_sweep, load_sweep
from promptreid.training.stage.schedule import learning_rate

VERSIONS = range(1, 12)
TRACKS = {"hand": "ViT-B-16", "hand-cnn": "RN50"}


def study(track: str, version: int) -> tuple[Recipe, StageConfig]:
    recipe = load_recipe(f"prompt-sg/{track}-v{version}")
    (stage,) = recipe.stages
    return recipe, stage


def rates(stage: StageConfig) -> list[float]:
    """The rate of each epoch; the same for all its steps."""
    found = []
    for epoch in range(1, stage.epochs + 1):
        steps = {
            learning_rate(
                stage.schedule,
                stage.optimizer.lr,
                epoch=epoch,
                epochs=stage.epochs,
                step=step,
                steps=3,
            )
            for step in range(3)
        }
        (rate,) = steps
        found.append(rate)
    return found


# Rate of the image tower, factor of everything else, decay, schedule, clipping, epochs, patience.
FAST = (1e-4, 0.1, 1e-4, "cosine", 5.0, 20, 3)
SETTINGS = {
    ("hand", 1): (1e-4, 0.1, 5e-4, "constant", 5.0, 20, 3),
    **{(track, version): FAST for track in TRACKS for version in (2, 3, 4, 5)},
    ("hand", 6): (2.2e-6, 1, 1e-4, "cosine", 1.0, 20, 3),
    ("hand", 7): (2.2e-6, 1, 1e-4, "cosine", 1.0, 20, 3),
    ("hand", 8): (2.2e-6, 1, 1e-4, "constant", 0.5, 20, 3),
    ("hand", 9): (2.2e-6, 1, 1e-4, "constant", 0.5, 60, 10),
    ("hand", 10): (2.2e-6, 1, 1e-4, "constant", 0.5, 60, 10),
    ("hand", 11): (2e-6, 1, 5e-4, "constant", 0.5, 60, 10),
    ("hand-cnn", 1): (1e-4, 0.1, 5e-4, "constant", 5.0, 20, 3),
    ("hand-cnn", 6): (1e-6, 1, 1e-4, "cosine", 1.0, 20, 3),
    ("hand-cnn", 7): (1e-6, 1, 1e-4, "cosine", 1.0, 30, 3),
    ("hand-cnn", 8): (1e-4, 1, 1e-4, "constant", 0.5, 30, 3),
    ("hand-cnn", 9): (1e-4, 1, 1e-4, "constant", 0.5, 60, 10),
    ("hand-cnn", 10): (1e-4, 1, 1e-4, "constant", 0.5, 60, 10),
    ("hand-cnn", 11): (1e-5, 1, 5e-4, "constant", 0.5, 60, 10),
}


@pytest.mark.parametrize("track", TRACKS)
@pytest.mark.parametrize("version", VERSIONS)
def test_rates_lengths_and_patience(track: str, version: int) -> None:
    recipe, stage = study(track, version)
    factors = {part: stage.optimizer.part_lr_factors[part] for part in stage.learns[1:]}
    assert recipe.backbone.name == TRACKS[track]
    assert stage.optimizer.name == "adamw"
    assert len(set(factors.values())) == 1
    assert (
        stage.optimizer.lr,
        factors["prompt"],
        stage.optimizer.weight_decay,
        stage.schedule.name,
        stage.clip_norm,
        stage.epochs,
        recipe.validation.patience,
    ) == SETTINGS[track, version]
    assert recipe.validation.metric == "rank1"
    assert recipe.interaction.blocks == 3
    assert recipe.embedding.features == ("fused",)
    assert stage.ema is None


@pytest.mark.parametrize("track", TRACKS)
@pytest.mark.parametrize("version", VERSIONS)
def test_every_cosine_falls_and_every_constant_stays(track: str, version: int) -> None:
    _, stage = study(track, version)
    found = rates(stage)
    if stage.schedule.name == "constant":
        assert found == [stage.optimizer.lr] * stage.epochs
        return
    assert found[0] == pytest.approx(stage.optimizer.lr, rel=0.007)
    assert found[-1] == pytest.approx(1e-7)
    assert all(before > after for before, after in pairwise(found))


@pytest.mark.parametrize("track", TRACKS)
def test_v1_is_a_linear_classifier_without_a_neck(track: str) -> None:
    recipe, stage = study(track, 1)
    assert (recipe.head.kind, recipe.head.features, recipe.head.reduction) == (
        "linear",
        ("fused",),
        None,
    )
    assert set(stage.losses.active()) == {"id", "triplet"}
    assert stage.losses.triplet is not None
    assert stage.losses.triplet.features == ("fused",)


LOSSES = {
    2: {"id": 1, "triplet": 1, "supcon_i2t": 0.5, "supcon_t2i": 0.5},
    3: {"triplet": 1, "supcon_i2t": 0.5, "supcon_t2i": 0.5},
    **{
        version: {"arcface": 1, "triplet": 1, "supcon_i2t": 0.5, "supcon_t2i": 0.5}
        for version in (4, 5, 6)
    },
}
IDENTITY = {"hand": 0.2, "hand-cnn": 0.1}


@pytest.mark.parametrize("track", TRACKS)
@pytest.mark.parametrize("version", VERSIONS[1:])
def test_losses_and_heads(track: str, version: int) -> None:
    recipe, stage = study(track, version)
    active = stage.losses.active()
    wanted = LOSSES.get(version, {**LOSSES[4], "arcface": IDENTITY[track]})
    assert {name: term.weight for name, term in active.items()} == wanted
    # Contrast grows from the first to the last epoch of a stage that is not ended early.
    assert {active[name].ramp for name in ("supcon_i2t", "supcon_t2i")} == {stage.epochs}
    assert recipe.head.kind == {2: "linear", 3: "none"}.get(version, "bnneck")
    if version >= 4:
        assert recipe.head.reduction is not None
        wide = track == "hand-cnn" and version >= 8
        assert (recipe.head.features, recipe.head.reduction.of) == (("reduced",), "fused")
        assert recipe.head.reduction.width == (1024 if wide else 256)
        assert stage.losses.arcface is not None
        assert (stage.losses.arcface.margin, stage.losses.arcface.scale) == (0.5, 30)


@pytest.mark.parametrize("track", TRACKS)
def test_sentences_and_sizes(track: str) -> None:
    found = {version: study(track, version)[0] for version in VERSIONS}
    sentences = {version: recipe.prompt.template[0] for version, recipe in found.items()}
    assert {sentences[version] for version in (1, 2, 3, 4)} == {
        "A detailed photo of {context}'s {aspect} hand for identification."
    }
    assert {sentences[version] for version in (5, 6, 7, 8, 9)} == {
        "A photo of a {context} {aspect} hand."
    }
    assert {sentences[version] for version in (10, 11)} == {
        "A captured frame showing a person's {context} {aspect} hand during surveillance."
    }
    sizes = {version: recipe.backbone.image_size for version, recipe in found.items()}
    assert sizes == {version: (224, 128 if version == 11 else 224) for version in VERSIONS}


@pytest.mark.parametrize(
    ("sweep", "track"), [("prompt-sg-hand", "hand"), ("prompt-sg-hand-cnn", "hand-cnn")]
)
def test_the_sweeps_run_every_version_of_a_track(sweep: str, track: str) -> None:
    runs = load_sweep(find_sweep(sweep)).runs
    assert {name: run.recipe for name, run in runs.items()} == {
        f"v{version}": f"prompt-sg/{track}-v{version}" for version in VERSIONS
    }


def test_no_version_is_missing_from_the_tests() -> None:
    names = {name for name in recipe_names() if name.startswith("prompt-sg/hand") and "-v" in name}
    assert names == {f"prompt-sg/{track}-v{version}" for track in TRACKS for version in VERSIONS}
