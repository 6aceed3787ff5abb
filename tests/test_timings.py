import time

from serenity.command_line import Timings


def test_every_moment_belongs_to_one_phase():
    start = time.perf_counter() - 0.5
    timings = Timings(start)
    for phase in ("read", "events", "read"):
        timings.end(phase)
    assert list(timings.milliseconds) == ["read", "events"]
    assert timings.milliseconds["read"] >= 500
    assert sum(timings.milliseconds.values()) <= 1000 * (time.perf_counter() - start)
    assert str(timings).startswith("timings, ms: read 5") and "together" in str(timings)
