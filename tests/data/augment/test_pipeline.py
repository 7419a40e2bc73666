from __future__ import annotations

import math

import pytest
import torch

from promptreid.config.augment import (
    AugmentConfig,
    ColorJitterConfig,
    MixConfig,
    PolicyConfig,
)
from promptreid.data.augment import photometric, policies, warp
from promptreid.data.augment.pipeline import Augment, apply, draw, draw_crops
from promptreid.data.images import transforms
from promptreid.data.images.preprocess import Preprocess
from promptreid.errors import ConfigError

SIZE = (256, 128)
MANY = 20_000


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def pixels(count, size=(24, 16), seed=0):
    return torch.randint(0, 256, (count, 3, *size), dtype=torch.uint8, generator=generator(seed))


@pytest.fixture(scope="module")
def drawn():
    return draw(MANY, SIZE, Augment(), generator(7))


def erased(boxes):
    return boxes[boxes[:, 2] > 0]


def test_flip_rate(drawn):
    assert drawn.flip.float().mean().item() == pytest.approx(0.5, abs=4 * 0.5 / math.sqrt(MANY))


@pytest.mark.parametrize("axis", ["top", "left"])
def test_offsets_are_uniform_over_both_ends(drawn, axis):
    counts = torch.bincount(getattr(drawn, axis), minlength=21)
    assert len(counts) == 21
    expected = MANY / 21
    chi_square = ((counts - expected) ** 2 / expected).sum().item()
    assert chi_square < 52.4  # 20 degrees of freedom, p = 1e-4


def test_parameters_of_an_image_are_independent(drawn):
    columns = torch.stack(
        [drawn.flip.double(), drawn.top.double(), drawn.left.double(), drawn.boxes[:, 2] > 0]
    )
    correlation = torch.corrcoef(columns) - torch.eye(4)
    assert correlation.abs().max() < 5 / math.sqrt(MANY)
    both = torch.stack([drawn.top[:-1].double(), drawn.top[1:].double()])
    assert torch.corrcoef(both)[0, 1].abs() < 5 / math.sqrt(MANY)


def test_erase_rate_area_and_aspect(drawn):
    boxes = erased(drawn.boxes)
    assert len(boxes) / MANY == pytest.approx(0.5, abs=0.015)
    tall, wide = boxes[:, 2].double(), boxes[:, 3].double()
    area = tall * wide / (SIZE[0] * SIZE[1])
    assert 0.018 < area.min() < 0.022
    assert 0.32 < area.max() < 0.35
    aspect = tall / wide
    assert 0.28 < aspect.min() < 0.32
    assert 3.1 < aspect.max() < 3.6
    # Of boxes with less than a tenth of the image none is too wide or too tall: there the draws
    # are as they were made, uniform in area and log-uniform in aspect.
    small = area < 0.1
    assert aspect[small].log().mean().abs() < 0.05
    assert area[small].mean().item() == pytest.approx(0.06, abs=0.002)


def test_boxes_are_inside_and_smaller_than_the_image(drawn):
    top, left, tall, wide = erased(drawn.boxes).unbind(1)
    assert (tall < SIZE[0]).all()
    assert (wide < SIZE[1]).all()
    assert top.min() == 0
    assert left.min() == 0
    assert (top + tall).max() == SIZE[0]
    assert (left + wide).max() == SIZE[1]


def test_boxes_follow_the_published_rule():
    """The same uniform numbers through a loop that reads like the rule."""
    augment, count, seed = Augment(erase_area=(0.2, 0.9)), 300, 5
    boxes = draw(count, SIZE, augment, generator(seed)).boxes
    source = generator(seed)
    torch.rand(3, count, generator=source, dtype=torch.float64)
    chance, row, column = torch.rand(3, count, generator=source, dtype=torch.float64)
    areas, aspects = torch.rand(2, count, 10, generator=source, dtype=torch.float64)
    retried = 0
    for i in range(count):
        expected = [0, 0, 0, 0]
        if chance[i] < 0.5:
            for attempt in range(10):
                area = (0.2 + 0.7 * areas[i, attempt].item()) * SIZE[0] * SIZE[1]
                low, high = math.log(0.3), math.log(1 / 0.3)
                aspect = math.exp(low + (high - low) * aspects[i, attempt].item())
                tall, wide = round(math.sqrt(area * aspect)), round(math.sqrt(area / aspect))
                if tall < SIZE[0] and wide < SIZE[1]:
                    top = int(row[i].item() * (SIZE[0] - tall + 1))
                    left = int(column[i].item() * (SIZE[1] - wide + 1))
                    expected = [top, left, tall, wide]
                    retried += attempt > 0
                    break
        assert boxes[i].tolist() == expected
    assert retried > 20


