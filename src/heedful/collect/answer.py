"""One person's answer about one item, whatever the task, and the two ways to count its responses.

An answer comes from a page in terms of what was *shown*: "a" is the response that stood first there. It is
stored in terms of the *item*: "a" is its first response, whoever saw what where. `Answer.of_item` goes from
the one to the other, `Answer.as_shown` back.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

T = TypeVar("T")

Verdict = Literal["a", "b", "tie", "both_bad", "skip"]
Short = Annotated[str, StringConstraints(max_length=200)]
MOST_LETTERS = 20_000  # of a rationale
MOST = 50  # responses, aspects or flags
SCORES_MISS = 1  # points by which a score may miss a known one and still be right

OTHER: dict[str, Verdict] = {"a": "b", "b": "a"}


class Answer(BaseModel):
    """What somebody said of an item. A skip has no more than flags, a reason and a rationale.

    Attributes:
        verdict: of a pair; `skip` in any task.
        strength: how much better the winner is, in the steps of `Settings.strength`.
        ranks: of each response, 1 is best, equal ranks are ties.
        scores: of each response, by aspect.
        thumbs: of each response, True is up.
        flags: what is wrong with the item.
        rationale: why, in the person's own words.
        reason: why it was skipped.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    verdict: Verdict | None = None
    strength: int | None = Field(default=None, ge=0, le=4)
    ranks: tuple[int, ...] | None = Field(default=None, max_length=MOST)
    scores: tuple[dict[Short, int], ...] | None = Field(default=None, max_length=MOST)
    thumbs: tuple[bool, ...] | None = Field(default=None, max_length=MOST)
    flags: tuple[Short, ...] = Field(default=(), max_length=MOST)
    rationale: str = Field(default="", max_length=MOST_LETTERS)
    reason: Short = ""

    @property
    def skipped(self) -> bool:
        return self.verdict == "skip"

    def meets(self, gold: Answer) -> bool | None:
        """Whether it is the right answer; None where that cannot be told, or the item was skipped.

        A pair's verdict must be the same: a tie is not right where one response is. A ranking must have the
        same order, and each thumb must point the same way. Each score that is known may be missed by a point.
        """
        if self.skipped:
            return None
        if gold.scores is not None and self.scores is not None:
            return all(
                abs(score - given[aspect]) <= SCORES_MISS
                for known, given in zip(gold.scores, self.scores, strict=True)
                for aspect, score in known.items()
                if aspect in given
            )
        for known, given in (
            (gold.verdict, self.verdict),
            (gold.ranks, self.ranks),
            (gold.thumbs, self.thumbs),
        ):
            if known is not None and given is not None:
                return known == given
        return None

    def of_item(self, shown: Sequence[int]) -> Answer:
        """The answer in terms of the item, from one in terms of what was shown.

        Args:
            shown: which of the item's responses stood in each place.
        """
        places = [shown.index(response) for response in range(len(shown))]
        return self._moved(places)

    def as_shown(self, shown: Sequence[int]) -> Answer:
        """The answer in terms of what was shown, from one in terms of the item; see `of_item`."""
        return self._moved(shown)

    def _moved(self, places: Sequence[int]) -> Answer:
        """With what stood at `places[i]` at i."""

        def moved(values: tuple[T, ...] | None) -> tuple[T, ...] | None:
            return None if values is None else tuple(values[place] for place in places)

        turned = self.verdict is not None and tuple(places[:2]) == (1, 0)
        return self.model_copy(
            update={
                "verdict": OTHER.get(self.verdict or "", self.verdict) if turned else self.verdict,
                "ranks": moved(self.ranks),
                "scores": moved(self.scores),
                "thumbs": moved(self.thumbs),
            }
        )
