"""Which recipe is chosen in which situation, and that what is chosen can be trained."""

import pytest

from promptreid.config.recipe_choice import (
    SUBJECTS,
    Situation,
    choose_recipes,
    shorten_to,
)
from promptreid.config.recipes import load_recipe

TABLE = [
    # identities, height over width, subject, device, weights -> recipes, image size of the first
    (40, 2.0, "people", "cpu", False, ["clip-reid/tiny"], (128, 64)),
    (40, 2.0, "people", "cpu", True, ["clip-reid/tiny"], (128, 64)),
    (40, 2.0, "people", "cuda", False, ["clip-reid/tiny"], (128, 64)),
    (40, 2.0, "people", "cuda", True, ["clip-reid", "clip-reid/tiny"], (256, 128)),
    (40, 2.0, "people", "mps", True, ["clip-reid", "clip-reid/tiny"], (256, 128)),
    (40, 1.0, "vehicles", "cuda", True, ["clip-reid/vehicle", "clip-reid/tiny"], (256, 256)),
    (40, 1.0, "hands", "cuda", True, ["clip-reid/hand", "clip-reid/tiny"], (224, 224)),
    (40, 1.0, "animals", "cuda", True, ["clip-reid", "clip-reid/tiny"], (224, 224)),
    (40, 0.5, "animals", "cpu", True, ["clip-reid/tiny"], (64, 128)),
    (40, 1.0, "things", "cpu", True, ["clip-reid/tiny"], (128, 128)),
    (3, 2.0, "people", "cpu", False, ["zero-shot"], (128, 64)),
    (3, 2.0, "people", "cuda", True, ["zero-shot"], (256, 128)),
]


@pytest.mark.parametrize(
    ("identities", "ratio", "subject", "device", "weights", "names", "size"), TABLE
)
def test_each_situation_has_its_recipe(identities, ratio, subject, device, weights, names, size):
    situation = Situation(
        identities,
        5 * identities,
        ratio,
        device=device,
        weights=weights,
        subject=subject,
    )
    choices = choose_recipes(situation)
    assert [choice.recipe for choice in choices] == names
    recipes = [load_recipe(choice.recipe, choice.overrides) for choice in choices]
    assert recipes[0].backbone.image_size == size
    small = device == "cpu" or not weights
    assert (recipes[0].backbone.name == "tiny") == small
    assert all(choice.reasons for choice in choices)
    if identities >= 4:
        for recipe in recipes:
            (sentence,) = recipe.prompt.template
            assert SUBJECTS[subject].noun in sentence
            flips = recipe.stages[-1].augment.flip > 0
            assert flips == SUBJECTS[subject].mirrored


@pytest.mark.parametrize("identities", [4, 5, 6, 12, 31, 32, 1000])
def test_no_batch_asks_for_more_identities_than_learn(identities):
    (choice,) = choose_recipes(Situation(identities, 5 * identities, 2.0, subject="people"))
    batch = load_recipe(choice.recipe, choice.overrides).stages[-1].batch
    assert 2 <= batch.identities <= min(16, identities)
    assert identities < 32 or batch.identities == 16


@pytest.mark.parametrize(("ratio", "word"), [(2.0, "people"), (1.0, "things")])
def test_a_subject_that_nobody_named_is_guessed_and_said(ratio, word):
    (guessed,) = choose_recipes(Situation(40, 200, ratio))
    (named,) = choose_recipes(Situation(40, 200, ratio, subject=word))
    assert guessed.overrides == named.overrides
    assert word in guessed.reasons[0]
    assert "--subject" in guessed.reasons[0]
    assert guessed.reasons[1:] == named.reasons


def test_cameras_are_told():
    (choice,) = choose_recipes(Situation(40, 200, 2.0, cameras=6, subject="people"))
    assert any("6 cameras" in reason for reason in choice.reasons)


def test_epochs_are_lowered_until_it_is_in_time():
    (choice,) = choose_recipes(Situation(40, 200, 2.0, subject="people"))
    whole = load_recipe(choice.recipe, choice.overrides)
    seconds = {"embedding": 10.0, "prompts": 30.0, "image": 60.0, "half: image": 60.0}
    assert shorten_to(choice, seconds, 160.0) == (choice, 160.0)
    shorter, total = shorten_to(choice, seconds, 85.0)
    assert total == pytest.approx(85.0)
    half = load_recipe(shorter.recipe, shorter.overrides)
    assert [stage.epochs for stage in half.stages] == [stage.epochs // 2 for stage in whole.stages]
    assert "50%" in shorter.reasons[-1]


def test_steps_of_the_learning_rate_are_lowered_too():
    choice = choose_recipes(Situation(40, 200, 2.0, device="cuda", weights=True, subject="people"))[
        0
    ]
    shorter, _ = shorten_to(choice, {"prompts": 50.0, "image": 50.0}, 50.0)
    whole, half = (load_recipe(one.recipe, one.overrides) for one in (choice, shorter))
    assert half.stages[1].schedule.milestones == tuple(
        epoch // 2 for epoch in whole.stages[1].schedule.milestones
    )
    assert half.stages[1].schedule.warmup_epochs == whole.stages[1].schedule.warmup_epochs // 2


def test_too_few_epochs_are_none_unless_there_is_nothing_quicker():
    (choice,) = choose_recipes(Situation(40, 200, 2.0, subject="people"))
    seconds = {"prompts": 500.0, "image": 500.0}
    assert shorten_to(choice, seconds, 100.0) is None
    shorter, total = shorten_to(choice, seconds, 1.0, least=0.0)
    recipe = load_recipe(shorter.recipe, shorter.overrides)
    assert [stage.epochs for stage in recipe.stages] == [1, 1]
    assert total > 1.0
    untrained = choose_recipes(Situation(3, 12, 2.0))[0]
    assert shorten_to(untrained, {"embedding": 50.0}, 1.0, least=0.0) == (untrained, 50.0)
