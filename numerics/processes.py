"""A few processes of this machine that share a list of jobs."""

from __future__ import annotations

import itertools
import multiprocessing
import signal
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from multiprocessing.connection import Connection, wait
from typing import Any


class WorkerError(RuntimeError):
    """A process died; the message is one line."""


def shared(
    work: Callable[[Any], Iterable[Any]], jobs: Sequence[Any], number: int
) -> Iterator[tuple[int, Any]]:
    """The results of all jobs as they come, each with the number of its job.

    Those of one job come in their order, those of several in any.  However the iteration ends, also
    by Ctrl-C, no process is left.

    Parameters
    ----------
    work : gives the results of one job, a function of a module: it is found there by its name.
    jobs : what a process gets; begun in this order.
    number : of processes, at most.

    Raises
    ------
    WorkerError
        A process died.
    Exception
        What ``work`` raises.
    """
    left = iter(enumerate(jobs))
    with _started(work, min(number, len(jobs))) as connections:
        busy = dict[Any, int]()  # connection -> number of its job
        for connection, (job_number, job) in zip(connections, left, strict=False):
            connection.send(job)
            busy[connection] = job_number
        while busy:
            ready: list[Any] = wait(list(busy))
            for connection in ready:
                try:
                    end, result = connection.recv()
                    if end:
                        del busy[connection]
                        for busy[connection], job in itertools.islice(left, 1):
                            connection.send(job)
                except (EOFError, OSError):
                    raise WorkerError(
                        "a process died (out of memory?): free some memory and run it again"
                    ) from None
                if isinstance(result, BaseException) and end:
                    raise result
                if not end:
                    yield busy[connection], result


@contextmanager
def _started(work: Callable[[Any], Iterable[Any]], number: int) -> Iterator[list[Any]]:
    """Connections to new processes; these are ended at last."""
    context = multiprocessing.get_context("spawn")
    started, ours = [], list[Any]()
    try:
        with _deaf():  # a Ctrl-C reaches all processes: the first one ends the others
            for _ in range(number):
                here, there = context.Pipe()
                process = context.Process(target=_serve, args=(work, there), daemon=True)
                process.start()
                there.close()
                started.append(process)
                ours.append(here)
        yield ours
    finally:
        for process in started:
            process.kill()
        for process in started:
            process.join()
        for here in ours:
            here.close()


@contextmanager
def _deaf() -> Iterator[None]:
    """Ctrl-C is ignored here and by what is started here; only the main thread may say so."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _serve(work: Callable[[Any], Iterable[Any]], connection: Connection) -> None:
    """Do jobs till the caller is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        while True:
            job = connection.recv()
            try:
                for result in work(job):
                    connection.send((False, result))
                connection.send((True, None))
            except Exception as error:
                connection.send((True, error))
    except (EOFError, OSError):
        return
