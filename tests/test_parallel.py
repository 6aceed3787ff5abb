"""Work over processes: order, progress, and processes that end before their time."""

import multiprocessing
import os

import pytest

from serenity import parallel
from serenity.errors import InputError
from serenity.parallel import in_parallel

JOBS = list(range(-5, 5))


@pytest.mark.parametrize(("workers", "chunk"), [(1, 1), (2, 1), (2, 3), (9, 99)])
def test_results_come_in_order_and_no_process_stays(workers, chunk):
    assert list(in_parallel(abs, JOBS, workers, chunk=chunk)) == [abs(job) for job in JOBS]
    assert list(in_parallel(abs, [], workers, chunk=chunk)) == []
    assert not multiprocessing.active_children()


def test_whoever_stops_asking_ends_the_processes():
    results = in_parallel(abs, JOBS, 2)
    assert next(results) == 5
    results.close()
    assert not multiprocessing.active_children()


def test_what_work_raises_arrives():
    with pytest.raises(ZeroDivisionError):
        list(in_parallel((1).__truediv__, [1, 0, 2], 2))


def test_a_process_that_is_killed_is_said_where_a_pool_would_wait_for_ever(monkeypatch):
    monkeypatch.setattr(parallel, "PATIENCE", 0.05)
    with pytest.raises(InputError, match="a process was killed, perhaps because memory ran out"):
        list(in_parallel(os._exit, [1, 1, 1], 2))


def test_a_bar_is_shown_where_it_has_a_title(monkeypatch):
    shown = []
    monkeypatch.setattr(parallel, "tqdm", lambda results, title, total, disable: shown.append((title, disable))
                        or results)
    assert list(in_parallel(abs, JOBS, 1, "counting")) == list(in_parallel(abs, JOBS, 1))
    assert shown == [("counting", None), (None, True)]
