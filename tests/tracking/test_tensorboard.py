"""Event files, read back by TensorBoard's own reader."""

import shutil
from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("tensorboard", reason="tensorboard is not installed: promptreid[tensorboard]")

from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from promptreid.tracking.tensorboard import TensorBoardTracker


def read(folder):
    reader = EventAccumulator(str(folder), size_guidance={"scalars": 0, "images": 0, "tensors": 0})
    reader.Reload()
    return reader


def scalars(reader, name):
    # By step: the reader takes files of one second in the order of their names, not of time.
    events = sorted(reader.Scalars(name), key=lambda event: event.step)
    return [(event.step, round(event.value, 4)) for event in events]


def text(reader, name):
    return [event.tensor_proto.string_val[0].decode() for event in reader.Tensors(name)]


def test_whole_run(info):
    tracker = TensorBoardTracker("")
    tracked = tracker.start(info, None)
    assert tracked.id == "tensorboard"
    assert tracked.where == f"tensorboard --logdir {info.folder / 'tensorboard'}"
    tracker.log({"image/loss": 2.0, "image/lr": 0.5}, 1)
    assert scalars(read(info.folder / "tensorboard"), "image/loss") == [(1, 2.0)]
    tracker.log({"image/loss": 1.5}, 2)
    pixels = np.zeros((4, 6, 3), np.uint8)
    tracker.image("ranks", pixels, 2)
    tracker.summary({"scores/mAP": 0.75})
    tracker.finish("complete")
    reader = read(info.folder / "tensorboard")
    assert scalars(reader, "image/loss") == [(1, 2.0), (2, 1.5)]
    assert scalars(reader, "image/lr") == [(1, 0.5)]
    assert scalars(reader, "scores/mAP") == [(2, 0.75)]
    (picture,) = reader.Images("ranks")
    assert (picture.step, picture.height, picture.width) == (2, 4, 6)
    assert '"name": "small"' in text(reader, "recipe/text_summary")[0]
    assert '"seed": 5' in text(reader, "environment/text_summary")[0]
    assert text(reader, "status/text_summary") == ["complete"]


def test_resumed_run_hides_the_epochs_that_come_again(info):
    first = TensorBoardTracker("")
    known = first.start(info, None).id
    for step, loss in ((1, 2.0), (2, 1.5), (3, 9.0)):
        first.log({"image/loss": loss}, step)
    first.finish("stopped")
    again = TensorBoardTracker("")
    again.start(replace(info, step=2), known)
    again.log({"image/loss": 1.0}, 3)
    again.finish("complete")
    reader = read(info.folder / "tensorboard")
    assert scalars(reader, "image/loss") == [(1, 2.0), (2, 1.5), (3, 1.0)]
    assert len(text(reader, "recipe/text_summary")) == 1


def test_run_that_is_moved_keeps_its_history(info, tmp_path):
    first = TensorBoardTracker("")
    known = first.start(info, None).id
    first.log({"image/loss": 2.0}, 1)
    first.finish("stopped")
    shutil.move(info.folder, tmp_path / "moved")
    again = TensorBoardTracker("")
    again.start(replace(info, folder=tmp_path / "moved", step=1), known)
    again.log({"image/loss": 1.0}, 2)
    again.finish("complete")
    assert scalars(read(tmp_path / "moved" / "tensorboard"), "image/loss") == [(1, 2.0), (2, 1.0)]
    assert not info.folder.exists()


def test_runs_of_one_folder_lie_side_by_side(info, tmp_path):
    place = str(tmp_path / "logs")
    found = []
    for _ in range(2):
        tracker = TensorBoardTracker(place)
        found.append(tracker.start(info, None).id)
        tracker.log({"image/loss": 2.0}, 1)
        tracker.finish("complete")
    assert found == [f"{place}/run", f"{place}/run-2"]
    again = TensorBoardTracker(place)
    assert again.start(replace(info, step=1), found[0]).id == found[0]
    again.log({"image/loss": 1.0}, 2)
    again.finish("complete")
    assert scalars(read(f"{place}/run"), "image/loss") == [(1, 2.0), (2, 1.0)]
    assert scalars(read(f"{place}/run-2"), "image/loss") == [(1, 2.0)]
