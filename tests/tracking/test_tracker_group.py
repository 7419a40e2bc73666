import json
from pathlib import Path

import numpy as np
import pytest
from recording_tracker import Recorder

from promptreid.errors import RunError
from promptreid.tracking import tracker_group as group
from promptreid.tracking.track_option import parse_trackers
from promptreid.tracking.tracker import RunInfo
from promptreid.tracking.tracker_group import Trackers, read_tracking

ROWS = [{"stage": "image", "epoch": n, "loss": float(n)} for n in (1, 2, 3)]


@pytest.fixture
def recorder(monkeypatch):
    recorder = Recorder()
    monkeypatch.setattr(group, "make_tracker", recorder.make)
    return recorder


def info(folder: Path, step=0):
    return RunInfo("run", folder, {}, {}, (), step)


def trackers(folder, *texts, said=None, dropped=lambda: None):
    say = [].append if said is None else said.append
    return Trackers(folder, parse_trackers(texts), say=say, dropped=dropped)


def test_order_of_calls(recorder, tmp_path):
    told = trackers(tmp_path, "wandb:p")
    assert not told
    with told.session(info(tmp_path), []):
        assert told
        told.log(ROWS[0], 1)
        told.image("ranks", lambda: np.zeros((2, 2, 3), np.uint8), 1)
        told.summary([{"mAP": 0.5}])
    assert recorder.names() == ["start", "log", "image", "summary", "finish"]
    assert recorder.of("start") == [(info(tmp_path), None)]
    assert recorder.of("log") == [({"image/epoch": 1.0, "image/loss": 1.0}, 1)]
    assert recorder.of("image")[0][1].shape == (2, 2, 3)
    assert recorder.of("summary") == [({"scores/mAP": 0.5},)]
    assert recorder.of("finish") == [("complete",)]
    assert told.dropped == ()


@pytest.mark.parametrize(
    ("error", "outcome"), [(KeyboardInterrupt, "stopped"), (ValueError, "failed")]
)
def test_outcome_of_a_session(recorder, tmp_path, error, outcome):
    told = trackers(tmp_path, "wandb")
    with pytest.raises(error), told.session(info(tmp_path), []):
        raise error
    assert recorder.of("finish") == [(outcome,)]


def test_resumed_run_continues_the_tracked_one(recorder, tmp_path):
    first = trackers(tmp_path, "wandb:p", "mlflow")
    with first.session(info(tmp_path), []):
        first.log(ROWS[0], 1)
    ids = {record.kind: record.id for record in read_tracking(tmp_path)}
    recorder.calls.clear()
    again = trackers(tmp_path, "wandb:p", "mlflow")
    with again.session(info(tmp_path, 1), ROWS[:1]):
        again.log(ROWS[1], 2)
    assert recorder.of("start", "wandb:p")[0][1] == ids["wandb"]
    assert recorder.of("start", "mlflow")[0][1] == ids["mlflow"]
    assert [step for _, step in recorder.of("log", "mlflow")] == [2]
    assert [record.sent for record in read_tracking(tmp_path)] == [2, 2]


def test_epochs_that_are_trained_again_are_told_again(recorder, tmp_path):
    """A kill after epoch 3 went out and before it was saved: the table is back at epoch 2."""
    first = trackers(tmp_path, "wandb")
    with first.session(info(tmp_path), []):
        for step in (1, 2, 3):
            first.log(ROWS[step - 1], step)
    recorder.calls.clear()
    again = trackers(tmp_path, "wandb")
    with again.session(info(tmp_path, 2), ROWS[:2]):
        again.log(ROWS[2], 3)
    assert [step for _, step in recorder.of("log")] == [3]


def test_tracker_that_joins_late_gets_the_earlier_rows(recorder, tmp_path):
    first = trackers(tmp_path, "wandb")
    with first.session(info(tmp_path), []):
        first.log(ROWS[0], 1)
    recorder.calls.clear()
    again = trackers(tmp_path, "wandb", "mlflow")
    with again.session(info(tmp_path, 2), ROWS[:2]):
        pass
    assert [step for _, step in recorder.of("log", "wandb")] == [2]
    assert [step for _, step in recorder.of("log", "mlflow")] == [1, 2]


def test_option_without_a_place_continues_the_one_there_is(recorder, tmp_path):
    with trackers(tmp_path, "wandb:p").session(info(tmp_path), []):
        pass
    known = read_tracking(tmp_path)[0].id
    with trackers(tmp_path, "wandb").session(info(tmp_path), []):
        pass
    assert recorder.of("start")[1][1] == known
    with trackers(tmp_path, "wandb", "wandb:p").session(info(tmp_path), []):
        pass
    assert recorder.of("start")[2][1] is None
    assert recorder.of("start")[3][1] == known
    with trackers(tmp_path, "wandb:other").session(info(tmp_path), []):
        pass
    assert recorder.of("start")[4][1] is None


