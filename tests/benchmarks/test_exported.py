"""Ways to compute vectors take turns, and the first turn of each is not timed."""

from benchmarks import exported


def test_turns_are_taken_and_the_first_warms_up(monkeypatch):
    clock, calls = [0.0], []

    def way(name, *seconds):
        left = list(seconds)

        def compute(count):
            calls.append((name, count))
            clock[0] += count * left.pop(0)

        return compute

    monkeypatch.setattr(exported.time, "perf_counter", lambda: clock[0])
    ways = {"slow": way("slow", 99, 3, 5, 4), "fast": way("fast", 50, 1, 1, 2)}
    assert exported.time_ways(ways, 4, 3) == {"slow": 4, "fast": 1}
    assert calls == [("slow", 4), ("fast", 4)] * 4
