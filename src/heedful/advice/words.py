"""Figures in words, with interval and n, the same in every reason and table."""

from __future__ import annotations

import math

from heedful.checks.finding import Interval


def share(figure: Interval, of: str = "") -> str:
    """`38% (29 to 47%, n = 128)`; `of` names what was counted."""
    return f"{percent(figure)[:-1]}{_count(figure, of)})"


def percent(figure: Interval) -> str:
    """`38% (29 to 47%)`."""
    return f"{figure.value:.0%} ({_range(figure, 100, 0, '%')})"


def nats(figure: Interval, *, count: bool = True) -> str:
    """`1.24 nats a token (1.10 to 1.37, n = 200)`."""
    return f"{figure.value:.2f} nats a token ({_range(figure, 1, 2, '')}{_count(figure) if count else ''})"


def gigabytes(size: float) -> str:
    """`1.4 GB`, of 10⁹ bytes."""
    return f"{size / 1e9:.1f} GB"


def time(seconds: float) -> str:
    """`40 s`, `12 min`, `3.5 h`."""
    if seconds < 60:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 3600 else f"{seconds / 3600:.1f} h"


def _range(figure: Interval, scale: float, decimals: int, unit: str) -> str:
    if math.isnan(figure.low) or math.isnan(figure.high):
        return "interval unknown"
    return f"{scale * figure.low:.{decimals}f} to {scale * figure.high:.{decimals}f}{unit}"


def _count(figure: Interval, of: str = "") -> str:
    return f", n = {figure.n:,}{' ' + of if of else ''}"
