"""Jobs shared by processes: all results, in the order of each job, and no process left behind."""

import multiprocessing
import os
import signal
import threading
import time

import pytest

from numerics.processes import WorkerError, shared


def multiples(job):
    yield from (job * n for n in range(1, 4))


def fails_at_three(job):
    yield job
    if job == 3:
        raise ValueError("no three")


def dies(job):
    yield job
    os.kill(os.getpid(), signal.SIGKILL)


def sleeps(job):
    yield job
    time.sleep(100)


def nobody_is_left():
    return not multiprocessing.active_children()


def test_all_results_in_the_order_of_each_job():
    found = dict[int, list[int]]()
    for number, result in shared(multiples, [5, 7, 1, 2, 3], 2):
        found.setdefault(number, []).append(result)
    assert found == {n: [x, 2 * x, 3 * x] for n, x in enumerate([5, 7, 1, 2, 3])}
    assert nobody_is_left()


def test_what_fails_is_raised_here():
    with pytest.raises(ValueError, match="no three"):
        list(shared(fails_at_three, [1, 2, 3], 2))
    assert nobody_is_left()


def test_a_death_is_told():
    with pytest.raises(WorkerError, match="a process died"):
        list(shared(dies, [1, 2], 2))
    assert nobody_is_left()


@pytest.fixture
def heard():
    """SIGINT is Ctrl-C, also where the tests were started deaf to it, in the background."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("heard")
def test_ctrl_c_ends_all_at_once():
    results = shared(sleeps, [1, 2], 2)
    assert {next(results)[1], next(results)[1]} == {1, 2}
    threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGINT)).start()
    with pytest.raises(KeyboardInterrupt):
        next(results)
    assert nobody_is_left()
