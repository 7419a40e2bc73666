import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptreid.errors import ConfigError
from promptreid.inference.shards.shard_plan import ShardPlan, WorkShare, name_local_device


@given(st.integers(0, 500), st.integers(1, 70))
def test_shards_cut_the_rows_in_order_and_leave_none_out(rows, shard_rows):
    plan = ShardPlan(rows, shard_rows)
    ranges = [plan.shard_range(shard) for shard in range(len(plan))]
    assert [row for part in ranges for row in part] == list(range(rows))
    assert all(len(part) == shard_rows for part in ranges[:-1])
    assert not ranges or 1 <= len(ranges[-1]) <= shard_rows


@given(st.integers(0, 500), st.integers(1, 70), st.integers(1, 9))
def test_every_shard_belongs_to_one_process(rows, shard_rows, processes):
    plan = ShardPlan(rows, shard_rows)
    shares = [WorkShare(index, processes).shards(plan) for index in range(processes)]
    assert sorted(shard for share in shares for shard in share) == list(range(len(plan)))
    sizes = [len(share) for share in shares]
    assert max(sizes) - min(sizes) <= 1


def test_names_sort_as_the_rows_do():
    plan = ShardPlan(123_456_789, 1_000_000)
    names = [plan.name(shard) for shard in range(len(plan))]
    assert names == sorted(names)
    assert names[-1] == "rows-000123000000-000123456789"


@pytest.mark.parametrize(
    "text", ["4/4", "5/4", "0/0", "-1/4", "a/4", "1", "1/", "/4", "1/2/3", "0/" + "9" * 5000]
)
def test_a_part_that_is_none(text):
    with pytest.raises(ConfigError, match="names no part of the work"):
        WorkShare.parse(text)


def test_parts_come_from_words_and_from_torchrun():
    assert WorkShare.parse("2/8") == WorkShare(2, 8)
    assert WorkShare.from_environment({}) == WorkShare()
    assert WorkShare.from_environment({"RANK": "3", "WORLD_SIZE": "4"}) == WorkShare(3, 4)


def test_each_process_of_a_machine_has_a_card_of_its_own():
    assert name_local_device({"LOCAL_RANK": "1", "LOCAL_WORLD_SIZE": "4"}) == "cuda:1"
    assert name_local_device({"LOCAL_RANK": "0", "LOCAL_WORLD_SIZE": "1"}) is None
    assert name_local_device({}) is None


def test_a_shard_has_rows():
    with pytest.raises(ConfigError, match="at least 1"):
        ShardPlan(10, 0)