def test_an_image_too_small_for_any_box_is_left_alone():
    augment = Augment(erase=1, erase_area=(1, 1), erase_aspect=(1, 1), pad=0, flip=0)
    assert draw(50, (8, 8), augment, generator()).boxes.count_nonzero() == 0
    batch = pixels(4, (8, 8))
    preprocess = Preprocess((8, 8))
    got = apply(batch, preprocess, augment, generator())
    assert torch.equal(got, transforms.normalize(batch, preprocess))


def test_apply_equals_image_by_image_reference():
    count, (height, width), augment = 40, (24, 16), Augment(pad=3)
    preprocess = Preprocess((height, width), mean=(0.4, 0.5, 0.6), std=(0.2, 0.3, 0.4))
    batch = pixels(count, (height, width))
    got = apply(batch, preprocess, augment, generator(11))

    source = generator(11)
    params = draw(count, (height, width), augment, source)
    assert 0 < (params.boxes[:, 2] > 0).sum() < count
    for i in range(count):
        image = batch[i].flip(-1) if params.flip[i] else batch[i]
        canvas = torch.zeros(3, height + 6, width + 6, dtype=torch.uint8)
        canvas[:, 3:-3, 3:-3] = image
        top, left = params.top[i], params.left[i]
        image = canvas[:, top : top + height, left : left + width].float() / 255
        image = (image - torch.tensor(preprocess.mean).view(3, 1, 1)) / torch.tensor(
            preprocess.std
        ).view(3, 1, 1)
        top, left, tall, wide = params.boxes[i].tolist()
        if tall:
            # The noise of all images is one draw; take this image's share of it.
            before = transforms.noise_size(params.boxes[:i], 3)
            total = transforms.noise_size(params.boxes, 3)
            stream = torch.randn(total, generator=source.clone_state())
            share = stream[before : before + 3 * tall * wide].view(3, tall, wide)
            image[:, top : top + tall, left : left + wide] = share
        assert torch.equal(got[i], image)


def test_noise_is_standard_normal_after_normalising():
    batch = torch.zeros(64, 3, 64, 32, dtype=torch.uint8)
    preprocess = Preprocess((64, 32), mean=(0.5, 0.5, 0.5), std=(0.01, 0.01, 0.01))
    got = apply(batch, preprocess, Augment(flip=0, pad=0, erase=1), generator())
    noise = got[got > -40]
    assert len(noise) > 20_000
    assert noise.mean().abs() < 0.03
    assert noise.std().item() == pytest.approx(1, abs=0.03)
    # Each channel has its own noise.
    inside = (got[:, 0] > -40) & (got[:, 1] > -40)
    assert not torch.equal(got[:, 0][inside], got[:, 1][inside])


def test_border_is_black_before_normalising():
    batch = torch.full((200, 3, 8, 8), 255, dtype=torch.uint8)
    got = apply(batch, Preprocess((8, 8)), Augment(flip=0, pad=2, erase=0), generator())
    assert set(got.unique().tolist()) == {-1.0, 1.0}


def test_same_generator_state_same_batch_and_others_differ():
    batch, preprocess, augment = pixels(16), Preprocess((24, 16)), Augment(pad=2)
    first, again, other = (apply(batch, preprocess, augment, generator(seed)) for seed in (1, 1, 2))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_global_random_state_is_left_alone():
    before = torch.get_rng_state()
    apply(pixels(8), Preprocess((24, 16)), Augment(), generator())
    assert torch.equal(torch.get_rng_state(), before)


def test_switching_one_operation_off_keeps_the_others():
    full, part = (
        draw(100, SIZE, augment, generator(4)) for augment in (Augment(), Augment(erase=0, flip=0))
    )
    assert torch.equal(full.top, part.top)
    assert torch.equal(full.left, part.left)
    assert part.boxes.count_nonzero() == 0
    assert not part.flip.any()


def test_all_off_is_only_normalising():
    batch, preprocess = pixels(8), Preprocess((24, 16))
    got = apply(batch, preprocess, Augment(flip=0, pad=0, erase=0), generator())
    assert torch.equal(got, transforms.normalize(batch, preprocess))


JITTER = ColorJitterConfig(brightness=0.4, contrast=0.4, saturation=0.4, hue=0.1)
EXTRAS = {
    "crop": (0.3, 1.0),
    "policy": PolicyConfig(name="randaugment"),
    "color_jitter": JITTER,
    "gray": 0.3,
    "blur": 0.5,
}


def pixel_levels(batch, preprocess):
    """Undo `normalize`."""
    mean, std = (torch.tensor(v).view(3, 1, 1) for v in (preprocess.mean, preprocess.std))
    return ((batch * std + mean) * 255).round().to(torch.uint8)


