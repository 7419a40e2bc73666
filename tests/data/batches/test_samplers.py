from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from promptreid.data.batches.domain_balanced import DomainBalanced, DomainUniform
from promptreid.data.batches.identity_balanced import IdentityBalanced
from promptreid.data.batches.samplers import Sequential, Uniform
from promptreid.errors import ConfigError, DataError
from promptreid.seeds import derive_seed

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

    @pytest.mark.parametrize(("labels", "words"), [([5, 5], "1 identity,"), ([], "0 identities,")])
    def test_nothing_to_tell_apart(self, labels, words):
        with pytest.raises(DataError, match=words):
            IdentityBalanced(labels, 2, 2, 0)

    @pytest.mark.parametrize(("p", "k", "word"), [(1, 4, "identities is 1"), (4, 1, "images is 1")])
    def test_batches_without_pairs_are_refused(self, p, k, word):
        with pytest.raises(ConfigError, match=word):
            IdentityBalanced([0, 0, 1, 1], p, k, 0)


def domains_of(*sizes, seed=0):
    """Labels and domains of domains whose identities have these numbers of images, shuffled."""
    labels = np.concatenate([labels_of(own) + 1000 * k for k, own in enumerate(sizes)])
    domains = np.repeat(np.arange(len(sizes)), [sum(own) for own in sizes])
    order = np.random.default_rng(seed).permutation(len(labels))
    return labels[order], domains[order]


class TestDomainBalanced:
    @given(
        st.lists(group_sizes, min_size=1, max_size=4),
        st.integers(2, 3),
        st.integers(2, 4),
        st.integers(0, 9),
        st.integers(0, 9),
    )
    @settings(max_examples=100, deadline=None)
    def test_every_batch_has_p_identities_with_k_images_of_every_domain(
        self, sizes, p, k, seed, epoch
    ):
        labels, domains = domains_of(*sizes, seed=seed)
        batches = DomainBalanced(labels, domains, p, k, seed).batches(epoch)
        alone = [
            len(IdentityBalanced(labels[domains == d], p, k, s).batches(epoch))
            for d, s in enumerate([seed, *(derive_seed(seed, n) for n in range(1, len(sizes)))])
        ]
        assert len(batches) == max(alone)
        for batch in batches:
            own = domains[batch].reshape(len(sizes), p * k)
            assert (own == np.arange(len(sizes))[:, None]).all()
            rows = labels[batch].reshape(len(sizes), p, k)
            assert (rows == rows[:, :, :1]).all()
            assert all(len(set(domain[:, 0])) == p for domain in rows)

    @given(group_sizes, st.integers(2, 3), st.integers(2, 4), st.integers(0, 99))
    @settings(max_examples=50, deadline=None)
    def test_one_domain_changes_nothing(self, sizes, p, k, seed):
        labels = labels_of(sizes)
        several = DomainBalanced(labels, np.full(len(labels), 5), p, k, seed)
        alone = IdentityBalanced(labels, p, k, seed)
        assert all(same(several.batches(epoch), alone.batches(epoch)) for epoch in range(4))

    def test_small_domain_begins_again_reshuffled(self):
        labels, domains = domains_of([8] * 12, [8] * 3)
        batches = DomainBalanced(labels, domains, 3, 4, 0).batches(1)
        small = np.array([batch[domains[batch] == 1] for batch in batches])
        assert len(batches) >= 7
        # Three identities with two chunks of four each: two batches show every image once.
        for start in (0, 2, 4):
            assert len(set(small[start : start + 2].ravel())) == 24
        assert len({row.tobytes() for row in small[:6]}) == 6

    def test_every_image_of_a_small_domain_comes_equally_often(self):
        labels, domains = domains_of([8] * 20, [10] * 4)
        sampler = DomainBalanced(labels, domains, 4, 4, 3)
        seen = Counter(
            image
            for epoch in range(100)
            for batch in sampler.batches(epoch)
            for image in batch.tolist()
        )
        counts = np.array([seen[image] for image in np.flatnonzero(domains == 1)])
        assert counts.min() > 0.85 * counts.mean()
        assert counts.max() < 1.15 * counts.mean()

    def test_seeds_and_epochs_differ_and_repeat(self):
        labels, domains = domains_of([8] * 6, [8] * 4)
        made = {
            np.concatenate(DomainBalanced(labels, domains, 2, 2, seed).batches(epoch)).tobytes()
            for _ in range(2)
            for seed in range(3)
            for epoch in range(3)
        }
        assert len(made) == 9

    def test_domains_draw_apart_from_each_other(self):
        labels, domains = domains_of([8] * 6, [8] * 6)
        order = np.lexsort((labels, domains))
        labels, domains = labels[order], domains[order]
        batches = DomainBalanced(labels, domains, 2, 2, 0).batches(0)
        halves = [batch.reshape(2, -1) for batch in batches]
        assert any((first != second - 48).any() for first, second in halves)

    def test_domain_with_too_few_identities_is_named(self):
        labels, domains = domains_of([4] * 9, [4] * 3)
        with pytest.raises(DataError) as caught:
            DomainBalanced(
                labels, domains, 4, 2, 0, setting="stages.image.batch", names=("a", "market")
            )
        assert "market shows 3 identities" in str(caught.value)
        assert "stages.image.batch.identities to at most 3" in str(caught.value)

    def test_identity_of_two_domains_is_refused(self):
        with pytest.raises(DataError, match="Label 1 is in domain 0 and in domain 1"):
            DomainBalanced([0, 0, 1, 1, 1, 1, 2, 2], [0, 0, 0, 0, 1, 1, 1, 1], 2, 2, 0)

    @pytest.mark.parametrize(("p", "k", "word"), [(1, 4, "identities is 1"), (4, 1, "images is 1")])
    def test_batches_without_pairs_are_refused(self, p, k, word):
        with pytest.raises(ConfigError, match=word):
            DomainBalanced([0, 0, 1, 1], [0, 0, 0, 0], p, k, 0)

    def test_columns_that_do_not_fit(self):
        with pytest.raises(DataError, match="4 images need 4 domains"):
            DomainBalanced([0, 0, 1, 1], [0, 0], 2, 2, 0)
        with pytest.raises(DataError, match="no images"):
            DomainBalanced([], [], 2, 2, 0)


