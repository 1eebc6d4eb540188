"""Several pieces of work at a time, their results as they are done. For work that waits, as requests do.

The threads are daemons: Ctrl-C, and an error in one piece of work, need not wait for the others' answers.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")


def results(work: Callable[[T], R], jobs: Sequence[T], at_once: int) -> Iterator[tuple[T, R]]:
    """Every job with what came of it, in the order in which they are done.

    Jobs are begun in their order. Where one raises, that is raised here and no further one is begun; so it is
    where whoever iterates stops.
    """
    waiting: queue.SimpleQueue[T] = queue.SimpleQueue()
    done: queue.SimpleQueue[tuple[T, R] | BaseException] = queue.SimpleQueue()
    over = threading.Event()
    for job in jobs:
        waiting.put(job)

    def run() -> None:
        while not over.is_set():
            try:
                job = waiting.get_nowait()
            except queue.Empty:
                return
            try:
                done.put((job, work(job)))
            except BaseException as error:  # raised again by whoever waits
                done.put(error)
                return

    for number in range(min(at_once, len(jobs))):
        threading.Thread(target=run, name=f"judge-{number}", daemon=True).start()
    try:
        for _ in jobs:
            found = done.get()
            if isinstance(found, BaseException):
                raise found
            yield found
    finally:
        over.set()
