"""What the data look like, right or wrong: how long prompts and replies are, and how clear the preferences.

Has the shape of a check and finds nothing: it measures what a reader of a report wants to see first.
"""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Sequence

import numpy as np

from heedful.checks.finding import Outcome, Plot, Table
from heedful.checks.text import responses_of
from heedful.records import Judgement, Messages, Preference, Record

CHARACTERS = (0, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000, 20_000)  # the last bin has no end
BARS = 10  # of margins and probabilities
PARTS = ("prompt", "chosen", "rejected", "response")


class Overview:
    """Lengths of prompts and responses in characters, turns, margins, soft labels and ties."""

    name = "overview"
    asks = "What do the data look like?"

    def __init__(self) -> None:
        self.lengths = {part: [0] * len(CHARACTERS) for part in PARTS}
        self.totals = dict.fromkeys(PARTS, 0)
        self.margins, self.probabilities = array("d"), array("d")
        self.pairs = self.ties = self.several_turns = self.prompts = 0

    def see(self, record: Record, index: int) -> None:
        if isinstance(record, Judgement):
            return
        self.prompts += 1
        self.several_turns += len(record.prompt) > 1
        self._count("prompt", record.prompt)
        if not isinstance(record, Preference):
            for response in responses_of(record):
                self._count("response", response)
            return
        self._count("chosen", record.chosen)
        self._count("rejected", record.rejected)
        self.pairs += 1
        self.ties += record.tie
        if record.margin is not None:
            self.margins.append(record.margin)
        if record.probability is not None:
            self.probabilities.append(record.probability)

    def outcome(self) -> Outcome:
        seen = {part: sum(counts) for part, counts in self.lengths.items() if sum(counts)}
        figures = {
            "characters": {part: self.totals[part] / count for part, count in seen.items()},
            "prompts_of_several_turns": self.several_turns,
            "pairs": self.pairs,
            "ties": self.ties,
            "margins": len(self.margins),
            "soft_labels": len(self.probabilities),
        }
        if not seen:
            return Outcome(figures=figures)
        rows = [(part, count, self.totals[part] / count) for part, count in seen.items()]
        table = Table("Characters", ("", "texts", "mean"), tuple(rows))
        plots = [self._lengths(list(seen))]
        for title, values in (
            ("Margins, in the source's own units", self.margins),
            ("Soft labels: how likely chosen is the better one", self.probabilities),
        ):
            if values:
                plots.append(_spread(title, values))
        return Outcome((), figures, (table,), plots)

    def _count(self, part: str, messages: Messages) -> None:
        length = sum([len(message.content) for message in messages])
        self.totals[part] += length
        self.lengths[part][bisect_right(CHARACTERS, length) - 1] += 1

    def _lengths(self, parts: Sequence[str]) -> Plot:
        used = max(n for part in parts for n, count in enumerate(self.lengths[part]) if count) + 1
        return Plot(
            "Length of texts, in characters",
            "histogram",
            "texts",
            bins=(*map(float, CHARACTERS), float("inf"))[: used + 1],
            series={part: tuple(map(float, self.lengths[part][:used])) for part in parts},
        )


def _spread(title: str, values: Sequence[float]) -> Plot:
    """A bar for each of a few values, bins of equal width for many."""
    found, counts = np.unique(np.asarray(values), return_counts=True)
    if len(found) <= BARS:
        labels = tuple(f"{value:g}" for value in found)
        return Plot(title, "bars", "pairs", labels=labels, series={"pairs": tuple(map(float, counts))})
    counts, edges = np.histogram(np.asarray(values), bins=BARS)
    bins = tuple(float(f"{edge:.3g}") for edge in edges)
    return Plot(title, "histogram", "pairs", bins=bins, series={"pairs": tuple(map(float, counts))})
