from __future__ import annotations

import os
import threading
from concurrent.futures import ThreadPoolExecutor, wait

import numpy as np
import pytest
import torch
from PIL import Image

from promptreid.config.augment import MixConfig
from promptreid.data.augment.pipeline import Augment, apply
from promptreid.data.batches import loading
from promptreid.data.batches.identity_balanced import IdentityBalanced
from promptreid.data.batches.loading import TestLoader, TrainLoader
from promptreid.data.batches.samplers import Uniform
from promptreid.data.images import decoding_budget, shared_pictures, transforms
from promptreid.data.images import image_store as store_module
from promptreid.data.images.boxes import Box, ImageSource
from promptreid.data.images.decode import read_image
from promptreid.data.images.decoding_budget import cache_budget, default_threads
from promptreid.data.images.image_files import UnreadableImage
from promptreid.data.images.image_store import (
    ImageStore,
    readable_indices,
)
from promptreid.data.images.preprocess import Preprocess
from promptreid.errors import ConfigError, DataError
from promptreid.seeds import derive_seed

SIZE = (16, 8)
COUNT = 22
PREPROCESS = Preprocess(SIZE, mean=(0.4, 0.5, 0.6), std=(0.2, 0.3, 0.4))


@pytest.fixture(scope="module")
def paths(tmp_path_factory):
    folder = tmp_path_factory.mktemp("images")
    rng = np.random.default_rng(0)
    paths = []
    for number in range(COUNT):
        pixels = rng.integers(0, 256, (20 + number, 11, 3), dtype=np.uint8)
        paths.append(folder / f"{number:02}.{'png' if number % 3 else 'jpg'}")
        Image.fromarray(pixels).save(paths[-1])
    return paths


@pytest.fixture
def broken(paths, tmp_path):
    """The same files with numbers 5 and 13 unreadable."""
    bad = list(paths)
    bad[5] = tmp_path / "cut.jpg"
    bad[5].write_bytes(paths[3].read_bytes()[:300])
    bad[13] = tmp_path / "gone.jpg"
    return bad


def expected(paths, indices, interpolation="bilinear"):
    return torch.stack(
        [transforms.resize(read_image(paths[i]), SIZE, interpolation) for i in indices]
    )


def image_threads():
    return [t for t in threading.enumerate() if t.name.startswith("promptreid")]


