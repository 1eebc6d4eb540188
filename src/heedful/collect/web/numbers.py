"""Shares and other numbers as pages show them. Knows no figures, so that it costs no start of the app."""

from __future__ import annotations

import math

UNKNOWN = "–"


def percent(share: float) -> str:
    """As "71%", with one decimal more where rounding would claim none or all."""
    if math.isnan(share):
        return UNKNOWN
    if round(100 * share) in (0, 100) and share not in (0, 1):
        return f"{min(max(100 * share, 0.1), 99.9):.1f}%"
    return f"{share:.0%}"


def decimals(value: float) -> str:
    return UNKNOWN if math.isnan(value) else f"{value:z.2f}".replace("-", "−")
