from __future__ import annotations

import pytest
import torch

from promptreid.config.augment import MixConfig
from promptreid.data.augment.mix import MixDraw, choose, draw_mix, mix_images, mixed_labels

SIZE = (24, 16)
MIXUP = MixConfig(mixup=0.8)
CUTMIX = MixConfig(mixup=0, cutmix=1)


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def normal(count, seed=0):
    return torch.randn(count, 3, *SIZE, generator=generator(seed))


def pairs(identities, images):
    return torch.arange(identities).repeat_interleave(images) * 7 + 3


def clean_of_each(labels, mixed):
    return [int((~mixed[labels == label]).sum()) for label in labels.unique()]


class TestChoose:
    @pytest.mark.parametrize("seed", range(10))
    def test_every_identity_keeps_two_when_it_can(self, seed):
        labels = pairs(6, 4)[torch.randperm(24, generator=generator(seed))]
        mixed = choose(labels, 12, generator(seed))
        assert mixed.sum() == 12
        assert clean_of_each(labels, mixed) == [2] * 6

    @pytest.mark.parametrize("seed", range(10))
    def test_beyond_that_identities_give_up_both(self, seed):
        labels = pairs(6, 4)
        counts = sorted(clean_of_each(labels, choose(labels, 18, generator(seed))))
        assert counts == [0, 0, 0, 2, 2, 2]
        counts = sorted(clean_of_each(pairs(8, 2), choose(pairs(8, 2), 8, generator(seed))))
        assert counts == [0] * 4 + [2] * 4

    def test_single_images_come_before_pairs(self):
        labels = torch.tensor([1, 2, 3, 4, 5, 5, 6, 6, 6])
        for seed in range(10):
            mixed = choose(labels, 5, generator(seed))
            assert mixed[:4].all()
            assert mixed[4:6].sum() == 0
            assert mixed[6:].sum() == 1

    def test_images_and_identities_are_chosen_evenly(self):
        labels = pairs(4, 3)
        total = sum(choose(labels, 6, generator(seed)).long() for seed in range(2000))
        # Six of twelve: one of each identity, and both others of one identity.
        assert total.tolist() == pytest.approx([1000] * 12, abs=120)

    def test_none_all_and_one(self):
        labels = pairs(3, 2)
        assert not choose(labels, 0, generator()).any()
        assert choose(labels, 6, generator()).all()
        assert choose(labels[:1], 1, generator()).tolist() == [False]
        assert choose(labels[:0], 0, generator()).tolist() == []


