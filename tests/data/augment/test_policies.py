from __future__ import annotations

import pytest
import torch
from torchvision.transforms import v2

from promptreid.config.augment import ColorJitterConfig, PolicyConfig
from promptreid.data.augment import policies
from promptreid.data.augment.magnitudes import AUGMIX, RANDAUGMENT, TRIVIALAUGMENT
from promptreid.data.augment.operations import IDENTITY, NAMES, OPERATIONS, perform
from promptreid.data.augment.policies import color_jitter, policy

POLICIES = ["augmix", "randaugment", "trivialaugment"]
SIZE = (256, 128)
# Names of torchvision's operations.
THEIRS = {
    "identity": "Identity",
    "shear_x": "ShearX",
    "shear_y": "ShearY",
    "translate_x": "TranslateX",
    "translate_y": "TranslateY",
    "rotate": "Rotate",
    "brightness": "Brightness",
    "saturation": "Color",
    "contrast": "Contrast",
    "sharpness": "Sharpness",
    "posterize": "Posterize",
    "solarize": "Solarize",
    "autocontrast": "AutoContrast",
    "equalize": "Equalize",
}
FACTORS = ("brightness", "saturation", "contrast", "sharpness")


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def pixels(count, size=(24, 16), seed=0):
    return torch.randint(0, 256, (count, 3, *size), dtype=torch.uint8, generator=generator(seed))


def step(name, strength, image):
    return OPERATIONS[name](image[None], torch.tensor([strength], dtype=torch.float64))[0]


class TestSpaces:
    @pytest.mark.parametrize(
        ("space", "theirs"),
        [(RANDAUGMENT, v2.RandAugment()), (TRIVIALAUGMENT, v2.TrivialAugmentWide())],
    )
    def test_strengths_are_those_of_torchvision(self, space, theirs):
        assert set(space) == set(THEIRS)
        level = torch.arange(31, dtype=torch.float64) / 30
        for name, span in space.items():
            magnitudes, signed = theirs._AUGMENTATION_SPACE[THEIRS[name]]
            values = magnitudes(31, *SIZE)
            up = span.at(level, torch.ones(31), SIZE)
            down = span.at(level, -torch.ones(31), SIZE)
            if values is None:
                assert torch.equal(up, down)
                continue
            values = values.double()
            if name in FACTORS:
                values = 1 + values
            if name.startswith("translate"):
                values = (values + 1e-4).trunc()  # theirs are float32: 15.999999 means 16
            if name == "solarize":  # theirs are shares of 255; the weakest one inverts white
                values = values * 256
            assert up.tolist() == pytest.approx(values.tolist(), abs=1e-4)
            assert torch.equal(up != down, (up != span.base) & signed)

    def test_augmix_is_as_published(self):
        assert set(AUGMIX) == {
            *("autocontrast", "equalize", "posterize", "rotate", "solarize"),
            *("shear_x", "shear_y", "translate_x", "translate_y"),
        }
        for level in (0.01, 0.1, 0.29, 0.3, 0.77, 1.0):
            at = {
                name: span.at(torch.tensor(level, dtype=torch.float64), torch.ones(()), (90, 60))
                for name, span in AUGMIX.items()
            }
            assert at["posterize"] == 4 - int(4 * level)
            assert at["solarize"] == 256 - int(256 * level)
            assert at["rotate"] == int(30 * level)
            assert at["translate_x"] == int(20 * level)
            assert at["translate_y"] == int(30 * level)
            assert at["shear_x"].item() == at["shear_y"].item() == pytest.approx(0.3 * level)

    def test_weakest_strengths_keep_a_white_background_white(self):
        white = torch.full((3, 8, 8), 255, dtype=torch.uint8)
        for space in (RANDAUGMENT, TRIVIALAUGMENT):
            for name, span in space.items():
                strength = span.at(torch.zeros((), dtype=torch.float64), torch.ones(()), (8, 8))
                assert torch.equal(step(name, strength.item(), white), white), name


