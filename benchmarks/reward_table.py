"""The table of `benchmarks.reward_model`: knows its result file and Markdown; measures nothing."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

Found = Mapping[str, Any]
# The sets of pairs in the result file, and what a reader is told of each.
SETS = {"third": "a third writer", "seen": "the two it learned from", "hh": "HH"}


def render(report: Mapping[str, Any]) -> str:
    """Markdown: what `benchmarks.reward_model` found, a column for each set of pairs."""
    settings, sets = report["settings"], report["sets"]
    lines = [
        f"{settings['model']}, LoRA r=16, {settings['pairs']} pairs on {report['instructions']['train']} "
        f"instructions in {settings['steps']} steps, learning rate {settings['learning_rate']:g}, at most "
        f"{settings['max_length']} tokens of prompt and response; {report['machine']['cpu']}, "
        f"{report['precision']}, measured {report['date']}.",
        "",
        f"| | {' | '.join(SETS.values())} |",
        "| --- " * (len(SETS) + 1) + "|",
    ]
    for name, cell in LINES.items():
        cells = " | ".join(cell(sets[key]) for key in SETS)
        lines.append(f"| {name} | {cells} |")
    return "\n".join(lines)


def _share(found: Mapping[str, Any] | None) -> str:
    """A share of pairs with its interval, in per cent; a dash where there are none."""
    if found is None:
        return "–"
    value, low, high = (100 * found[key] for key in ("value", "low", "high"))
    return f"{value:.1f}% ({low:.0f} to {high:.0f})"


def _slice(found: Mapping[str, Any] | None) -> str:
    """As `_share`, of a part of the pairs: with how many they are."""
    return _share(found) if found is None else f"{_share(found)}, n = {found['n']}"


def _points(value: float, interval: Sequence[float]) -> str:
    low, high = interval
    return f"{100 * value:+.1f} ({100 * low:+.1f} to {100 * high:+.1f})"


def _of_quality(key: str) -> Callable[[Found], str]:
    return lambda found: _share(found["quality"][key])


def _of_author(key: str) -> Callable[[Found], str]:
    return lambda found: _share(found["authorship"] and found["authorship"][key])


def _of_part(key: str) -> Callable[[Found], str]:
    return lambda found: _slice(found["authorship"] and found["authorship"][key])


def _over_author(found: Found) -> str:
    by = found["authorship"]
    return "–" if by is None else _points(by["over_best"], by["over_best_interval"])


def _error(key: str) -> Callable[[Found], str]:
    def cell(found: Found) -> str:
        own = found["quality"][key]
        return "–" if own is None else f"{100 * own['ece']:.1f} ({100 * own['ece_by_chance']:.1f})"

    return cell


def _brier(key: str) -> Callable[[Found], str]:
    def cell(found: Found) -> str:
        own = found["quality"][key]
        return "–" if own is None else f"{own['brier']:.3f} ({found['quality']['coin_brier']:.3f})"

    return cell


def _temperature(found: Found) -> str:
    value = found["quality"]["temperature"]["value"]
    return "∞" if value is None else f"{value:.2f}"


LINES: dict[str, Callable[[Found], str]] = {
    "pairs": lambda found: str(found["quality"]["n"]),
    "**accuracy**": _of_quality("accuracy"),
    "ruler: the longer answer": _of_quality("longer_wins"),
    "ruler: the shorter answer": _of_quality("shorter_wins"),
    "ruler: the reference's answer": _of_author("reference_wins"),
    "ruler: the other's answer": _of_author("other_wins"),
    "accuracy over the best ruler of length, points": lambda found: _points(
        found["quality"]["over_ruler"], found["quality"]["over_ruler_interval"]
    ),
    "accuracy over the best ruler of authors, points": _over_author,
    "accuracy where the reference's answer is better": _of_part("where_reference_is_better"),
    "accuracy where the other's is": _of_part("where_other_is_better"),
    "accuracy where both are about as long (within 10%)": lambda found: _slice(
        found["quality"]["by_length"].get("about as long")
    ),
    "accuracy where neither answer was cut": lambda found: _slice(found["responses_whole"]),
    "calibration error, points (what chance explains)": _error("calibration"),
    "Brier score (always 50%)": _brier("calibration"),
    "temperature": _temperature,
    "calibration error after it": _error("calibrated"),
    "Brier score after it": _brier("calibrated"),
}
