"""All trackers of one run: what they know of it is kept, and one that fails is dropped."""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from promptreid.errors import RunError, first_line
from promptreid.files import write_json
from promptreid.text.safe import visible, visible_tree
from promptreid.tracking.pictures import picture_pixels
from promptreid.tracking.track_option import TrackerSpec, make_tracker
from promptreid.tracking.tracker import Outcome, RunInfo, Tracker
from promptreid.tracking.values import epoch_values, score_values

TRACKING = "tracking.json"


@dataclass
class Tracked:
    """One tracked run as `tracking.json` records it.

    Attributes:
        kind: Kind of tracker.
        place: Place in the tracker, as given.
        id: What continues the tracked run; empty before it was started.
        where: Where a person finds the tracked run.
        sent: Number of epochs that the tracker has taken.
    """

    kind: str
    place: str
    id: str = ""
    where: str = ""
    sent: int = 0

    @property
    def spec(self) -> TrackerSpec:
        """What was asked for."""
        return TrackerSpec(self.kind, self.place)


def read_tracking(folder: Path) -> list[Tracked]:
    """Read which tracked runs belong to a run folder.

    Raises:
        RunError: The file is not what a run writes.
    """
    path = folder / TRACKING
    if not path.is_file():
        return []
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        if content["digest"] != _digest(content["trackers"]):
            raise ValueError("its content is not as it was written")
        return [Tracked(**record) for record in content["trackers"]]
    except Exception as error:  # whatever a damaged file makes of it
        raise RunError(
            f"{path} cannot be read: {first_line(error)}. Remove it, and the trackers start new "
            "runs."
        ) from error


def _digest(records: object) -> str:
    text = json.dumps(records, sort_keys=True)
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


class Trackers:
    """Passes a run's results on to any number of trackers; false when none is left.

    No method raises because of a tracker: the first failure is said once, noted in `dropped`, and
    the tracker is not called again.
    """

    def __init__(
        self,
        folder: Path,
        specs: Sequence[TrackerSpec],
        *,
        say: Callable[[str], None],
        dropped: Callable[[], None] = lambda: None,
    ) -> None:
        """Take what to start; nothing is started yet.

        Args:
            folder: The run folder, which records the ids.
            specs: Trackers; those that the folder knows continue their runs.
            say: Called with each message.
            dropped: Called after a tracker was dropped.

        Raises:
            RunError: `tracking.json` cannot be read.
        """
        self._folder, self._say, self._on_drop = folder, say, dropped
        self._records = read_tracking(folder)
        self._wanted = [self._find_record(spec, specs) for spec in specs]
        self._live: list[tuple[Tracked, Tracker]] = []
        self._failures: list[dict[str, str]] = []

    def __bool__(self) -> bool:
        return bool(self._live)

    @contextlib.contextmanager
    def session(
        self,
        info: RunInfo,
        rows: Sequence[Mapping[str, Any]],
        *,
        stopped: tuple[type[BaseException], ...] = (KeyboardInterrupt,),
    ) -> Generator[None]:
        """Start all trackers, and finish them with the outcome of the block.

        Args:
            info: The run.
            rows: The metrics table so far; a tracker that lacks rows gets them now.
            stopped: Exceptions that mean the run was stopped on purpose and may go on later.
        """
        outcome: Outcome = "failed"
        try:
            self._start(info, rows)
            yield
            outcome = "complete"
        except stopped:
            outcome = "stopped"
            raise
        finally:
            self._call_all("ending", lambda tracker, _: tracker.finish(outcome))
            self._live = []

    def log(self, row: Mapping[str, Any], step: int) -> None:
        """Pass one row of the metrics table on; `step` is its number, from 1."""
        if not self._live:
            return
        values = epoch_values(row)

        def send(tracker: Tracker, record: Tracked) -> None:
            tracker.log(values, step)
            record.sent = step

        self._call_all("logging", send)
        self._save()

    def image(self, name: str, picture: Any, step: int) -> None:
        """Pass a picture on.

        Args:
            name: What it shows, such as `ranks/worst`.
            picture: What `picture_pixels` takes, or a function that makes it, which is called
                only when some tracker wants it; what it raises is not a tracker's failure and
                passes on.
            step: Epochs trained so far.
        """
        if not self._live:
            return
        pixels = picture_pixels(picture() if callable(picture) else picture)
        self._call_all("taking a picture", lambda tracker, _: tracker.image(name, pixels, step))

    def summary(self, results: Sequence[Mapping[str, Any]]) -> None:
        """Pass the final scores on, one mapping per test set, as in `scores.json`."""
        values = score_values(results)
        self._call_all("taking the scores", lambda tracker, _: tracker.summary(values))

    @property
    def dropped(self) -> tuple[dict[str, str], ...]:
        """Which trackers were dropped: "tracker", "while" and "error" of each."""
        return tuple(self._failures)

    def _start(self, info: RunInfo, rows: Sequence[Mapping[str, Any]]) -> None:
        # Clients send what they get over wires that carry text only.
        info = replace(
            info,
            name=visible(info.name),
            recipe=visible_tree(info.recipe),
            environment=visible_tree(info.environment),
            data=visible_tree(info.data),
        )
        for record in self._wanted:
            started: list[Tracker] = []

            def start(record: Tracked = record, started: list[Tracker] = started) -> None:
                tracker = make_tracker(record.spec)
                started.append(tracker)
                run = tracker.start(info, record.id or None)
                record.id, record.where = run.id, run.where
                for step in range(min(record.sent, len(rows)) + 1, len(rows) + 1):
                    tracker.log(epoch_values(rows[step - 1]), step)
                record.sent = len(rows)

            if self._try(record, "starting", start):
                self._live.append((record, started[0]))
                where = f"`{record.where}`" if " " in record.where else record.where
                self._say(f"tracking with {record.spec}: {where}")
        if self._wanted:
            self._save()

    def _call_all(self, doing: str, call: Callable[[Tracker, Tracked], None]) -> None:
        """Call all trackers, and go on with those that did not fail."""
        self._live = [
            (record, tracker)
            for record, tracker in self._live
            if self._try(record, doing, lambda: call(tracker, record))  # noqa: B023
        ]

    def _try(self, record: Tracked, doing: str, call: Callable[[], None]) -> bool:
        """Call a tracker; where it fails, note and say so."""
        try:
            call()
        except (Exception, SystemExit) as error:  # whatever a client does, the run goes on
            message = " ".join(f"{type(error).__name__}: {error}".split())[:300]
            self._failures.append({"tracker": str(record.spec), "while": doing, "error": message})
            self._say(
                f"{record.spec} failed while {doing} and is dropped; training goes on. {message}"
            )
            self._on_drop()
            return False
        return True

    def _find_record(self, spec: TrackerSpec, specs: Sequence[TrackerSpec]) -> Tracked:
        """Return the run that a tracker continues, or the record of a new one."""
        same_kind = [record for record in self._records if record.kind == spec.kind]
        for record in same_kind:
            if record.place == spec.place:
                return record
        if not spec.place and len(same_kind) == 1 and same_kind[0].spec not in specs:
            return same_kind[0]  # `--track wandb` continues wandb:PROJECT
        self._records.append(Tracked(spec.kind, spec.place))
        return self._records[-1]

    def _save(self) -> None:
        started = [asdict(record) for record in self._records if record.id]
        write_json(self._folder / TRACKING, {"trackers": started, "digest": _digest(started)})
