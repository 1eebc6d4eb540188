"""The dashboard's numbers in words: what is to be said first, and each figure with its interval."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import UTC, datetime

from heedful.checks.finding import Interval
from heedful.checks.position_bias import LEVEL, SHARE
from heedful.collect.findings.figures import Calibration, Figures, Measured, Place, Seconds
from heedful.collect.findings.progress import DAY, HOUR, LATELY, Pace
from heedful.collect.web.numbers import UNKNOWN, decimals, percent

LEAST_ITEMS = 10  # with two votes, before it is said how far people agree
SPOKEN = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
STRENGTH = (
    (0.2, "hardly"),
    (0.4, "a little"),
    (0.6, "moderately"),
    (0.8, "well"),
    (math.inf, "almost always"),
)
"""What κ and α are called below each bound, after Landis and Koch (1977)."""

SYMBOLS = {"fleiss": "κ", "cohen": "κ", "alpha_nominal": "α", "alpha_ordinal": "α"}


def seconds(value: float) -> str:
    """As "25 s" or "3 min 20 s"."""
    if math.isnan(value):
        return UNKNOWN
    if value < 10:
        return f"{value:.2g} s"
    whole = round(value)
    return f"{whole} s" if whole < 100 else f"{whole // 60} min {whole % 60} s"


def reach(figure: Interval, *, shares: bool = True) -> str:
    """The interval: "64% to 78%"; "" where there is none."""
    if math.isnan(figure.low) or math.isnan(figure.high):
        return ""
    shown = percent if shares else decimals
    return f"{shown(figure.low)} to {shown(figure.high)}"


def counted(n: int, one: str, many: str = "") -> str:
    """As "1 vote" and "2,000 votes"."""
    return f"{n:,} {one if n == 1 else many or one + 's'}"


def spoken(n: int) -> str:
    return SPOKEN[n] if n < len(SPOKEN) else f"{n:,}"


def moment(seconds_since_1970: float, step: float) -> str:
    """When a bar or a window of this length is."""
    at = datetime.fromtimestamp(seconds_since_1970, UTC)
    return f"{at:%H:%M}" if step < HOUR else f"{at.day} {at:%b %H:%M}" if step < DAY else f"{at.day} {at:%b}"


def day(at: datetime) -> str:
    return f"{at:%A}, {at.day} {at:%B %Y}"


def verdict(figures: Figures) -> str:
    """What is to be said first, in two or three sentences."""
    said = [f"{_progress(figures)}{_agree(figures.measured)}."]
    if (leaning := lean(figures.measured.place)) is not None:
        said.append(leaning)
    if figures.measured.votes:
        said.append(_stand_out(figures.measured))
    return " ".join(said)


def _progress(figures: Figures) -> str:
    main, votes = figures.progress.main, figures.measured.votes
    if not main.wanted:
        return f"{counted(votes, 'vote')} so far" if votes else "There are no items yet"
    if not main.given:
        return f"No vote is in yet, of {counted(main.wanted, 'vote')} wanted"
    if main.given >= main.wanted:
        return f"All {counted(main.wanted, 'vote')} are in"
    return f"{main.given:,} of {counted(main.wanted, 'vote')} {'is' if main.given == 1 else 'are'} in"


def _agree(measured: Measured) -> str:
    agreement = measured.agreement
    figure = agreement.figure
    if not agreement.items or math.isnan(figure.value):
        return ""
    if agreement.items < LEAST_ITEMS:
        items = counted(agreement.items, "item")
        return f"; only {items} so far got two votes, too few to say how far people agree"
    symbol = SYMBOLS[agreement.headline]
    number = f"{symbol}\N{NO-BREAK SPACE}{decimals(figure.value)}, {reach(figure, shares=False)}"
    if figure.low <= 0:
        return f"; people agree no more than by chance, as far as can be told ({number})"
    return f"; people agree {strength(figure.value)} ({number})"


def strength(value: float) -> str:
    return next(word for bound, word in STRENGTH if value < bound)


def lean(place: Place) -> str | None:
    """That one place wins too often, if it does: as the check of position bias says it."""
    share = place.figure.value
    if math.isnan(share) or place.p >= LEVEL or max(share, 1 - share) <= SHARE:
        return None
    first = share > 0.5
    which, much = ("first", share) if first else ("second", 1 - share)
    return f"The side shown {which} is chosen in {percent(much)} of votes, which should not be."


def _stand_out(measured: Measured) -> str:
    suspects = len({alarm.name for alarm in measured.watch.alarms})
    if suspects:
        who = "annotator needs" if suspects == 1 else "annotators need"
        return f"{spoken(suspects).capitalize()} {who} a look."
    if not measured.watch.judged:
        return "It is too early to say whether anybody needs a look."
    return "No annotator stands out."


def outlook(pace: Pace, left: int) -> str:
    """How fast it goes, and when it is done."""
    if not left:
        return ""
    if math.isnan(pace.per_day):
        return f"{counted(left, 'vote')} to go; too few came in lately to say when that is."
    when = _when(pace, left)
    rate = pace.per_day / 24 if pace.over.total_seconds() < DAY else pace.per_day
    unit = "an hour" if pace.over.total_seconds() < DAY else "a day"
    since = "in the last week" if pace.over >= LATELY else "since the first vote"
    return f"{counted(left, 'vote')} to go. At the pace {since}, {_rate(rate)} {unit}, {when}."


def _when(pace: Pace, left: int) -> str:
    days = left / pace.per_day
    if pace.done_at is None or days > 3650:
        return "that takes years"
    if days < 1:
        hours = days * 24
        return (
            f"that takes {counted(max(round(hours * 60), 1), 'minute')}"
            if hours < 2
            else f"that takes {hours:.0f} hours"
        )
    return f"the last comes in about {day(pace.done_at)}"


def _rate(value: float) -> str:
    return f"{value:,.0f} votes" if value >= 10 else f"{value:.1f} votes"


def watched(measured: Measured) -> list[str]:
    """What can be said of annotators in general, beside the alarms."""
    watch = measured.watch
    said: list[str] = []
    if watch.few:
        few = counted(len(watch.few), "person has", "people have")
        said.append(f"{few} too few votes to say anything ({_names(watch.few)}).")
    if watch.judged and not watch.compared:
        said.append(
            "Nobody's votes can be held against others': no two people voted on the same items. More overlap "
            "would show who votes at random."
        )
    if watch.judged and not watch.alarms:
        people = counted(watch.judged, "person", "people")
        said.append(
            f"No alarm. Of {people} with votes enough to tell, nobody votes at random, for one place, too "
            "fast or against known answers."
        )
    return said


def _names(names: Sequence[str]) -> str:
    shown = ", ".join(names[:5])
    return f"{shown} and {len(names) - 5} more" if len(names) > 5 else shown


def calibration(of: Calibration) -> str:
    """How somebody did in the calibration round."""
    said = f"{of.judged} of {of.of} judged"
    if of.right.n:
        said += f", {round(of.right.value * of.right.n)} of {of.right.n} right"
    return said + {None: "", True: ", passed", False: ", not passed"}[of.passed]


def quartiles(of: Seconds) -> str:
    """The middle half of the times: "12 to 31 s"."""
    return "" if math.isnan(of.low) else f"{seconds(of.low)} to {seconds(of.high)}"
