"""Threads for what comes with every vote: few at a time, since of many each would only wait longer.

Python runs one thread at a time. A handler in a write transaction gives way at every statement; with dozens
of others about it waits each time until one of them does, and all who want to write wait for it. A few at a
time are through sooner, one after the other as they came. What may take long must not be among them.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial, wraps
from typing import ParamSpec, TypeVar

from anyio import CapacityLimiter, to_thread
from anyio.lowlevel import RunVar

P = ParamSpec("P")
R = TypeVar("R")

AT_ONCE = 2
_limiter = RunVar[CapacityLimiter]("heedful quick handlers")  # of an event loop


def quick(handler: Callable[P, R]) -> Callable[P, Awaitable[R]]:
    """A handler that takes some milliseconds, run in one of the few threads for such."""

    @wraps(handler)
    async def run(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            limiter = _limiter.get()
        except LookupError:
            limiter = CapacityLimiter(AT_ONCE)
            _limiter.set(limiter)
        return await to_thread.run_sync(partial(handler, *args, **kwargs), limiter=limiter)

    return run