class TestPerform:
    def test_equals_one_image_at_a_time(self):
        count = 5 * len(NAMES)
        which = torch.arange(count) % len(NAMES)
        strength = 0.2 + 1.5 * torch.rand(count, generator=generator(1), dtype=torch.float64)
        batch = pixels(count)
        before = batch.clone()
        got = perform(batch, which, strength)
        for i in range(count):
            assert torch.equal(got[i], step(NAMES[which[i]], strength[i].item(), batch[i]))
        assert torch.equal(batch, before)
        assert (got != batch).flatten(1).any(1).float().mean() > 0.8

    def test_nothing_to_do(self):
        batch = pixels(3)
        assert perform(batch, torch.full((3,), IDENTITY), torch.zeros(3)) is batch


class TestDraws:
    def test_operations_are_uniform_and_signs_balanced(self):
        used = torch.rand(20_000, generator=generator(1)) < 0.5
        level = torch.full((2, 20_000), 0.5, dtype=torch.float64)
        plan = policies._draw(RANDAUGMENT, level, used, SIZE, generator())
        assert (plan.which[:, ~used] == IDENTITY).all()
        which, strength = plan.which[:, used], plan.strength[:, used]
        counts = torch.bincount(which.flatten(), minlength=len(NAMES))
        expected = which.numel() / len(RANDAUGMENT)
        known = torch.tensor([NAMES.index(name) for name in RANDAUGMENT])
        assert counts.sum() == counts[known].sum()
        assert ((counts[known] - expected) ** 2 / expected).sum() < 42  # 13 degrees, p = 1e-4
        turned = strength[which == NAMES.index("rotate")]
        assert set(turned.tolist()) == {15.0, -15.0}
        assert turned.mean().abs() < 1.5
        # The two operations of an image are independent.
        same = (which[0] == which[1]).float().mean().item()
        assert same == pytest.approx(1 / 14, abs=0.012)

    def test_trivialaugment_draws_every_magnitude(self, monkeypatch):
        seen = []
        monkeypatch.setattr(
            policies,
            "_draw",
            lambda space, level, *_: seen.append(level) or policies.OperationPlan(level, level),
        )
        monkeypatch.setattr(policies.OperationPlan, "run", lambda self, batch: batch)
        policy(pixels(4000, (1, 1)), PolicyConfig(name="trivialaugment"), generator())
        counts = torch.bincount((seen[0][0] * 30).round().long(), minlength=31)
        assert len(counts) == 31
        assert counts.min() > 70

    def test_augmix_weights_depths_and_levels(self):
        count = 6000
        used = torch.ones(count, dtype=torch.bool)
        plan, weights = policies._draw_augmix(used, 10, SIZE, generator())
        assert weights.min() >= 0
        torch.testing.assert_close(weights.sum(0), torch.ones(count, dtype=torch.float64))
        assert weights[0].mean().item() == pytest.approx(1 / 2, abs=0.02)  # Beta(1, 1): uniform
        assert weights[0].var().item() == pytest.approx(1 / 12, abs=0.006)
        assert weights[1:].mean(1).tolist() == pytest.approx([1 / 6] * 3, abs=0.02)
        chains = (plan.which != IDENTITY).reshape(3, 3, count)
        assert chains[:, 0].all()
        assert not (chains[:, 2] & ~chains[:, 1]).any()
        depth = chains.sum(1)
        for length in (1, 2, 3):
            assert (depth == length).float().mean().item() == pytest.approx(1 / 3, abs=0.03)
        slope = plan.strength[plan.which == NAMES.index("shear_x")].abs() / 0.3
        assert 0.01 <= slope.min() < 0.02
        assert 0.98 < slope.max() <= 1
        weak, _ = policies._draw_augmix(used, 1, SIZE, generator())
        assert weak.strength[weak.which == NAMES.index("shear_x")].abs().max() <= 0.03

    def test_jitter_order_and_ranges(self):
        config = ColorJitterConfig(
            probability=0.75, brightness=1.5, contrast=0.2, saturation=0, hue=0.1
        )
        plan = policies._draw_color_jitter(8000, config, generator())
        untouched = (plan.which == IDENTITY).all(0)
        assert untouched.float().mean().item() == pytest.approx(0.25, abs=0.02)
        which, strength = plan.which[:, ~untouched], plan.strength[:, ~untouched]
        assert (which == NAMES.index("saturation")).sum() == 0
        ranges = {"brightness": (0.0, 2.5), "contrast": (0.8, 1.2), "hue": (-0.1, 0.1)}
        for name, (low, high) in ranges.items():
            chosen = which == NAMES.index(name)
            assert (chosen.sum(0) == 1).all()
            found = strength[chosen]
            assert low <= found.min() < low + 0.01 * (high - low)
            assert high - 0.01 * (high - low) < found.max() <= high
            assert found.mean().item() == pytest.approx((low + high) / 2, abs=0.05 * (high - low))
            assert chosen.float().mean(1).tolist() == pytest.approx([0.25] * 4, abs=0.02)