class TestDraw:
    @pytest.mark.parametrize("config", [MIXUP, CUTMIX, MixConfig(mixup=1, cutmix=1, share=0.3)])
    @pytest.mark.parametrize("seed", range(5))
    def test_partners_and_shares(self, config, seed):
        labels = pairs(8, 4)
        drawn = draw_mix(labels, SIZE, config, generator(seed))
        mixed = drawn.weight < 1
        # A weight may round to 1 and a box may lack an area; more images are never mixed.
        assert 0.6 * 32 * config.share < mixed.sum() <= round(32 * config.share)
        own = torch.arange(32)
        assert torch.equal(drawn.partner == own, ~mixed)
        assert len(drawn.partner[mixed].unique()) == mixed.sum()
        assert drawn.weight.dtype == torch.float32
        assert (drawn.weight >= 0).all()

    def test_same_seed_same_draw_and_global_state_alone(self):
        before = torch.get_rng_state()
        first, again, other = (draw_mix(pairs(8, 4), SIZE, CUTMIX, generator(s)) for s in (1, 1, 2))
        assert torch.equal(torch.get_rng_state(), before)
        assert torch.equal(first.boxes, again.boxes)
        assert torch.equal(first.partner, again.partner)
        assert not torch.equal(first.boxes, other.boxes)

    @pytest.mark.parametrize("strength", [0.4, 1.0, 3.0])
    def test_mixup_weights_are_beta(self, strength):
        config = MixConfig(mixup=strength, share=1)
        weight = draw_mix(torch.arange(4000), SIZE, config, generator()).weight.double()
        assert weight.mean().item() == pytest.approx(0.5, abs=0.025)
        # Variance of Beta(a, a).
        assert weight.var().item() == pytest.approx(1 / (4 * (2 * strength + 1)), rel=0.08)

    def test_cutmix_weight_is_the_share_of_own_pixels(self):
        config = MixConfig(mixup=0, cutmix=1, share=1)
        drawn = draw_mix(torch.arange(500), SIZE, config, generator())
        height, width = SIZE
        top, left, tall, wide = drawn.boxes.unbind(1)
        assert (drawn.boxes >= 0).all()
        assert (top + tall).max() == height
        assert (left + wide).max() == width
        expected = 1 - (tall * wide).double() / (height * width)
        assert drawn.weight.tolist() == pytest.approx(expected.tolist(), abs=1e-7)
        # Boxes keep the image's proportions where no edge cuts them.
        inside = (top > 0) & (left > 0) & (top + tall < height) & (left + wide < width)
        assert inside.sum() > 50
        assert (tall[inside] / height - wide[inside] / width).abs().max() <= 1 / width

    def test_with_both_each_batch_takes_one(self):
        config = MixConfig(mixup=1, cutmix=1)
        cut = sum(
            draw_mix(pairs(4, 2), SIZE, config, generator(seed)).boxes is not None
            for seed in range(400)
        )
        assert cut == pytest.approx(200, abs=45)

    def test_one_image_and_nothing_to_mix(self):
        alone = draw_mix(torch.tensor([5]), SIZE, MixConfig(share=1), generator())
        assert alone.weight.tolist() == [1]
        none = draw_mix(pairs(4, 2), SIZE, MixConfig(share=0, mixup=0, cutmix=1), generator())
        assert (none.weight == 1).all()
        images = normal(8)
        assert torch.equal(mix_images(images, none), images)


class TestImages:
    @pytest.mark.parametrize("config", [MIXUP, CUTMIX])
    def test_equals_pixel_by_pixel_reference(self, config):
        images, labels = normal(24), pairs(6, 4)
        drawn = draw_mix(labels, SIZE, config, generator(4))
        got = mix_images(images, drawn)
        for i in range(24):
            own, other = images[i], images[drawn.partner[i]]
            if drawn.weight[i] == 1:
                assert torch.equal(got[i], own)
            elif drawn.boxes is None:
                weight = drawn.weight[i].item()
                torch.testing.assert_close(got[i], weight * own + (1 - weight) * other)
            else:
                top, left, tall, wide = drawn.boxes[i].tolist()
                expected = own.clone()
                box = slice(top, top + tall), slice(left, left + wide)
                expected[:, *box] = other[:, *box]
                assert torch.equal(got[i], expected)
        assert torch.equal(images, normal(24))

    def test_partners_are_taken_before_they_are_mixed_themselves(self):
        images = torch.tensor([0.0, 1.0, 2.0])[:, None, None, None].expand(3, 1, 2, 2)
        drawn = MixDraw(torch.tensor([1, 2, 0]), torch.full((3,), 0.5), None)
        assert mix_images(images, drawn)[:, 0, 0, 0].tolist() == [0.5, 1.5, 1.0]

    def test_labels(self):
        labels = pairs(6, 4)
        drawn = draw_mix(labels, SIZE, MIXUP, generator(2))
        mix = mixed_labels(labels, drawn)
        assert torch.equal(mix.clean, drawn.weight == 1)
        assert torch.equal(mix.partner[mix.clean], labels[mix.clean])
        assert torch.equal(mix.partner, labels[drawn.partner])
        assert torch.equal(mix.weight, drawn.weight)

    @pytest.mark.cuda
    @pytest.mark.parametrize("config", [MIXUP, CUTMIX])
    def test_cuda_gives_the_same_images(self, config):
        images = normal(24)
        drawn = draw_mix(pairs(6, 4), SIZE, config, generator(4))
        assert torch.equal(mix_images(images.cuda(), drawn).cpu(), mix_images(images, drawn))
