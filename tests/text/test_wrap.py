from hypothesis import given
from hypothesis import strategies as st

from promptreid.text.wrap import wrapped

EPOCH = (
    "image 12/60  loss 8.1021  id 3.5819  triplet 4.2575  i2t 2.9491  accuracy 29.2%  "
    "val mAP 70.5% rank-1 81.0%  lr 1.90e-05  28 images/s"
)


def test_lines_break_where_their_parts_end():
    assert wrapped(EPOCH).split("\n") == [
        "image 12/60  loss 8.1021  id 3.5819  triplet 4.2575  i2t 2.9491  accuracy 29.2%",
        "  val mAP 70.5% rank-1 81.0%  lr 1.90e-05  28 images/s",
    ]


def test_short_lines_stay_and_paths_stay_whole():
    assert wrapped("a  b\n  c") == "a  b\n  c"
    path = "/" + "x" * 100
    assert wrapped(f"  cannot read {path} today").split("\n") == [
        f"  cannot read {path}",
        "    today",
    ]


def test_commands_between_backticks_stay_whole():
    command = "`tensorboard --logdir /tmp/some/where/very/far/away/below/a/folder/of/runs`"
    assert wrapped(f"tracking with tensorboard: {command} and more").split("\n") == [
        "tracking with tensorboard:",
        f"  {command}",
        "  and more",
    ]
    assert wrapped("a `b c` d", width=5).split("\n") == ["a `b c`", "  d"]


@given(st.lists(st.text("ab", min_size=1, max_size=12), min_size=1, max_size=60), st.integers(0, 3))
def test_no_word_is_lost_and_every_line_fits(words, indent):
    line = " " * indent + " ".join(words)
    parts = wrapped(line, width=20).split("\n")
    assert all(len(part) <= 20 for part in parts)
    assert " ".join(parts).split() == words
