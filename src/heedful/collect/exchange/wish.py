"""What somebody wants to take out of a project. Knows no database: a command can name it at no cost."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from heedful.prepare.pair_settings import MEAN, Aggregation, PairSettings

What = Literal["judgements", "records", "votes", "preferences"]

OWN = "heedful"
AGGREGATED = PairSettings(aggregate=Aggregation(), aspect=MEAN)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What is to be exported.

    Attributes:
        what: `judgements`, the log with all edits and retractions; `records`, items as candidates and the
            votes on them as judgements; `votes`, one record for each; `preferences`, what they come to.
        layout: one of `formats.writable()`; the log has one of its own.
        pairs: how preferences are made.
        pseudonyms: put them in the place of people's names.
        until: the last row of the log that counts; None for all there are.
        without_flagged: leave out items that somebody flagged so.
        with_gold: keep gold and calibration items.
    """

    what: What = "preferences"
    layout: str = OWN
    pairs: PairSettings = AGGREGATED
    pseudonyms: bool = False
    until: int | None = None
    without_flagged: tuple[str, ...] = ()
    with_gold: bool = False