class TestPolicies:
    @pytest.mark.parametrize("name", POLICIES)
    def test_share_of_images_seed_and_global_state(self, name):
        batch, config = pixels(300), PolicyConfig(name=name, probability=0.4, magnitude=20)
        before = torch.get_rng_state()
        got = policy(batch, config, generator(3))
        assert torch.equal(torch.get_rng_state(), before)
        assert torch.equal(got, policy(batch, config, generator(3)))
        assert not torch.equal(got, policy(batch, config, generator(4)))
        changed = (got != batch).flatten(1).any(1).float().mean()
        assert 0.25 < changed < 0.45
        assert torch.equal(
            policy(batch, config.model_copy(update={"probability": 0}), generator()), batch
        )

    @pytest.mark.parametrize("name", POLICIES)
    def test_an_image_does_not_depend_on_its_neighbours(self, name):
        config = PolicyConfig(name=name)
        first, other = pixels(12), pixels(12, seed=5)
        other[4] = first[4]
        assert torch.equal(
            policy(first, config, generator())[4], policy(other, config, generator())[4]
        )

    def test_randaugment_is_its_operations_one_after_the_other(self):
        config = PolicyConfig(name="randaugment", operations=3, magnitude=12)
        batch = pixels(30)
        source = generator(7)
        torch.rand(30, generator=source, dtype=torch.float64)
        level = torch.full((3, 30), 12 / 30, dtype=torch.float64)
        used = torch.ones(30, dtype=torch.bool)
        plan = policies._draw(RANDAUGMENT, level, used, (24, 16), source)
        got = policy(batch, config, generator(7))
        for i, image in enumerate(batch):
            for which, strength in zip(plan.which[:, i], plan.strength[:, i], strict=True):
                image = step(NAMES[which], strength.item(), image)
            assert torch.equal(got[i], image)

    def test_augmix_is_the_mean_of_its_chains(self):
        config = PolicyConfig(name="augmix", probability=0.7, severity=6)
        batch = pixels(20)
        source = generator(9)
        used = torch.rand(20, generator=source, dtype=torch.float64) < 0.7
        plan, weights = policies._draw_augmix(used, 6, (24, 16), source)
        got = policy(batch, config, generator(9))
        assert 0 < used.sum() < 20
        for i, image in enumerate(batch):
            if not used[i]:
                assert torch.equal(got[i], image)
                continue
            total = weights[0, i] * image.double()
            for chain in range(3):
                changed = image
                for place in range(3 * chain, 3 * chain + 3):
                    strength = plan.strength[place, i].item()
                    changed = step(NAMES[plan.which[place, i]], strength, changed)
                total += weights[chain + 1, i] * changed.double()
            assert (got[i].double() - total).abs().max() < 0.51

    def test_jitter_is_its_operations_in_their_order(self):
        config = ColorJitterConfig(brightness=0.4, contrast=0.4, saturation=0.4, hue=0.1)
        batch = pixels(30)
        plan = policies._draw_color_jitter(30, config, generator(2))
        got = color_jitter(batch, config, generator(2))
        for i, image in enumerate(batch):
            for which, strength in zip(plan.which[:, i], plan.strength[:, i], strict=True):
                image = step(NAMES[which], strength.item(), image)
            assert torch.equal(got[i], image)

    @pytest.mark.cuda
    @pytest.mark.parametrize("name", POLICIES)
    def test_cuda_gives_the_same_bits(self, name):
        batch, config = pixels(64, (48, 32)), PolicyConfig(name=name, severity=10, magnitude=25)
        there = policy(batch.cuda(), config, generator(3)).cpu()
        assert torch.equal(there, policy(batch, config, generator(3)))