class TestDomainUniform:
    @given(
        st.lists(st.integers(1, 30), min_size=1, max_size=4),
        st.integers(1, 12),
        st.integers(0, 99),
        st.integers(0, 9),
    )
    @settings(max_examples=100, deadline=None)
    def test_same_number_of_every_domain(self, sizes, size, seed, epoch):
        domains = np.random.default_rng(seed).permutation(np.repeat(np.arange(len(sizes)), sizes))
        batches = DomainUniform(domains, size, seed).batches(epoch)
        largest = max(sizes)
        assert len(batches) == -(-largest // size)
        counts = [size] * (largest // size) + [largest % size] * bool(largest % size)
        for batch, each in zip(batches, counts, strict=True):
            assert domains[batch].tolist() == np.repeat(np.arange(len(sizes)), each).tolist()
        drawn = Counter(np.concatenate(batches).tolist())
        for domain, own in enumerate(sizes):
            times = [drawn[image] for image in np.flatnonzero(domains == domain)]
            assert sum(times) == largest
            assert max(times) - min(times) <= 1
            assert min(times) == largest // own

    @given(st.integers(1, 40), st.integers(1, 12), st.integers(0, 99), st.integers(0, 9))
    @settings(max_examples=50, deadline=None)
    def test_one_domain_changes_nothing(self, count, size, seed, epoch):
        several = DomainUniform(np.full(count, 3), size, seed).batches(epoch)
        assert same(several, Uniform(count, size, seed).batches(epoch))

    def test_seeds_epochs_and_domains_differ(self):
        domains = np.repeat([0, 1], 20)
        made = [DomainUniform(domains, 8, seed).batches(e) for seed in range(3) for e in range(3)]
        assert len({np.concatenate(batches).tobytes() for batches in made}) == 9
        first, second = made[0][0].reshape(2, 8)
        assert (first != second - 20).any()

    def test_bad_sizes(self):
        with pytest.raises(DataError, match="no images"):
            DomainUniform([], 4, 0)
        with pytest.raises(ConfigError, match="batch size is 0"):
            DomainUniform([0, 1], 0, 0)


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
