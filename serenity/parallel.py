"""Work in several processes, with a progress bar where one is wanted."""

import multiprocessing
import os
import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial

from tqdm import tqdm

from serenity.errors import InputError

PATIENCE = 1.0  # seconds without a result after which the processes are looked at


def in_parallel(work: Callable, jobs: Sequence, workers: int | None = None, title: str | None = None,
                chunk: int = 1) -> Iterator:
    """Yield work(job) for each job in order, over `workers` processes that take `chunk` jobs at a time.

    `workers` None: one for each core. `title` None: no progress bar. A few jobs are done in this process: to start
    others would take longer. If the caller stops asking for results, the processes end. Raises what `work` raises, and
    InputError where a process was killed.
    """
    chunks = [jobs[start:start + chunk] for start in range(0, len(jobs), chunk)]
    workers = min(workers or os.cpu_count() or 1, len(chunks))
    results = _over_processes(partial(_each, work), chunks, workers) if workers > 1 else map(work, jobs)
    yield from tqdm(results, title, len(jobs), disable=None if title else True)  # None: only on a terminal


def _over_processes(work: Callable, chunks: list[Sequence], workers: int) -> Iterator:
    # "spawn", because a forked child of a process with threads may hang, and it is what every platform has.
    others = set(multiprocessing.active_children())
    with _ignoring_interrupts():
        pool = multiprocessing.get_context("spawn").Pool(workers)
    with pool:
        started, results = set(multiprocessing.active_children()) - others, pool.imap(work, chunks)
        for _ in chunks:
            yield from _next(results, started)


def _next(results, started: set) -> list:
    """Return the next results. A pool would wait for ever for those of a process that was killed."""
    while True:
        try:
            return results.next(PATIENCE)
        except multiprocessing.TimeoutError:
            if not all(process.is_alive() for process in started):
                raise InputError("a process was killed, perhaps because memory ran out; wanted more memory, or fewer "
                                 "--workers") from None


def _each(work: Callable, jobs: Sequence) -> list:
    return [work(job) for job in jobs]


@contextmanager
def _ignoring_interrupts() -> Iterator[None]:
    """Start processes that ignore Ctrl-C: only the parent reacts to it, and ends them."""
    listening = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, listening)
