"""What several processes find alike is told by one of them, and what one finds by that one."""

import pytest
from torch import distributed as dist

from promptreid.errors import DataError, ToldElsewhereError
from promptreid.processes.process_group import ALONE, Processes
from promptreid.processes.told_once import errors_told_once


def fail(processes, sentence):
    """Return the error with which a process ends that fails with a sentence."""
    with pytest.raises((DataError, ToldElsewhereError)) as caught, errors_told_once(processes):
        raise DataError(sentence)
    assert str(caught.value) == sentence
    return type(caught.value)


def test_the_same_sentence_is_told_by_the_first_that_fails():
    store = dist.HashStore()
    first, second, third = (Processes(rank, 3, host=object(), store=store) for rank in range(3))
    assert fail(second, "no such folder") is DataError
    assert fail(first, "no such folder") is ToldElsewhereError
    assert fail(third, "the disk of this machine is full") is DataError


def test_without_others_or_what_all_read_everything_is_told():
    class Gone(dist.HashStore):
        def compare_set(self, *_):
            raise dist.DistNetworkError("Connection reset by peer")

    for processes in (ALONE, Processes(1, 2, host=object(), store=Gone())):
        assert fail(processes, "no such folder") is DataError
