"""What a preference is: the records every other room of Heedful speaks in.

Plain, frozen and typed. Readers (`heedful.formats`) validate what comes from outside; the checks here are the
cheap ones that keep a record made by hand from being nonsense. Knows nothing of files, tensors or models.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, get_args

Role = Literal["system", "user", "assistant", "tool"]
ROLES: tuple[str, ...] = get_args(Role)

Verdict = Literal["a", "b", "tie", "both_bad", "skip"]

EVEN = 0.5
"""The probability of a tie."""

# Metadata that mean the same in every record; readers use these names, whatever their layout calls them.
ANNOTATOR = "annotator"  # who voted, text: one record per vote
SHOWN_FIRST = "shown_first"  # "chosen" or "rejected": which side the annotator saw first (left, A, 1)
VERDICT = "verdict"  # "both_bad" for a tie of two bad responses
AGREEMENT = "agreement"  # the share of votes that went to `chosen`, in [0, 1]
LANGUAGE = "language"  # a code such as "en", as the source gives it
SECONDS = "seconds"  # how long the vote took
GENERATOR = "generator"  # which model or person wrote the one response
GENERATORS = ("generator_chosen", "generator_rejected")  # the same of each side
GENERATED_BY = "generators"  # of candidates: who wrote each response, a list in the responses' order
GOLD = "gold"  # of a record whose answer is known: "chosen" or "rejected", whichever side is the right one
SUBSET = "subset"  # which part of a set for evaluation a record is of
SECTION = "section"  # which of the set's sections that part counts in
SCORES = ("score_chosen", "score_rejected")  # the source's scores of each side


@dataclass(frozen=True, slots=True)
class Message:
    """One turn of a conversation."""

    role: Role
    content: str

    def __post_init__(self) -> None:
        if self.role not in ROLES:
            raise ValueError(f"role {self.role!r} is none of {', '.join(ROLES)}")
        if not isinstance(self.content, str):
            raise TypeError(f"content must be text, not {type(self.content).__name__}")


Messages = tuple[Message, ...]


def user(content: str) -> Message:
    return Message("user", content)


def assistant(content: str) -> Message:
    return Message("assistant", content)


def _freeze(record: Any, *names: str) -> None:
    """Turn the lists a caller passed into tuples, so that records hash and cannot be changed."""
    for name in names:
        value: Iterable[Any] = getattr(record, name)
        if not isinstance(value, tuple):
            object.__setattr__(record, name, tuple(value))


@dataclass(frozen=True, slots=True)
class Prompt:
    """A prompt nobody has answered yet: what RL samples from, and what candidates are made for."""

    prompt: Messages
    id: str = ""
    source: str = ""
    metadata: Mapping[str, Any] = field(default_factory=dict, compare=False)

    def __post_init__(self) -> None:
        _freeze(self, "prompt")


@dataclass(frozen=True, slots=True)
class Candidates:
    """Several responses to one prompt that nobody has compared yet: what people and judges are asked."""

    prompt: Messages
    responses: tuple[Messages, ...]
    id: str = ""
    source: str = ""
    metadata: Mapping[str, Any] = field(default_factory=dict, compare=False)

    def __post_init__(self) -> None:
        _freeze(self, "prompt", "responses")
        if not self.responses:
            raise ValueError("there is no response")


@dataclass(frozen=True, slots=True)
class Demonstration:
    """A prompt and the response to imitate: what SFT learns from."""

    prompt: Messages
    response: Messages
    weight: float = 1.0
    id: str = ""
    source: str = ""
    metadata: Mapping[str, Any] = field(default_factory=dict, compare=False)

    def __post_init__(self) -> None:
        _freeze(self, "prompt", "response")


@dataclass(frozen=True, slots=True)
class Preference:
    """Two responses to one prompt, the first better than the second: what reward models and DPO learn from.

    `margin` is how much better in the source's own units, where known; `weight` multiplies the pair's loss.
    `probability` is a soft label: how likely it is that chosen is truly the better one, in [0, 1], and at
    least 0.5 where the source's likelier side became chosen. None means the source is certain; exactly 0.5
    is a tie, whose sides are chosen and rejected in name only (the first shown is `chosen`).
    """

    prompt: Messages
    chosen: Messages
    rejected: Messages
    margin: float | None = None
    probability: float | None = field(default=None, kw_only=True)
    weight: float = 1.0
    id: str = ""
    source: str = ""
    metadata: Mapping[str, Any] = field(default_factory=dict, compare=False)

    def __post_init__(self) -> None:
        _freeze(self, "prompt", "chosen", "rejected")
        if self.probability is not None and not 0 <= self.probability <= 1:
            raise ValueError(f"probability must be between 0 and 1, and is {self.probability:g}")

    @property
    def tie(self) -> bool:
        """Whether neither side is preferred."""
        return self.probability == EVEN


@dataclass(frozen=True, slots=True)
class Feedback:
    """A thumb up or down on one response, unpaired."""

    prompt: Messages
    response: Messages
    desirable: bool
    weight: float = 1.0
    id: str = ""
    source: str = ""
    metadata: Mapping[str, Any] = field(default_factory=dict, compare=False)

    def __post_init__(self) -> None:
        _freeze(self, "prompt", "response")


@dataclass(frozen=True, slots=True)
class Rating:
    """A score for one response under one aspect ("helpfulness", "overall", ...). Higher is better."""

    prompt: Messages
    response: Messages
    score: float
    aspect: str = "overall"
    id: str = ""
    source: str = ""
    metadata: Mapping[str, Any] = field(default_factory=dict, compare=False)

    def __post_init__(self) -> None:
        _freeze(self, "prompt", "response")


@dataclass(frozen=True, slots=True)
class Ranking:
    """Several responses to one prompt with their ranks: 1 is best, equal ranks are ties."""

    prompt: Messages
    responses: tuple[Messages, ...]
    ranks: tuple[int, ...]
    id: str = ""
    source: str = ""
    metadata: Mapping[str, Any] = field(default_factory=dict, compare=False)

    def __post_init__(self) -> None:
        _freeze(self, "prompt", "responses", "ranks")
        if len(self.responses) != len(self.ranks):
            raise ValueError(f"{len(self.responses)} responses but {len(self.ranks)} ranks")


@dataclass(frozen=True, slots=True)
class Judgement:
    """One person's vote on one item, kept raw for ever; preferences are derived from many of these."""

    item: str
    annotator: str
    verdict: Verdict
    strength: int | None = None
    shown_order: tuple[str, ...] = ("a", "b")
    rationale: str = ""
    seconds: float | None = None
    at: datetime | None = None


Record = Prompt | Candidates | Demonstration | Preference | Feedback | Rating | Ranking | Judgement
