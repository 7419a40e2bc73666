"""Threads of products are those that NumPy and PyTorch are told."""

import pytest

from promptreid.processor import count_cores, count_threads


@pytest.mark.parametrize(("told", "threads"), [("3", 3), ("", None), ("0", None), ("many", None)])
def test_threads_are_as_many_as_told_or_one_for_each_core(monkeypatch, told, threads):
    monkeypatch.setenv("OMP_NUM_THREADS", told)
    assert count_threads() == (threads or count_cores()) >= 1