class TestExtras:
    def test_settings_of_a_recipe(self):
        config = AugmentConfig.model_validate(
            {
                "crop": [0.5, 1],
                "flip": 0.1,
                "pad": 3,
                "policy": {"name": "augmix", "severity": 5},
                "color_jitter": {"hue": 0.1},
                "gray": 0.2,
                "blur": 0.3,
                "erase": 0.4,
                "mix": {"cutmix": 1},
            }
        )
        augment = Augment.of(config)
        for name in AugmentConfig.model_fields:
            assert getattr(augment, name) == getattr(config, name), name
        assert Augment.of(AugmentConfig()) == Augment()

    def test_what_was_there_before_is_drawn_as_before(self):
        """New operations change neither the draws of the old ones nor where the generator goes."""
        batch, preprocess = pixels(24), Preprocess((24, 16))
        plain, full = generator(6), generator(6)
        before = apply(batch, preprocess, Augment(pad=3), plain)
        never = {"gray": 0, "blur": 0, "policy": PolicyConfig(name="augmix", probability=0)}
        unchanged = {"color_jitter": ColorJitterConfig(probability=0), "crop": (1.0, 1.0)}
        again = apply(batch, preprocess, Augment(pad=3, **never, **unchanged), full)
        assert torch.equal(before, again)
        assert torch.equal(plain.get_state(), full.get_state())
        full = generator(6)
        other = apply(batch, preprocess, Augment(pad=3, **EXTRAS), full)
        assert torch.equal(plain.get_state(), full.get_state())
        # Boxes and noise are those of the plain batch.
        boxes = draw(24, (24, 16), Augment(pad=3), generator(6)).boxes
        inside = transforms.box_mask(boxes, 24, 16).expand_as(before)
        assert inside.any()
        assert torch.equal(before[inside], other[inside])
        assert not torch.equal(before, other)

    @pytest.mark.parametrize("name", EXTRAS)
    def test_switching_one_off_keeps_the_others(self, name, monkeypatch):
        """Each operation draws from the same numbers whatever else is on."""

        def seen(augment):
            states = {}
            for module, function in (
                (policies, "policy"),
                (policies, "color_jitter"),
                (photometric, "blur"),
                (warp, "crop"),
            ):
                original = getattr(module, function)

                def spy(*args, _original=original, _function=function):
                    last = args[-1]
                    key = last.get_state() if isinstance(last, torch.Generator) else last.clone()
                    states[_function] = key
                    return _original(*args)

                monkeypatch.setattr(module, function, spy)
            apply(pixels(16), Preprocess((24, 16)), augment, generator(2))
            monkeypatch.undo()
            return states

        full = seen(Augment(**EXTRAS))
        part = seen(Augment(**{key: value for key, value in EXTRAS.items() if key != name}))
        assert len(full) == 4
        assert len(part) == (4 if name == "gray" else 3)
        for function, state in part.items():
            assert torch.equal(full[function], state)

    def test_order_of_operations(self, monkeypatch):
        calls = []
        for module, name in (
            (warp, "warp"),
            (transforms, "flip"),
            (transforms, "pad_crop"),
            (policies, "policy"),
            (policies, "color_jitter"),
            (photometric, "gray"),
            (photometric, "blur"),
            (transforms, "normalize"),
            (transforms, "erase"),
        ):

            def spy(*args, _original=getattr(module, name), _name=name, **options):
                calls.append(_name)
                return _original(*args, **options)

            monkeypatch.setattr(module, name, spy)
        quiet = EXTRAS | {
            "policy": PolicyConfig(name="randaugment", probability=0),
            "color_jitter": ColorJitterConfig(saturation=0, contrast=0),
        }
        apply(pixels(16), Preprocess((24, 16)), Augment(pad=2, **quiet), generator(1))
        assert calls == [
            *("warp", "flip", "pad_crop", "policy", "color_jitter", "gray", "blur"),
            *("normalize", "erase"),
        ]

    def test_shares_of_gray_and_blurred_images(self):
        batch, preprocess = pixels(1000, (8, 8)), Preprocess((8, 8))
        off = {"flip": 0, "pad": 0, "erase": 0}
        got = pixel_levels(
            apply(batch, preprocess, Augment(gray=0.3, **off), generator()), preprocess
        )
        colourless = (got == got[:, :1]).flatten(1).all(1)
        assert colourless.float().mean().item() == pytest.approx(0.3, abs=0.06)
        assert torch.equal(got[~colourless], batch[~colourless])
        assert torch.equal(got[colourless][:, :1], photometric.gray(batch[colourless]))
        got = pixel_levels(
            apply(batch, preprocess, Augment(blur=0.7, **off), generator()), preprocess
        )
        changed = (got != batch).flatten(1).any(1)
        # The narrowest Gaussians change nothing.
        assert 0.5 < changed.float().mean() < 0.7
        assert got[changed].float().var() < batch.float().var() * 0.6

    def test_crops_keep_the_area_and_fit(self):
        count, (height, width) = 5000, (30, 20)
        matrices = draw_crops(count, (height, width), (0.2, 0.9), generator())
        assert matrices[:, 0, 1].abs().max() == matrices[:, 1, 0].abs().max() == 0
        wide, tall = matrices[:, 0, 0], matrices[:, 1, 1]
        left, top = matrices[:, 0, 2], matrices[:, 1, 2]
        assert max(wide.max(), tall.max()) <= 1
        assert min(left.min(), top.min()) >= 0
        assert (left + wide * width).max() <= width + 1e-9
        assert (top + tall * height).max() <= height + 1e-9
        area, aspect = wide * tall, tall / wide
        assert area.mean().item() == pytest.approx(0.55, abs=0.02)
        assert area.min() > 0.199
        assert area.max() < 0.901
        assert aspect.min() > 0.749
        assert aspect.max() < 4 / 3 + 1e-9
        assert aspect.log().mean().abs() < 0.02
        for share in (0.2, 0.5):
            fixed = draw_crops(count, (height, width), (share, share), generator())
            found = fixed[:, 0, 0] * fixed[:, 1, 1]
            assert found.tolist() == pytest.approx([share] * count)
        whole = draw_crops(4, (height, width), (1.0, 1.0), generator())
        assert torch.allclose(whole, warp.identity(4), atol=1e-12)

    def test_a_crop_shows_its_part_of_the_image(self):
        ramp = torch.arange(0, 256, 4, dtype=torch.uint8)
        batch = ramp.expand(30, 3, 64, 64).contiguous()
        augment = Augment(flip=0, pad=0, erase=0, crop=(0.3, 0.6))
        preprocess = Preprocess((64, 64))
        got = pixel_levels(apply(batch, preprocess, augment, generator()), preprocess).double()
        assert (got == got[:, :1, :1]).all()  # rows and channels stay alike
        row = got[:, 0, 0]
        inner = row[:, 4:-4]
        assert ((inner[:, 1:] - inner[:, :-1]) >= 0).all()
        span = (row[:, -5] - row[:, 4]) / (4 * 55)  # width kept
        assert 0.44 < span.min() < span.max() < 0.92
        assert span.std() > 0.03

    def test_same_state_same_images_and_global_state_alone(self):
        batch, preprocess, augment = pixels(16), Preprocess((24, 16)), Augment(pad=2, **EXTRAS)
        before = torch.get_rng_state()
        first, again, other = (
            apply(batch, preprocess, augment, generator(seed)) for seed in (1, 1, 2)
        )
        assert torch.equal(torch.get_rng_state(), before)
        assert torch.equal(first, again)
        assert not torch.equal(first, other)
        moving = generator(1)
        apply(batch, preprocess, augment, moving)
        assert not torch.equal(apply(batch, preprocess, augment, moving), first)

    def test_mixing_is_not_done_here(self):
        batch, preprocess = pixels(8), Preprocess((24, 16))
        first = apply(batch, preprocess, Augment(), generator())
        again = apply(batch, preprocess, Augment(mix=MixConfig(share=1)), generator())
        assert torch.equal(first, again)

    @pytest.mark.cuda
    def test_cuda_sees_the_same_batch(self):
        batch, preprocess = pixels(32), Preprocess((24, 16))
        here = apply(batch, preprocess, Augment(pad=4, **EXTRAS), generator(3))
        there = apply(batch.cuda(), preprocess, Augment(pad=4, **EXTRAS), generator(3))
        torch.testing.assert_close(there.cpu(), here, rtol=0, atol=1e-6)


@pytest.mark.cuda
def test_cuda_sees_the_same_batch():
    batch, preprocess = pixels(32), Preprocess((24, 16))
    here = apply(batch, preprocess, Augment(pad=4), generator(3))
    there = apply(batch.cuda(), preprocess, Augment(pad=4), generator(3))
    torch.testing.assert_close(there.cpu(), here, rtol=0, atol=1e-6)


@pytest.mark.parametrize(
    ("settings", "word"),
    [
        ({"flip": 1.5}, "flip"),
        ({"erase": -0.1}, "erase"),
        ({"pad": -1}, "pad"),
        ({"erase_tries": 0}, "erase_tries"),
        ({"erase_area": (0.5, 0.1)}, "erase_area"),
        ({"erase_area": (0, 0.1)}, "erase_area"),
        ({"gray": 1.1}, "gray"),
        ({"blur": -1}, "blur"),
        ({"crop": (0.5, 1.5)}, "crop"),
        ({"crop": (0.9, 0.5)}, "crop"),
        ({"erase_aspect": (2, 1)}, "erase_aspect"),
    ],
)
def test_wrong_settings_are_refused_in_words(settings, word):
    with pytest.raises(ConfigError, match=word):
        Augment(**settings)
