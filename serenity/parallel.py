"""Work over processes, with a progress bar; used by scripts."""

import multiprocessing
import signal
from collections.abc import Callable, Iterator, Sequence

from tqdm import tqdm


def in_parallel(work: Callable, jobs: Sequence, workers: int, title: str, chunk: int = 1) -> Iterator:
    """Yield work(job) for each job in order, over `workers` processes that take `chunk` jobs at a time.

    Few jobs are done here: a process takes longer to start.
    """
    workers = min(workers, -(-len(jobs) // chunk))
    if workers <= 1:
        yield from tqdm(map(work, jobs), title, len(jobs), disable=None)
        return
    # "spawn", because a forked child of a process with threads may hang, and it is what every platform has.
    # Ctrl-C is for the parent alone, which ends the children: they are born deaf to it.
    listening = signal.signal(signal.SIGINT, signal.SIG_IGN)
    pool = multiprocessing.get_context("spawn").Pool(workers)
    signal.signal(signal.SIGINT, listening)
    with pool:
        yield from tqdm(pool.imap(work, jobs, chunk), title, len(jobs), disable=None)
