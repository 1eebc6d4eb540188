"""The learning rate as a function of the step, and nothing else: a resumed run needs no schedule state."""

from __future__ import annotations

import math


def steps_per_epoch(rows: int, batch_size: int) -> int:
    """Optimiser steps of one pass; the last one may be smaller."""
    return math.ceil(rows / batch_size)


def total_steps(rows: int, batch_size: int, epochs: float, max_steps: int | None) -> int:
    steps = max(1, round(steps_per_epoch(rows, batch_size) * epochs))
    return steps if max_steps is None else min(steps, max_steps)


def learning_rate(
    step: int, total: int, *, peak: float, schedule: str, warmup_ratio: float, min_lr_ratio: float
) -> float:
    """The rate for optimiser step `step` (from 0) of `total`: a linear warm-up, then the named schedule.

    The first step already moves (rate `peak / warmup`), the last one stands just before the schedule's end.
    """
    warmup = round(total * warmup_ratio)
    if step < warmup:
        return peak * (step + 1) / warmup
    if schedule == "constant":
        return peak
    progress = (step - warmup) / max(total - warmup, 1)
    falling = 0.5 * (1 + math.cos(math.pi * progress)) if schedule == "cosine" else 1 - progress
    return peak * (min_lr_ratio + (1 - min_lr_ratio) * falling)
