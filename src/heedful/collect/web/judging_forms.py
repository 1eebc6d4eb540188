"""What the fields of a judging form hold, made of a posted form or of an answer, and the answer they make.

Field names, all in terms of what is shown:

    choice             a, b, tie, both_bad; on the scale of 7 a1 ... a3 and b1 ... b3; skip in any task
    strength           1 to 4, on the scale of 4; or the choice says it as on the other, up to a4 and b4
    rank-0, rank-1     the rank of each response
    score-0-1          of the first response by the second aspect
    thumb-0            up or down
    flag, rationale, reason
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import datetime

from pydantic import ValidationError
from starlette.datastructures import FormData

from heedful.collect.answer import MOST_LETTERS, Answer, Verdict
from heedful.collect.settings import Settings
from heedful.collect.store.model import Assignment
from heedful.collect.work.rules import STRONGEST, Refused

_VERDICTS: dict[str, Verdict] = {"a": "a", "b": "b", "tie": "tie", "both_bad": "both_bad"}
_SIDES: tuple[Verdict, ...] = ("a", "b")
_STEPS = {f"{side}{step}": (side, step) for side in _SIDES for step in range(1, max(STRONGEST.values()) + 1)}
_THUMB = "thumb"
"""The aspect under which a draft keeps thumbs of which some are not given yet; an answer has all or none."""


@dataclass(frozen=True, slots=True)
class Entered:
    """What somebody has entered so far, in terms of what is shown. None is what they have left open."""

    choice: str = ""
    strength: int | None = None
    ranks: tuple[int | None, ...] = ()
    scores: tuple[dict[str, int], ...] = ()
    thumbs: tuple[bool | None, ...] = ()
    flags: tuple[str, ...] = ()
    rationale: str = ""
    reason: str = ""

    @classmethod
    def of_form(cls, form: FormData, settings: Settings, responses: int) -> Entered:
        """What a posted form holds; fields that are none of the page's are passed over."""
        places = range(responses)
        return cls(
            choice=_text(form, "choice"),
            strength=_number(form, "strength"),
            ranks=tuple(_number(form, f"rank-{place}") for place in places),
            scores=tuple(
                {
                    aspect: score
                    for index, aspect in enumerate(settings.aspects)
                    if (score := _number(form, f"score-{place}-{index}")) is not None
                }
                for place in places
            ),
            thumbs=tuple({"up": True, "down": False}.get(_text(form, f"thumb-{place}")) for place in places),
            flags=tuple(flag for flag in form.getlist("flag") if isinstance(flag, str)),
            rationale=_text(form, "rationale").replace("\r\n", "\n"),
            reason=_text(form, "reason"),
        )

    @classmethod
    def of_answer(cls, answer: Answer | None, settings: Settings, responses: int) -> Entered:
        """What the form holds that gave this answer or draft; None is an empty form."""
        answer = answer or Answer()
        scores = answer.scores or ({},) * responses
        begun = tuple({1: True, 0: False}.get(said.get(_THUMB, -1)) for said in scores)
        sided = answer.verdict in ("a", "b") and settings.strength == 7 and answer.strength is not None
        return cls(
            choice=f"{answer.verdict}{answer.strength}" if sided else answer.verdict or "",
            strength=None if settings.strength == 7 else answer.strength,
            ranks=tuple(rank or None for rank in answer.ranks or (0,) * responses),
            scores=scores,
            thumbs=answer.thumbs or begun,
            flags=answer.flags,
            rationale=answer.rationale,
            reason=answer.reason,
        )

    def answer(self, settings: Settings) -> Answer:
        """The answer that is given by this; whether it is complete is for `votes.check` to say.

        Raises:
            Refused: something is longer than is kept.
        """
        if self.choice == "skip":
            return self._made(verdict="skip", reason=self.reason)
        if settings.task == "pairwise":
            verdict, strength = self._pair(settings)
            return self._made(verdict=verdict, strength=strength)
        if settings.task == "ranking":
            # A person may leave a rank empty between two; what they mean is the order.
            given = sorted({rank for rank in self.ranks if rank is not None})
            ranks = tuple(given.index(rank) + 1 for rank in self.ranks if rank is not None)
            return self._made(ranks=ranks if len(ranks) == len(self.ranks) else None)
        if settings.task == "rating":
            return self._made(scores=self.scores)
        thumbs = tuple(thumb for thumb in self.thumbs if thumb is not None)
        return self._made(thumbs=thumbs if len(thumbs) == len(self.thumbs) else None)

    def draft(self, settings: Settings) -> Answer:
        """What is kept of an answer that is not given yet; `of_answer` leads back to all of it.

        Raises:
            Refused: something is longer than is kept.
        """
        verdict, strength = self._pair(settings)
        begun = tuple({} if thumb is None else {_THUMB: int(thumb)} for thumb in self.thumbs)
        rated = {"rating": self.scores, "thumbs": begun}.get(settings.task)
        return self._made(
            verdict="skip" if self.choice == "skip" else verdict,
            strength=strength,
            ranks=tuple(rank or 0 for rank in self.ranks) if settings.task == "ranking" else None,
            scores=rated,
            reason=self.reason,
        )

    def _pair(self, settings: Settings) -> tuple[Verdict | None, int | None]:
        """The verdict on a pair, and how strong it is if the scale asks for that."""
        if settings.strength is not None and self.choice in _STEPS:
            return _STEPS[self.choice]
        verdict = _VERDICTS.get(self.choice)
        sided = settings.strength == 4 and verdict in ("a", "b")
        return verdict, self.strength if sided else None

    def _made(self, **fields: object) -> Answer:
        try:
            return Answer.model_validate(
                {"flags": self.flags, "rationale": self.rationale} | {k: v for k, v in fields.items() if v}
            )
        except ValidationError:
            raise Refused(f"That is too long: a reason has at most {MOST_LETTERS:,} letters.") from None


def sent_uid(form: FormData) -> str:
    """The name that the form gave what it sends."""
    uid = form.get("uid")
    return uid if isinstance(uid, str) else ""


def sent_seconds(form: FormData, assignment: Assignment, at: datetime) -> float | None:
    """How long somebody had the page before them; without a script, how long the item was theirs."""
    said = form.get("seconds")
    try:
        seconds = float(said) if isinstance(said, str) and said else None
    except ValueError:
        seconds = None
    if seconds is not None and math.isfinite(seconds) and seconds >= 0:
        return seconds
    return None if assignment.closed_at is not None else (at - assignment.opened_at).total_seconds()


def _text(form: FormData, name: str) -> str:
    value = form.get(name, "")
    return value if isinstance(value, str) else ""


def _number(form: FormData, name: str) -> int | None:
    """A number from 1 to 99 of a field, None where it holds none."""
    value = _text(form, name)
    return int(value) or None if value.isascii() and value.isdigit() and len(value) <= 2 else None
