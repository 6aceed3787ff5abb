"""How long each phase of a script took."""

import time


class Timings:
    """Milliseconds by phase. A phase ends where it is named; a module's import counts where it is first needed."""

    def __init__(self, start: float):
        """`start`, by time.perf_counter, is when the first phase began."""
        self.last, self.milliseconds = start, {}

    def end(self, phase: str) -> None:
        """Count the time since the last phase ended as this phase's."""
        now = time.perf_counter()
        self.milliseconds[phase] = self.milliseconds.get(phase, 0.0) + 1000 * (now - self.last)
        self.last = now

    def __str__(self) -> str:
        phases = ", ".join(f"{phase} {value:.0f}" for phase, value in self.milliseconds.items())
        return f"timings, ms: {phases}; together {sum(self.milliseconds.values()):.0f}"
