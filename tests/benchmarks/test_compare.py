"""Running two sides in turns, and what a row says of them."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from benchmarks.compare import Check, Comparison, Settings, compare
from benchmarks.memory import peak_memory

SETTINGS = Settings(quick=True, threads=1, device=torch.device("cpu"))
COLUMNS = [
    "name",
    "ratio",
    "lowest_ratio",
    "highest_ratio",
    "plain_seconds",
    "seconds",
    "max_difference",
    "plain_memory",
    "memory",
    "device",
]


def sides(calls, **options):
    def side(name):
        return lambda: calls.append(name) or torch.get_num_threads()

    checks = options.pop("checks", lambda plain, ours: (Check("threads", plain - ours, 0.0),))
    return Comparison("work", side("plain"), side("ours"), checks, **options)


def test_sides_take_turns_and_the_beginner_changes():
    calls = []
    compare(sides(calls, repeats=2, warm_up=True), SETTINGS)
    assert calls == ["plain", "ours", "ours", "plain", "plain", "ours"]


def test_preparation_comes_before_every_run():
    calls = []
    compare(sides(calls, repeats=1, warm_up=False, prepare=lambda: calls.append("-")), SETTINGS)
    assert calls == ["-", "plain", "-", "ours"]


def test_row_has_the_columns_and_adds_what_is_held():
    outcome = compare(sides([], repeats=1, held=(1 << 30, 1 << 20)), SETTINGS)
    row = outcome.row.to_dict()
    assert list(row) == COLUMNS
    assert row["ratio"] == row["plain_seconds"] / row["seconds"]
    if row["memory"] is not None:
        assert row["plain_memory"] >= 1 << 30
        assert 1 << 20 <= row["memory"] < 1 << 30
    assert row["device"].endswith("1 thread, quick")


def test_times_are_medians_without_the_warm_up(monkeypatch):
    clock = iter([0, 100, 0, 50, 0, 1, 0, 8, 0, 6, 0, 3, 0, 4, 0, 30])
    monkeypatch.setattr("time.perf_counter", lambda: next(clock))
    row = compare(sides([], repeats=3), SETTINGS).row
    # Rounds: (plain 100, ours 50) untimed, (ours 1, plain 8), (plain 6, ours 3), (ours 4, plain 30)
    assert (row.plain_seconds, row.seconds) == (8, 3)
    assert (row.ratio, row.lowest_ratio, row.highest_ratio) == (8 / 3, 2, 8)
    assert not row.is_slower


@pytest.mark.parametrize(
    ("plain", "ours", "rounds"),
    [
        ([1.0] * 3, [1.1, 0.9, 1.1], 3),  # one round won
        ([1.0] * 5, [1.1] * 4 + [0.99], 5),  # won when in doubt
        ([1.0] * 8, [1.01] * 8, 8),  # lost every one
    ],
)
def test_a_row_is_slower_when_every_round_was_lost(monkeypatch, plain, ours, rounds):
    ticks = []
    for number, (slow, fast) in enumerate(zip(plain, ours, strict=True)):
        ticks += [0, slow, 0, fast] if number % 2 == 0 else [0, fast, 0, slow]
    clock = iter(ticks)
    monkeypatch.setattr("time.perf_counter", lambda: next(clock))
    comparison = sides([], repeats=3, warm_up=False)
    row = compare(comparison, replace(SETTINGS, quick=False)).row
    assert next(clock, None) is None
    assert row.is_slower is (rounds == 8)
    assert row.highest_ratio == max(slow / fast for slow, fast in zip(plain, ours, strict=True))


def test_threads_are_set_for_both_and_put_back():
    before = torch.get_num_threads()
    seen = []
    checks = lambda plain, ours: (seen.extend([plain, ours]), Check("x", 0.0, 0.0))[1:]  # noqa: E731
    outcome = compare(sides([], repeats=1, threads=2, checks=checks), SETTINGS)
    assert seen == [2, 2]
    assert torch.get_num_threads() == before
    assert "2 threads" in outcome.row.device


@pytest.mark.parametrize(("value", "passed"), [(0.0, True), (1e-3, True), (2e-3, False)])
def test_a_row_agrees_when_all_checks_pass(value, passed):
    checks = lambda plain, ours: (Check("a", 0.0, 0.0), Check("b", value, 1e-3))  # noqa: E731
    outcome = compare(sides([], repeats=1, checks=checks), SETTINGS)
    assert outcome.agrees is passed
    assert outcome.row.max_difference == 0.0


def test_not_a_number_never_agrees():
    assert not Check("a", math.nan, 1.0).passed
    assert "is not" in str(Check("a", math.nan, 1.0))


def test_peak_memory_sees_what_numpy_and_torch_touch_and_free():
    sizes = []
    for make in (lambda: np.ones(8 << 20), lambda: torch.ones(8 << 20, dtype=torch.float64)):
        with peak_memory(torch.device("cpu")) as peak:
            make()
        sizes.append(peak.bytes)
    if None in sizes:
        pytest.skip("the system does not tell a process's peak memory")
    for size in sizes:
        assert 60 << 20 <= size <= 90 << 20


def test_peak_memory_is_of_the_block_alone():
    big = torch.ones(16 << 20)
    with peak_memory(torch.device("cpu")) as peak:
        pass
    assert peak.bytes is None or peak.bytes < 1 << 22
    assert big.sum() == 16 << 20
