"""What a collection project asks of people, and how: plain pydantic, kept in the project's database.

Knows nothing of the web or of a database. A key that does not exist is refused.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

Task = Literal["pairwise", "ranking", "rating", "thumbs"]
Scale = Literal[4, 7]
Order = Literal["in-order", "random", "uncertain", "disagreement"]
Rationale = Literal["off", "optional", "required"]

ASPECTS = ("helpful", "honest", "safe", "tone")
FLAGS = ("unsafe", "personal data", "broken")
SKIP_REASONS = ("I cannot judge this", "The text is broken", "I would rather not read this")
GUIDELINES = """\
Read the prompt, then every response. Which one would you rather have got?

- **Right before pretty.** A correct answer beats a well-written wrong one.
- **What was asked.** An answer that does what the prompt asks beats a longer one that does something else.
- **Length is no merit.** Prefer the longer one only if what it adds is useful.
- **A tie is an answer.** Say so when you would be as happy with either; say that both are bad when you would
  want neither.

You can undo and change your votes. If you cannot judge an item, skip it and say why.
"""

Share = Annotated[float, Field(ge=0, le=1)]


class Settings(BaseModel):
    """How a project collects.

    Attributes:
        title: shown on every page.
        guidelines: Markdown, one key away on every item.
        task: two responses compared, all responses ranked, each rated by aspect, or each given a thumb.
        tie, both_bad: whether a pair may be judged so.
        strength: how much better, on a scale of 4 steps for the winner (1 barely ... 4 far better) or of 7
            over both sides (-3 ... 3; stored as the verdict and 1 to 3, a tie 0); None does not ask.
        aspects: what each response is rated by, from 1 to `points`.
        rationale: whether a reason is asked for in words.
        flags: what may be wrong with an item, ticked beside the vote.
        skip_reasons: a skip names one of these, or says why in the rationale.
        overlap: how many people vote on each item.
        lease_minutes: an item someone opened and left goes to others after so long.
        order: which item comes next: as loaded, at random, the most uncertain first (by the uncertainty
            handed in, such as a reward model's margin), or those whose votes disagree most.
        seed: of what is drawn at random.
        gold_every: about one of so many items is one whose answer is known; None leaves them out.
        gold_feedback: tell people at once whether a known answer was met.
        calibration: so many items everyone judges first, with the others' outcome shown after.
        calibration_pass: the share of calibration items with a known answer that must be met to go on.
        review_below: items whose agreement is lower go to review.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    title: str = "Which answer is better?"
    guidelines: str = GUIDELINES
    task: Task = "pairwise"
    tie: bool = True
    both_bad: bool = True
    strength: Scale | None = None
    aspects: tuple[str, ...] = Field(default=ASPECTS, min_length=1)
    points: int = Field(default=5, ge=2, le=10)
    rationale: Rationale = "optional"
    flags: tuple[str, ...] = FLAGS
    skip_reasons: tuple[str, ...] = SKIP_REASONS
    overlap: int = Field(default=1, ge=1)
    lease_minutes: float = Field(default=30.0, gt=0)
    order: Order = "in-order"
    seed: int = 0
    gold_every: int | None = Field(default=None, ge=2)
    gold_feedback: bool = False
    calibration: int = Field(default=0, ge=0)
    calibration_pass: Share | None = None
    review_below: Share = 0.7
