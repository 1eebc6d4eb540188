"""Ctrl-C and SIGTERM while training: the first asks, so that the step is finished; the second insists."""

from __future__ import annotations

import signal
from types import FrameType, TracebackType
from typing import Any

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Interrupt:
    """A context in which a first signal only sets `asked`; after it the handlers of before are back."""

    def __init__(self) -> None:
        self.asked = False
        self._before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> Interrupt:
        try:
            for name in _SIGNALS:
                self._before[name] = signal.signal(name, self._handle)
        except ValueError:  # not in the main thread: signals are somebody else's
            self._before.clear()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._put_back()

    def _handle(self, number: int, frame: FrameType | None) -> None:
        self.asked = True
        self._put_back()

    def _put_back(self) -> None:
        for name, handler in self._before.items():
            signal.signal(name, handler)