class TestImageStore:
    @pytest.mark.parametrize("cache", [True, False, "auto"])
    @pytest.mark.parametrize("threads", [1, 3])
    @pytest.mark.parametrize("interpolation", ["bicubic", "bilinear"])
    def test_batch_is_decoded_and_resized(self, paths, cache, threads, interpolation):
        store = ImageStore(paths, SIZE, interpolation, cache=cache, threads=threads)
        for indices in ([3, 1, 3, 20], np.arange(COUNT), [7]):
            pixels = store.batch(indices)
            assert pixels.dtype == torch.uint8
            assert pixels.is_contiguous()
            assert torch.equal(pixels, expected(paths, indices, interpolation))
        assert not image_threads()

    def test_a_cached_image_is_read_once(self, paths, monkeypatch):
        read = []
        monkeypatch.setattr(
            shared_pictures, "read_image", lambda path: (read.append(path), read_image(path))[1]
        )
        kept = ImageStore(paths, SIZE, "bilinear", cache=True)
        kept.batch([1, 2, 2, 1])
        kept.batch([2, 3])
        assert sorted(read) == paths[1:4]
        read.clear()
        never = ImageStore(paths, SIZE, "bilinear", cache=False)
        never.batch([1, 2])
        never.batch([2, 3])
        assert sorted(read) == [paths[1], paths[2], paths[2], paths[3]]

    def test_what_is_handed_out_is_a_copy(self, paths):
        store = ImageStore(paths, SIZE, "bilinear", cache=True)
        store.batch([0]).zero_()
        assert torch.equal(store.batch([0]), expected(paths, [0]))

    @pytest.mark.parametrize("cache", [True, False])
    @pytest.mark.parametrize("threads", [1, 3])
    def test_unreadable_image_stops(self, broken, cache, threads):
        store = ImageStore(broken, SIZE, "bilinear", cache=cache, threads=threads)
        for _ in range(2):
            with pytest.raises(UnreadableImage) as caught:
                store.batch([4, 5, 6])
            assert caught.value.path == broken[5]
        assert torch.equal(store.batch([4, 6]), expected(broken, [4, 6]))
        assert not image_threads()

    def test_threads_may_share_a_store(self, paths):
        store = ImageStore(paths, SIZE, "bilinear", cache=True, threads=2)
        truth = expected(paths, range(COUNT))
        wrong = []

        def read(seed):
            rng = np.random.default_rng(seed)
            for _ in range(5):
                indices = rng.integers(0, COUNT, 9)
                if not torch.equal(store.batch(indices), truth[torch.from_numpy(indices)]):
                    wrong.append(indices)

        workers = [threading.Thread(target=read, args=(seed,)) for seed in range(4)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        assert not wrong

    @pytest.mark.parametrize("fits", [True, False])
    def test_auto_keeps_what_fits(self, paths, monkeypatch, fits):
        store = ImageStore(paths, SIZE, "bilinear")
        assert store.nbytes == COUNT * 3 * 16 * 8
        monkeypatch.setattr(store_module, "cache_budget", lambda: store.nbytes - (not fits))
        read = []
        monkeypatch.setattr(
            shared_pictures, "read_image", lambda path: (read.append(path), read_image(path))[1]
        )
        store.batch([0])
        store.batch([0])
        assert len(read) == (1 if fits else 2)

    def test_budget_is_a_quarter_of_free_memory_up_to_four_gigabytes(self, monkeypatch):
        for free, budget in ((8 << 30, 2 << 30), (64 << 30, 4 << 30), (0, 0)):
            monkeypatch.setattr(decoding_budget, "_free_memory", lambda free=free: free)
            assert cache_budget() == budget

    @pytest.mark.skipif(not hasattr(os, "sysconf"), reason="needs sysconf for the comparison")
    def test_free_memory_is_plausible(self):
        total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
        assert 1 << 20 < decoding_budget._free_memory() <= total

    def test_threads_by_default(self):
        assert 1 <= default_threads() <= 16


def test_readable_indices(broken):
    good, bad, clipped = readable_indices(broken, threads=2)
    assert clipped == []
    assert good == [i for i in range(COUNT) if i not in (5, 13)]
    assert [error.path for error in bad] == [broken[5], broken[13]]
    assert bad[1].reason == "there is no such file"
    assert not image_threads()


def test_readable_indices_over_many_tasks(broken):
    good, bad, _ = readable_indices(broken * 7, threads=2)
    assert len(good) == 7 * (COUNT - 2)
    assert good == sorted(good)
    assert [error.path for error in bad] == [broken[5], broken[13]] * 7
    assert readable_indices([]) == ([], [], [])


def test_boxes_are_cut_before_images_are_resized(broken):
    whole = ImageSource(broken[0])
    height, width = read_image(broken[0]).shape[1:]
    sources = [
        whole,
        ImageSource(broken[0], Box(1, 2, 3, 2)),
        ImageSource(broken[0], Box(-5, 0, 8, height + 9)),
        ImageSource(broken[0], Box(width, 0, 3, 3)),
        ImageSource(broken[5], Box(0, 0, 3, 3)),
    ]
    good, bad, clipped = readable_indices(sources, threads=2)
    assert (good, clipped) == ([0, 1, 2], [2])
    assert f"its box [{width}, 0, 3, 3] lies outside of the picture" in bad[0].reason
    assert bad[1].path == broken[5]
    for cache in (True, False):
        store = ImageStore(sources[:3], SIZE, "bilinear", cache=cache, threads=2)
        pixels = store.batch([0, 1, 2, 1])
        for row, number in enumerate((0, 1, 2, 1)):
            own = transforms.resize(read_image(sources[number]), SIZE, "bilinear")
            assert torch.equal(pixels[row], own)
        assert not torch.equal(pixels[0], pixels[1])


def make_loader(paths, *, sampler=None, augment=None, seed=3, cache: bool | str = True, **extra):
    labels = np.arange(COUNT) % 5
    return TrainLoader(
        ImageStore(paths, SIZE, "bicubic", cache=cache, threads=2),
        labels=labels,
        sampler=sampler or IdentityBalanced(labels, 3, 2, seed),
        augment=augment or Augment(pad=2),
        preprocess=PREPROCESS,
        seed=seed,
        **extra,
    )


def assert_same(first, second):
    for name in ("images", "labels", "cameras", "views", "indices"):
        assert torch.equal(getattr(first, name), getattr(second, name)), name


class TestTrainLoader:
    def test_batch_holds_what_the_sampler_asked_for(self, paths):
        cameras = [None if i % 4 == 0 else i % 4 for i in range(COUNT)]
        plain = Augment(flip=0, pad=0, erase=0)
        loader = make_loader(paths, cameras=cameras, augment=plain)
        wanted = IdentityBalanced(np.arange(COUNT) % 5, 3, 2, 3).batches(4)
        batches = list(loader.epoch(4))
        assert len(batches) == len(wanted) == len(loader.sizes(4))
        for batch, indices in zip(batches, wanted, strict=True):
            assert len(batch) == 6
            assert batch.indices.tolist() == indices.tolist()
            assert batch.labels.tolist() == [i % 5 for i in indices]
            assert batch.cameras.tolist() == [i % 4 or -1 for i in indices]
            assert batch.views.tolist() == [-1] * 6
            assert batch.images.dtype == torch.float32
            truth = transforms.normalize(expected(paths, indices, "bicubic"), PREPROCESS)
            assert torch.equal(batch.images, truth)

    @pytest.mark.parametrize("cache", [True, False])
    def test_starting_in_the_middle_gives_the_same_batches(self, paths, cache):
        whole = list(make_loader(paths).epoch(2))
        assert len(whole) >= 2
        for start in range(len(whole) + 1):
            rest = list(make_loader(paths, cache=cache).epoch(2, start=start))
            assert len(rest) == len(whole) - start
            for first, second in zip(whole[start:], rest, strict=True):
                assert_same(first, second)

    def test_epochs_seeds_and_batches_are_augmented_differently(self, paths):
        sampler = Uniform(COUNT, COUNT, 0)
        sampler.batches = lambda epoch: [np.arange(8), np.arange(8)]  # the same images each time
        images = [
            batch.images.numpy().tobytes()
            for seed in (0, 1)
            for epoch in (0, 1)
            for batch in make_loader(paths, sampler=sampler, seed=seed).epoch(epoch)
        ]
        assert len(set(images)) == 8

    def test_augmentation_is_seeded_by_seed_epoch_and_place(self, paths):
        loader = make_loader(paths)
        batch = list(loader.epoch(7))[1]
        generator = torch.Generator().manual_seed(derive_seed(3, 7, 1))
        pixels = expected(paths, batch.indices.tolist(), "bicubic")
        assert torch.equal(batch.images, apply(pixels, PREPROCESS, Augment(pad=2), generator))

    def test_global_random_state_is_left_alone(self, paths):
        before = torch.get_rng_state(), np.random.get_state()[1].copy()  # noqa: NPY002
        list(make_loader(paths).epoch(0))
        assert torch.equal(torch.get_rng_state(), before[0])
        assert np.array_equal(np.random.get_state()[1], before[1])  # noqa: NPY002

    def test_start_beyond_the_end(self, paths):
        loader = make_loader(paths)
        with pytest.raises(ValueError, match="start is 99"):
            loader.epoch(0, start=99)

    def test_unequal_lengths(self, paths):
        with pytest.raises(ValueError, match="3 cameras for 22 images"):
            make_loader(paths, cameras=[0, 1, 2])

    def test_an_error_comes_out_when_its_batch_is_due(self, broken):
        sampler = Uniform(COUNT, 4, 0)
        sampler.batches = lambda epoch: [np.array([0, 1]), np.array([2, 5]), np.array([3])]
        batches = make_loader(broken, sampler=sampler).epoch(0)
        assert next(batches).indices.tolist() == [0, 1]
        with pytest.raises(UnreadableImage) as caught:
            next(batches)
        assert caught.value.path == broken[5]
        assert not image_threads()

    def test_closing_early_leaves_no_thread(self, paths):
        batches = make_loader(paths, sampler=Uniform(COUNT, 2, 0)).epoch(0)
        next(batches)
        assert image_threads()
        batches.close()
        assert not image_threads()

    def test_breaking_out_leaves_no_thread(self, paths):
        for _ in make_loader(paths, sampler=Uniform(COUNT, 2, 0)).epoch(0):
            break
        assert not image_threads()

    def test_batches_are_read_ahead_but_not_too_far(self, paths, monkeypatch):
        asked, read = [], []

        class Pool(ThreadPoolExecutor):
            def submit(self, *work):
                asked.append(super().submit(*work))
                return asked[-1]

        class Recorded(ImageStore):
            def batch(self, indices):
                read.append(list(indices))
                return super().batch(indices)

        monkeypatch.setattr(loading, "ThreadPoolExecutor", Pool)
        loader = make_loader(paths, sampler=Uniform(COUNT, 2, 0))
        loader._store = Recorded(paths, SIZE, "bilinear")
        batches = loader.epoch(0)
        for taken in (1, 2):
            next(batches)
            assert len(asked) == taken + 3
            wait(asked)  # none of them needs a further batch to be taken
            assert len(read) == taken + 3
        batches.close()

    @pytest.mark.cuda
    def test_cuda_sees_the_same_batches(self, paths):
        here, there = make_loader(paths), make_loader(paths, device="cuda")
        for first, second in zip(here.epoch(0), there.epoch(0), strict=True):
            assert second.images.is_cuda
            assert second.labels.is_cuda
            torch.testing.assert_close(second.images.cpu(), first.images, rtol=0, atol=1e-6)


class TestCopies:
    def test_second_copies_repeat_all_but_the_changes(self, paths):
        cameras = [i % 3 for i in range(COUNT)]
        once = list(make_loader(paths, cameras=cameras).epoch(3))
        loader = make_loader(paths, cameras=cameras, copies=2)
        twice = list(loader.epoch(3))
        assert loader.sizes(3) == [len(batch) for batch in twice]
        assert len(once) == len(twice)
        for one, two in zip(once, twice, strict=True):
            count = len(one)
            assert len(two) == 2 * count
            assert two.images.shape[0] == 2 * count
            for name in ("labels", "cameras", "views", "indices"):
                assert torch.equal(getattr(two, name), getattr(one, name).repeat(2)), name
            assert torch.equal(two.images[:count], one.images)
            same = (two.images[count:] == one.images).flatten(1).all(1)
            assert same.float().mean() < 0.5
            assert two.mix is None

    def test_copies_are_seeded(self, paths):
        first, again = (list(make_loader(paths, copies=3).epoch(2)) for _ in "ab")
        for one, two in zip(first, again, strict=True):
            assert_same(one, two)
        rest = list(make_loader(paths, copies=3).epoch(2, start=1))
        assert_same(rest[0], first[1])

    def test_no_copies(self, paths):
        with pytest.raises(ConfigError, match="at least 1"):
            make_loader(paths, copies=0)


class TestMix:
    CONFIGS = (MixConfig(share=0.5), MixConfig(share=0.5, mixup=0, cutmix=1))

    @pytest.mark.parametrize("config", CONFIGS)
    def test_labels_say_what_images_show(self, paths, config):
        plain = Augment(flip=0, pad=0, erase=0)
        mixed = Augment(flip=0, pad=0, erase=0, mix=config)
        sampler = IdentityBalanced(np.arange(COUNT) % 5, 3, 4, 3)
        seen = 0
        for clean, batch in zip(
            make_loader(paths, augment=plain, sampler=sampler).epoch(1),
            make_loader(paths, augment=mixed, sampler=sampler).epoch(1),
            strict=True,
        ):
            assert torch.equal(batch.labels, clean.labels)
            mix = batch.mix
            untouched = (batch.images == clean.images).flatten(1).all(1)
            assert torch.equal(mix.clean, untouched)
            assert torch.equal(mix.partner[mix.clean], batch.labels[mix.clean])
            for label in batch.labels.unique():
                assert mix.clean[batch.labels == label].sum() >= 2
            for row in (~mix.clean).nonzero()[:, 0].tolist():
                weight = mix.weight[row]
                image, own = batch.images[row], clean.images[row]
                if config.cutmix:
                    share = (image == own).all(0).float().mean()
                    assert share == pytest.approx(weight.item(), abs=1e-6)
                    continue
                others = clean.images[batch.labels == mix.partner[row]]
                errors = (weight * own + (1 - weight) * others - image).abs().flatten(1)
                assert errors.amax(1).min() < 1e-5
                seen += 1
        assert seen or config.cutmix

    def test_copies_are_mixed_alike(self, paths):
        augment = Augment(pad=2, mix=MixConfig())
        found = 0
        for batch in make_loader(paths, augment=augment, copies=2).epoch(2):
            half = len(batch) // 2
            assert torch.equal(batch.mix.partner[:half], batch.mix.partner[half:])
            assert torch.equal(batch.mix.weight[:half], batch.mix.weight[half:])
            found += int((~batch.mix.clean).sum())
        assert found

    def test_seeded_and_none_when_all_are_clean(self, paths):
        augment = Augment(mix=MixConfig())
        first, again = (list(make_loader(paths, augment=augment).epoch(2)) for _ in "ab")
        for one, two in zip(first, again, strict=True):
            assert_same(one, two)
            assert torch.equal(one.mix.weight, two.mix.weight)
        weights = {tuple(batch.mix.weight.tolist()) for batch in first}
        assert len(weights) == len(first)
        none = make_loader(paths, augment=Augment(mix=MixConfig(share=0)))
        assert all(batch.mix is None for batch in none.epoch(2))


class TestTestLoader:
    @pytest.mark.parametrize("size", [1, 5, 11, 22, 40])
    def test_every_image_once_in_order(self, paths, size):
        loader = TestLoader(ImageStore(paths, SIZE, "bilinear"), PREPROCESS, size)
        batches = list(loader.batches())
        assert len(batches) == len(loader) == -(-COUNT // size)
        assert torch.cat([indices for indices, _ in batches]).tolist() == list(range(COUNT))
        images = torch.cat([images for _, images in batches])
        truth = transforms.normalize(expected(paths, range(COUNT)), PREPROCESS)
        assert torch.equal(images, truth)
        assert not image_threads()

    def test_twice_the_same(self, paths):
        loader = TestLoader(ImageStore(paths, SIZE, "bilinear", cache=True), PREPROCESS, 6)
        for first, second in zip(loader.batches(), loader.batches(), strict=True):
            assert torch.equal(first[1], second[1])

    def test_unreadable_image_stops_and_leaves_no_thread(self, broken):
        batches = TestLoader(ImageStore(broken, SIZE, "bilinear"), PREPROCESS, 4).batches()
        next(batches)
        with pytest.raises(UnreadableImage):
            list(batches)
        assert not image_threads()

    def test_nothing_to_load(self, paths):
        with pytest.raises(DataError, match="no images"):
            TestLoader(ImageStore([], SIZE, "bilinear"), PREPROCESS, 4)
        with pytest.raises(ConfigError, match="batch size"):
            TestLoader(ImageStore(paths, SIZE, "bilinear"), PREPROCESS, 0)
