"""What asking a judge took: questions, requests, tokens and money, and the budget that ends it.

Threads share it. Knows no endpoint.
"""

from __future__ import annotations

import math
import threading
from collections import Counter
from dataclasses import dataclass, field

MILLION = 1_000_000
CHARACTERS = 3
"""Characters of a token where an endpoint does not count them: few, so that a budget errs on the safe
side."""


class Spent(Exception):
    """The budget allows no further request."""


@dataclass(frozen=True, slots=True)
class Tokens:
    """Of one reply, or of many: sent, and written.

    Attributes:
        guessed: how many of the replies came without a count.
    """

    sent: int = 0
    written: int = 0
    guessed: int = 0

    @classmethod
    def guess(cls, sent: str, written: str) -> Tokens:
        """Where the endpoint does not say."""
        return cls(math.ceil(len(sent) / CHARACTERS), math.ceil(len(written) / CHARACTERS), 1)

    def __add__(self, other: Tokens) -> Tokens:
        return Tokens(self.sent + other.sent, self.written + other.written, self.guessed + other.guessed)


@dataclass(frozen=True, slots=True)
class Budget:
    """How many requests may be sent, what they may cost, and what a million tokens cost."""

    requests: int | None = None
    cost: float | None = None
    price_in: float | None = None
    price_out: float | None = None


@dataclass(slots=True)
class Account:
    """What a judge was asked and what that took, since it was made.

    Attributes:
        questions: that it was asked, those it knew among them; `decided + sum(undecided) == questions`.
        known: that were answered before, by the cache or within the same call.
        requests: that went out, further attempts among them.
        unread: replies that had not the form that was asked for.
        decided: questions with a verdict.
        undecided: the others, by reason: `unreadable`, `refused`, `unreachable`, `budget`.
    """

    budget: Budget = field(default_factory=Budget)
    questions: int = 0
    known: int = 0
    requests: int = 0
    unread: int = 0
    decided: int = 0
    tokens: Tokens = field(default_factory=Tokens)
    undecided: Counter[str] = field(default_factory=Counter)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    @property
    def cost(self) -> float | None:
        """In the prices' currency; None without prices."""
        budget = self.budget
        if budget.price_in is None or budget.price_out is None:
            return None
        return (self.tokens.sent * budget.price_in + self.tokens.written * budget.price_out) / MILLION

    def request(self) -> None:
        """One more request goes out.

        Raises:
            Spent: it may not.
        """
        with self._lock:
            cost = self.cost
            if self.budget.requests is not None and self.requests >= self.budget.requests:
                raise Spent(f"the budget of {self.budget.requests} requests is spent")
            if self.budget.cost is not None and cost is not None and cost >= self.budget.cost:
                raise Spent(f"the budget of {self.budget.cost:g} is spent")
            self.requests += 1

    def reply(self, tokens: Tokens, *, read: bool) -> None:
        """A reply came, and could be read as a verdict or not."""
        with self._lock:
            self.tokens += tokens
            self.unread += not read

    def question(self, undecided: str, *, known: bool) -> None:
        """A question is done with: decided, or for this reason not."""
        with self._lock:
            self.questions += 1
            self.known += known
            if undecided:
                self.undecided[undecided] += 1
            else:
                self.decided += 1

    def __str__(self) -> str:
        text = f"{self.questions} questions, {self.known} of them answered before; {self.requests} requests"
        if self.tokens.sent or self.tokens.written:
            about = " (counted by characters in part)" if self.tokens.guessed else ""
            text += f", {self.tokens.sent} tokens sent, {self.tokens.written} written{about}"
        if self.cost is not None:
            text += f", cost {self.cost:.4g}"
        if self.undecided:
            reasons = ", ".join(f"{reason} {n}" for reason, n in sorted(self.undecided.items()))
            text += f"; {sum(self.undecided.values())} undecided ({reasons})"
        return text
