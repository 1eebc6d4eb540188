"""How preferences are made of feedback: the settings of `pairs`, for Python and the command line alike."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, get_args

MEAN = "mean"
"""The aspect that stands for the mean of all aspects."""

Mode = Literal["all", "best-worst", "adjacent"]
Ties = Literal["keep", "drop"]
BothBad = Literal["tie", "drop", "thumbs"]
Method = Literal["majority", "weighted", "bradley-terry", "dawid-skene"]
Soft = Literal["probability", "weight", "none"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Aggregation:
    """How votes become preferences.

    Attributes:
        method: `majority`, the share of the votes, ties as half; `weighted`, the same with each annotator's
            votes weighted by how far beyond chance they agree with the others; `bradley-terry`, from all
            votes on the responses to a prompt, so that what A did against C tells of A against B;
            `dawid-skene`, from error rates of each annotator, found together with the answers.
        min_votes: fewer and the item is left out as `too_few_votes`.
        min_agreement: if a smaller share of the votes gave the outcome it is left out as `low_agreement`.
        soft: where the likelihood that chosen is better goes: into `probability`, into `weight` as 2p - 1, or
            nowhere.
    """

    method: Method = "majority"
    min_votes: int = 1
    min_agreement: float = 0.0
    soft: Soft = "probability"

    def __post_init__(self) -> None:
        _require("method", self.method, Method)
        _require("soft", self.soft, Soft)
        if self.min_votes < 1:
            raise ValueError(f"min_votes must be at least 1, not {self.min_votes}")
        if not 0 <= self.min_agreement <= 1:
            raise ValueError(f"min_agreement must be between 0 and 1, and is {self.min_agreement:g}")


@dataclass(frozen=True, slots=True, kw_only=True)
class PairSettings:
    """How preferences are made of feedback.

    Attributes:
        mode: which of a prompt's rated or ranked responses are compared: each two (`all`), the best with the
            worst (`best-worst`), or neighbours in their order (`adjacent`).
        per_prompt: at most so many pairs of a prompt's ratings, of its thumbs, and of each ranking, drawn at
            random; None for all.
        tie_epsilon: scores that differ by no more are a tie.
        ties: keep ties as preferences of probability 0.5, or leave them out.
        both_bad: a verdict that both responses are bad is a tie, is left out, or is two thumbs down
            (`thumbs`), to be paired with responses to the prompt that had a thumb up.
        aspect: which of several aspects ratings are compared by; `MEAN` for the mean of all.
        aggregate: how the votes of several annotators become one preference; None leaves each vote one.
        seed: of the draws, each prompt's on its own: another prompt in the data changes none.
    """

    mode: Mode = "all"
    per_prompt: int | None = None
    tie_epsilon: float = 0.0
    ties: Ties = "keep"
    both_bad: BothBad = "tie"
    aspect: str | None = None
    aggregate: Aggregation | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        _require("mode", self.mode, Mode)
        _require("ties", self.ties, Ties)
        _require("both_bad", self.both_bad, BothBad)
        if self.per_prompt is not None and self.per_prompt < 1:
            raise ValueError(f"per_prompt must be at least 1, not {self.per_prompt}")
        if not self.tie_epsilon >= 0:
            raise ValueError(f"tie_epsilon must not be negative, and is {self.tie_epsilon:g}")


def _require(name: str, value: str, kind: Any) -> None:
    if value not in get_args(kind):
        raise ValueError(f"{name} must be one of {', '.join(get_args(kind))}, not {value!r}")