@pytest.mark.parametrize("method", ["start", "log", "image", "summary", "finish"])
@pytest.mark.parametrize("error", [OSError("no\n network"), SystemExit(1)])
def test_failing_tracker_is_dropped_alone(recorder, tmp_path, method, error):
    recorder.errors[("wandb", method)] = error
    said, dropped = [], []
    told = trackers(
        tmp_path, "wandb", "mlflow", said=said, dropped=lambda: dropped.append(told.dropped)
    )
    with told.session(info(tmp_path), []):
        told.log(ROWS[0], 1)
        told.log(ROWS[1], 2)
        told.image("ranks", np.zeros((2, 2, 3), np.uint8), 2)
        told.summary([{"mAP": 0.5}])
    whole = ["start", "log", "log", "image", "summary", "finish"]
    assert recorder.names("mlflow") == whole
    assert recorder.names("wandb") == whole[: whole.index(method) + 1]
    assert len([line for line in said if "failed" in line]) == 1
    (note,) = told.dropped
    assert note["tracker"] == "wandb"
    assert type(error).__name__ in note["error"]
    assert "\n" not in note["error"]
    assert dropped == [told.dropped]


def test_dropped_tracker_is_tried_again_by_the_next_session(recorder, tmp_path):
    recorder.errors[("wandb", "log")] = OSError("no network")
    first = trackers(tmp_path, "wandb")
    with first.session(info(tmp_path), []):
        first.log(ROWS[0], 1)
        assert not first
        first.image("ranks", lambda: pytest.fail("nobody wants it"), 1)
    known = read_tracking(tmp_path)[0]
    assert known.sent == 0
    recorder.errors.clear()
    recorder.calls.clear()
    again = trackers(tmp_path, "wandb")
    with again.session(info(tmp_path, 2), ROWS[:2]):
        pass
    assert recorder.of("start")[0][1] == known.id
    assert [step for _, step in recorder.of("log")] == [1, 2]


def test_stop_by_the_user_while_a_tracker_works_passes(recorder, tmp_path):
    recorder.errors[("wandb", "log")] = KeyboardInterrupt()
    told = trackers(tmp_path, "wandb")
    with pytest.raises(KeyboardInterrupt), told.session(info(tmp_path), []):
        told.log(ROWS[0], 1)
    assert recorder.of("finish") == [("stopped",)]
    assert told.dropped == ()


def test_no_tracker_leaves_no_file(recorder, tmp_path):
    told = trackers(tmp_path)
    with told.session(info(tmp_path), []):
        told.log(ROWS[0], 1)
        told.summary([{"mAP": 0.5}])
    assert recorder.calls == []
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("text", ["{", '[{"kind": "wandb"}]', '[{"color": 1}]', "3"])
def test_broken_file_is_explained(tmp_path, text):
    (tmp_path / "tracking.json").write_text(text)
    with pytest.raises(RunError, match="Remove it"):
        read_tracking(tmp_path)


def test_file_holds_what_continues_a_run(recorder, tmp_path):
    with trackers(tmp_path, "wandb:p").session(info(tmp_path), []):
        pass
    assert json.loads((tmp_path / "tracking.json").read_text())["trackers"] == [
        {"kind": "wandb", "place": "p", "id": "id-1", "where": "at wandb:p", "sent": 0}
    ]


def test_every_flipped_bit_of_the_file_is_found_or_means_the_same(recorder, tmp_path):
    with trackers(tmp_path, "wandb:p").session(info(tmp_path), []):
        pass
    path = tmp_path / "tracking.json"
    whole, known, found = path.read_bytes(), read_tracking(tmp_path), 0
    for bit in range(8 * len(whole)):
        content = bytearray(whole)
        content[bit // 8] ^= 1 << bit % 8
        path.write_bytes(content)
        try:
            assert read_tracking(tmp_path) == known
        except RunError:
            found += 1
    assert found > 7 * len(whole)


def test_trackers_get_names_as_text(recorder, tmp_path):
    told = trackers(tmp_path, "wandb:p")
    data = ({"spec": "folder:Andr\udce9"},)
    with told.session(RunInfo("\x1b[1mrun", tmp_path, {"name": "a\nb"}, {}, data), []):
        pass
    started = next(call[2] for call in recorder.calls if call[1] == "start")
    assert (started.name, started.recipe) == (r"\u001b[1mrun", {"name": r"a\u000ab"})
    assert started.data == ({"spec": r"folder:Andr\udce9"},)
    assert started.folder == tmp_path
