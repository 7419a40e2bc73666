"""A tracker that keeps what it is told, and fails when it is asked to."""

from promptreid.tracking.tracker import TrackedRun


class RecordingTracker:
    """Calls in their order, shared by all trackers of one `Recorder`."""

    def __init__(self, recorder, spec):
        self.recorder, self.spec = recorder, spec

    def _take(self, name, *details):
        self.recorder.calls.append((str(self.spec), name, *details))
        error = self.recorder.errors.get((str(self.spec), name))
        if error is not None:
            raise error

    def start(self, info, known):
        self._take("start", info, known)
        return TrackedRun(known or f"id-{len(self.recorder.calls)}", f"at {self.spec}")

    def log(self, values, step):
        self._take("log", dict(values), step)

    def image(self, name, pixels, step):
        self._take("image", name, pixels, step)

    def summary(self, scores):
        self._take("summary", dict(scores))

    def finish(self, outcome):
        self._take("finish", outcome)


class Recorder:
    """Makes recording trackers; `errors[(spec, method)]` is raised by that method."""

    def __init__(self, errors=None):
        self.calls, self.errors = [], dict(errors or {})

    def make(self, spec):
        return RecordingTracker(self, spec)

    def names(self, tracker=None):
        return [call[1] for call in self.calls if tracker in (None, call[0])]

    def of(self, name, tracker=None):
        return [c[2:] for c in self.calls if c[1] == name and tracker in (None, c[0])]
