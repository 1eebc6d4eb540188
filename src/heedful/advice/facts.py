"""What advice rests on: measurements of the data, the model and the machine, each with n and interval.

Plain frozen records. None stands wherever nothing was measured, and a rule that would need it does not speak.
Who measures them is `heedful.advising`; what follows from them is `readiness` and `rules`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from heedful.checks.finding import Interval

RoadName = Literal["sft", "dpo", "ppo", "dpo+ppo"]


@dataclass(frozen=True, slots=True)
class DataFacts:
    """What there is to learn from.

    Attributes:
        records: how many of each kind, by the record's name in small letters ("preference", "demonstration").
        left_out: rows that could not be read, by reason.
        prompts: different prompts of all records.
        demonstrations: responses to imitate, each once.
        pairs: preferences with a preferred side, those that ratings, rankings and thumbs come to included.
        ties: preferences that prefer neither side.
        unpaired: ratings and thumbs that stand alone with their prompt, so that no pair comes of them.
        unlabelled: different prompts that nobody has answered or compared, of `--prompts` too.
        responses: different responses of a prompt that has any: the median.
        several: share of prompts with two responses or more.
        longer_chosen: share of pairs of unlike length in which the longer side is chosen.
        alike_sides: share of pairs whose two sides have most of their words in common.
        repeated: share of records that say what an earlier one says.
        contradicted: share of records in pairs that are judged both ways.
        unusable: share of pairs whose two sides are equal or whose chosen side is empty.
        agreement: share of votes on one item that agree, where several people voted.
        beyond_chance: Krippendorff's alpha of the same votes.
        aspects: of ratings, "overall" first and then the commonest.
        aspect: by which ratings of several aspects were compared; None where they are of one.
        voted: several people's votes were taken together.
    """

    records: Mapping[str, int]
    left_out: Mapping[str, int] = field(default_factory=dict)
    prompts: int = 0
    demonstrations: int = 0
    pairs: int = 0
    ties: int = 0
    unpaired: int = 0
    unlabelled: int = 0
    responses: float = 0.0
    several: Interval | None = None
    longer_chosen: Interval | None = None
    alike_sides: Interval | None = None
    repeated: Interval | None = None
    contradicted: Interval | None = None
    unusable: Interval | None = None
    agreement: Interval | None = None
    beyond_chance: Interval | None = None
    aspects: tuple[str, ...] = ()
    aspect: str | None = None
    voted: bool = False


@dataclass(frozen=True, slots=True)
class TaskFacts:
    """Whether the task has one right answer, or better and worse ones.

    Attributes:
        exact: share of good responses (demonstrated, chosen) that come to a short answer a program can
            compare: a number, a letter of a choice, a few words.
        same: of prompts with several good responses, the share of pairs of them that give the same answer;
            None where no prompt has two.
    """

    exact: Interval
    same: Interval | None = None


@dataclass(frozen=True, slots=True)
class ModelFacts:
    """What the model makes of the task before any training, from its own answers.

    Attributes:
        name: of the model.
        answers: how many it gave, one to each of as many prompts.
        limit: tokens, at which an answer was cut.
        temperature: at which it gave them; losses are of answers at 1.
        ended: share that it ended by itself.
        looping: share in which most of the phrases repeat earlier ones.
        refusing: share that refuse, by English phrases; None where good responses refuse too.
        traits: what nearly all good responses have in common, in words ("one line", "JSON").
        in_format: share of its answers that have all of these; None where there is no such trait.
        correct: share of its answers that give the right answer; None where there is no one right answer.
        start: tokens of a response whose losses are compared, those of own answers being cut.
        own_loss: median loss of its own answers, nats a token.
        good_loss, rejected_loss: median loss of good responses and of rejected ones, over `start` tokens.
        good_above_own, rejected_above_own: how far these medians lie above `own_loss`, nats a token.
        tells_apart: share of pairs in which it finds the chosen side likelier, per token.
    """

    name: str
    answers: int
    limit: int
    ended: Interval
    looping: Interval
    refusing: Interval | None = None
    traits: tuple[str, ...] = ()
    in_format: Interval | None = None
    correct: Interval | None = None
    start: int = 0
    own_loss: Interval | None = None
    good_loss: Interval | None = None
    rejected_loss: Interval | None = None
    good_above_own: Interval | None = None
    rejected_above_own: Interval | None = None
    tells_apart: Interval | None = None
    temperature: float = 1.0


@dataclass(frozen=True, slots=True)
class LabelFacts:
    """How far the labels of pairs can be trusted.

    Attributes:
        flipped: share of labels that look flipped; None where it cannot be told.
        low, high: within which the share lies, told or not.
        pairs: looked at.
        unknown: why the share cannot be told; "" where it can.
        learnable: share of pairs that reward models get right which did not see them.
    """

    flipped: Interval | None
    low: float
    high: float
    pairs: int
    unknown: str = ""
    learnable: Interval | None = None


@dataclass(frozen=True, slots=True)
class RewardFacts:
    """A reward that can be called.

    Attributes:
        name: as it was given.
        varies: share of prompts whose answers, several of the model's own, do not all score the same.
        agrees: share of pairs whose chosen side it scores higher, a tie counting as half.
    """

    name: str
    varies: Interval | None = None
    agrees: Interval | None = None


@dataclass(frozen=True, slots=True)
class RoadCost:
    """What a road takes on this machine.

    Attributes:
        road: which.
        memory: bytes at its peak, the largest of its stages.
        seconds: of all its stages; None where no time was measured.
        room: bytes there are.
    """

    road: RoadName
    memory: int
    seconds: float | None
    room: int

    @property
    def fits(self) -> bool:
        return self.memory <= self.room


@dataclass(frozen=True, slots=True)
class Lengths:
    """Tokens of the data under the model's template, for a recipe's limits.

    Attributes:
        prompt, response: quantiles by share: the median (0.5), 0.95, 0.99 and the longest (1.0).
        whole: of a prompt with its longest response.
        pair: mean tokens of a prompt with all its responses.
        context: tokens that the model can read; None where it sets no limit.
    """

    prompt: Mapping[float, int]
    response: Mapping[float, int]
    whole: Mapping[float, int]
    pair: float = 0.0
    context: int | None = None


@dataclass(frozen=True, slots=True)
class Facts:
    """All that was measured.

    Attributes:
        task: None where there is no good response to look at.
        labels: None where there are no pairs, or too few.
        reward: None where none was named.
        costs: of each road that the data allow; empty where they were not predicted.
        recompute: the costs are those with gradient checkpointing, without which no road fits.
        lengths: None where there is no response.
    """

    data: DataFacts
    model: ModelFacts
    task: TaskFacts | None = None
    labels: LabelFacts | None = None
    reward: RewardFacts | None = None
    costs: tuple[RoadCost, ...] = ()
    recompute: bool = False
    lengths: Lengths | None = None
