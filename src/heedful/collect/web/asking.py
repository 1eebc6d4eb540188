"""What the page that asks about one item is made of, and words for what somebody answered.

A `Ask` holds texts, what has been entered, and addresses of random tokens. Whatever an annotator must not
know (see `views`) is not in it.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from datetime import datetime

from heedful.collect.answer import Answer
from heedful.collect.settings import Settings, Task
from heedful.collect.store.model import Stage
from heedful.collect.web.judging_forms import Entered
from heedful.collect.web.views import Shown, letter

ASKED: dict[Task, str] = {
    "pairwise": "Which response would you rather have got?",
    "ranking": "Put the responses in order, the best first.",
    "rating": "Rate every response.",
    "thumbs": "Is each response a good one?",
}
STRENGTHS = {
    4: {1: "barely better", 2: "slightly better", 3: "clearly better", 4: "far better"},
    7: {1: "slightly better", 2: "better", 3: "much better"},
}


def new_uid() -> str:
    """A name for what a form will send, so that sent twice it counts once."""
    return secrets.token_urlsafe(18)


def tells(stage: Stage, settings: Settings) -> bool:
    """Whether people are told what the known answer or the others say of an item, once they gave theirs.

    What they said before they knew stays as it is.
    """
    return stage == "calibration" or (stage == "gold" and settings.gold_feedback)


@dataclass(frozen=True, slots=True)
class Way:
    """How far somebody is: `done` of `of` items, in words as `said`."""

    done: int
    of: int
    said: str


@dataclass(frozen=True, slots=True)
class Ask:
    """A page about one item.

    Attributes:
        action: where the answer is sent; the draft goes to `{action}/draft`.
        changing: an answer was given already.
        first: the person has answered nothing yet.
        undo: where the last vote, or the one that is being changed, is taken back; None where there is none.
    """

    todo: str
    shown: Shown
    entered: Entered
    action: str
    way: Way | None = None
    changing: bool = False
    first: bool = False
    undo: str | None = None
    uid: str = field(default_factory=new_uid)
    undo_uid: str = field(default_factory=new_uid)


def way(done: int, left: int, seconds_each: float | None) -> Way:
    """How far somebody is, and how long the rest takes at their pace."""
    of = done + left
    if not left or seconds_each is None:
        return Way(done, of, f"{done} of {of}")
    return Way(done, of, f"{done} of {of}, about {duration(left * seconds_each)} left")


def duration(seconds: float) -> str:
    """A time in the unit that people would say it in."""
    minutes = max(round(seconds / 60), 1)
    if minutes < 90:
        return f"{minutes} minute{'s' * (minutes != 1)}"
    hours = round(minutes / 60)
    return f"{hours} hours"


def ago(at: datetime, now: datetime) -> str:
    """When something was, as seen from now."""
    seconds = (now - at).total_seconds()
    if seconds < 45:
        return "just now"
    if seconds < 24 * 3600:
        return f"{duration(seconds)} ago"
    return f"{at:%-d %B %Y}"


def in_words(answer: Answer, settings: Settings) -> str:
    """What somebody answered, in terms of what was shown."""
    if answer.skipped:
        return f"Skipped: {answer.reason}" if answer.reason else "Skipped"
    if answer.verdict in ("tie", "both_bad"):
        return {"tie": "Tie", "both_bad": "Both bad"}[answer.verdict]
    if answer.verdict is not None:
        better = STRENGTHS.get(settings.strength or 0, {}).get(answer.strength or 0, "is better")
        return f"{answer.verdict.upper()} {better}"
    if answer.ranks is not None:
        return in_order(answer.ranks)
    if answer.scores is not None:
        rated = (" ".join(f"{aspect} {score}" for aspect, score in one.items()) for one in answer.scores)
        return "; ".join(f"{letter(place)}: {said}" for place, said in enumerate(rated))
    thumbs = answer.thumbs or ()
    return ", ".join(f"{letter(place)} {'good' if up else 'bad'}" for place, up in enumerate(thumbs))


def in_order(ranks: tuple[int, ...]) -> str:
    """The letters of responses from the best to the worst, ties beside each other."""
    tiers = (
        " = ".join(letter(place) for place, rank in enumerate(ranks) if rank == tier)
        for tier in sorted(set(ranks))
    )
    return " > ".join(tiers)
