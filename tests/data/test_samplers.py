from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from promptreid.data.samplers import IdentityBalanced, Sequential, Uniform, derive_seed
from promptreid.errors import ConfigError, DataError

# Images per identity, at least as many identities as a batch takes.
group_sizes = st.lists(st.integers(1, 11), min_size=3, max_size=9)


def same(first, second):
    return len(first) == len(second) and all(map(np.array_equal, first, second))


def labels_of(sizes, seed=0):
    """Labels with gaps in their numbers, in random sample order."""
    labels = np.repeat(np.arange(len(sizes)) * 7 + 3, sizes)
    return np.random.default_rng(seed).permutation(labels)


class TestIdentityBalanced:
    @given(group_sizes, st.integers(2, 3), st.integers(2, 5), st.integers(0, 9), st.integers(0, 9))
    @settings(max_examples=150, deadline=None)
    def test_every_batch_has_p_identities_with_k_images(self, sizes, p, k, seed, epoch):
        labels = labels_of(sizes, seed)
        batches = IdentityBalanced(labels, p, k, seed).batches(epoch)
        assert batches
        for batch in batches:
            rows = labels[batch].reshape(p, k)
            assert (rows == rows[:, :1]).all()
            assert len(set(rows[:, 0])) == p

    @given(group_sizes, st.integers(2, 3), st.integers(2, 5), st.integers(0, 9))
    @settings(max_examples=150, deadline=None)
    def test_chunks_are_used_up_and_no_image_comes_twice(self, sizes, p, k, seed):
        labels = labels_of(sizes)
        batches = IdentityBalanced(labels, p, k, seed).batches(0)
        used = Counter(np.concatenate(batches).tolist())
        size_of = Counter(labels.tolist())
        assert all(n == 1 or size_of[labels[image]] < k for image, n in used.items())
        chunks = Counter({label: max(1, size // k) for label, size in size_of.items()})
        for batch in batches:
            chunks.subtract(labels[batch][::k].tolist())
        assert min(chunks.values()) >= 0
        assert sum(left > 0 for left in chunks.values()) < p

    @given(group_sizes, st.integers(0, 2**32), st.integers(0, 100))
    @settings(max_examples=50, deadline=None)
    def test_same_seed_and_epoch_same_batches(self, sizes, seed, epoch):
        labels = labels_of(sizes)
        first = IdentityBalanced(labels, 3, 2, seed)
        first.batches(epoch + 1)  # what was asked before must not matter
        assert same(first.batches(epoch), IdentityBalanced(labels, 3, 2, seed).batches(epoch))

    def test_seeds_and_epochs_differ(self):
        labels = labels_of([8] * 10)
        batches = [
            IdentityBalanced(labels, 4, 4, seed).batches(epoch)
            for seed in range(3)
            for epoch in range(3)
        ]
        assert len({np.concatenate(b).tobytes() for b in batches}) == 9

    def test_renumbering_labels_changes_nothing(self):
        labels = labels_of([5, 9, 4, 1, 8])
        renumbered = -labels * 13 + 1000
        assert same(
            IdentityBalanced(labels, 3, 4, 1).batches(2),
            IdentityBalanced(renumbered, 3, 4, 1).batches(2),
        )

    def test_small_identity_is_drawn_with_replacement(self):
        labels = np.array([0] * 8 + [1] * 8 + [2])
        batches = IdentityBalanced(labels, 3, 4, 0).batches(0)
        assert len(batches) == 1
        assert Counter(batches[0].tolist())[16] == 4
        labels = np.array([0] * 4 + [1] * 3)
        seen = [
            tuple(sorted(set(IdentityBalanced(labels, 2, 4, 0).batches(epoch)[0]) - set(range(4))))
            for epoch in range(60)
        ]
        assert {len(images) for images in seen} == {1, 2, 3}

    def test_all_images_and_all_partners_come_equally_often(self):
        sizes = [10] * 6
        labels = np.repeat(np.arange(6), sizes)
        sampler = IdentityBalanced(labels, 2, 4, 5)
        images, pairs, epochs = Counter(), Counter(), 400
        for epoch in range(epochs):
            for batch in sampler.batches(epoch):
                images.update(batch.tolist())
                pairs[tuple(sorted(labels[batch][::4].tolist()))] += 1
        counts = np.array([images[i] for i in range(60)])
        assert counts.min() > 0.85 * counts.mean()
        assert counts.max() < 1.15 * counts.mean()
        assert len(pairs) == 15
        assert min(pairs.values()) > 0.75 * np.mean(list(pairs.values()))

    def test_published_shape_of_an_epoch(self):
        """751 identities, 16 of them with 4 images each in a batch."""
        sizes = np.random.default_rng(0).integers(2, 40, 751)
        batches = IdentityBalanced(labels_of(sizes), 16, 4, 0).batches(0)
        chunks = np.maximum(sizes // 4, 1).sum()
        assert chunks / 16 * 0.9 < len(batches) <= chunks / 16

    def test_too_few_identities_is_an_error_with_the_remedy(self):
        with pytest.raises(DataError) as caught:
            IdentityBalanced([0, 0, 1, 1, 2], 16, 4, 0, setting="stages.image.batch")
        assert "3 identities" in str(caught.value)
        assert "16" in str(caught.value)
        assert "stages.image.batch.identities to at most 3" in str(caught.value)

    @pytest.mark.parametrize(("labels", "words"), [([5, 5], "1 identity,"), ([], "no identities,")])
    def test_nothing_to_tell_apart(self, labels, words):
        with pytest.raises(DataError, match=words):
            IdentityBalanced(labels, 2, 2, 0)

    @pytest.mark.parametrize(("p", "k", "word"), [(1, 4, "identities is 1"), (4, 1, "images is 1")])
    def test_batches_without_pairs_are_refused(self, p, k, word):
        with pytest.raises(ConfigError, match=word):
            IdentityBalanced([0, 0, 1, 1], p, k, 0)


class TestUniform:
    @given(st.integers(1, 60), st.integers(1, 20), st.integers(0, 99), st.integers(0, 9))
    @settings(max_examples=100, deadline=None)
    def test_each_image_once_and_no_empty_batch(self, count, size, seed, epoch):
        batches = Uniform(count, size, seed).batches(epoch)
        assert sorted(np.concatenate(batches).tolist()) == list(range(count))
        assert [len(b) for b in batches[:-1]] == [size] * (len(batches) - 1)
        assert 1 <= len(batches[-1]) <= size
        assert same(batches, Uniform(count, size, seed).batches(epoch))

    def test_count_that_divides_gives_no_tail(self):
        assert [len(b) for b in Uniform(12, 4, 0).batches(0)] == [4, 4, 4]

    def test_drop_last(self):
        sampler = Uniform(11, 4, 0, drop_last=True)
        assert [len(b) for b in sampler.batches(0)] == [4, 4]
        assert len({np.concatenate(sampler.batches(e)).tobytes() for e in range(5)}) == 5
        with pytest.raises(DataError, match="fewer than one batch of 12"):
            Uniform(11, 12, 0, drop_last=True)

    @pytest.mark.parametrize("make", [lambda *a: Uniform(*a, 0), Sequential])
    def test_bad_sizes(self, make):
        with pytest.raises(DataError, match="no images"):
            make(0, 4)
        with pytest.raises(ConfigError, match="batch size is 0"):
            make(4, 0)


@given(st.integers(1, 60), st.integers(1, 20))
def test_sequential(count, size):
    batches = Sequential(count, size).batches()
    assert np.concatenate(batches).tolist() == list(range(count))
    assert all(len(b) == size for b in batches[:-1])
    assert len(batches[-1]) >= 1
    assert same(batches, Sequential(count, size).batches(5))


class TestDeriveSeed:
    parts = st.lists(st.integers(0, 2**64 - 1), max_size=5).map(tuple)

    @given(parts, parts)
    def test_equal_only_for_equal_parts(self, first, second):
        assert (derive_seed(*first) == derive_seed(*second)) == (first == second)

    @pytest.mark.parametrize(
        ("first", "second"), [((1, 2), (1, 2, 0)), ((2**32,), (0, 1)), ((0,), ()), ((1, 2), (2, 1))]
    )
    def test_zeros_and_widths_are_told_apart(self, first, second):
        assert derive_seed(*first) != derive_seed(*second)

    def test_value_is_fixed_for_ever(self):
        assert derive_seed(1234, 1, 0) == 3068268560818945876
        assert 0 <= derive_seed(0) < 2**63

    @pytest.mark.parametrize("part", [-1, 2**64])
    def test_out_of_range(self, part):
        with pytest.raises(ConfigError, match="seed is"):
            derive_seed(0, part)
