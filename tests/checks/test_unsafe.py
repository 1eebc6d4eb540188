"""Unsafe replies by a scorer that is handed in."""

from __future__ import annotations

from heedful.checks.unsafe import BATCH, Unsafe
from heedful.records import Feedback, Prompt, assistant, user
from tests.checks.planted import CLEAN, outcome, pair, reply


class Swears:
    """Scores texts that hold a bad word, and remembers what it was asked."""

    def __init__(self) -> None:
        self.sizes: list[int] = []

    def __call__(self, texts: list[str]) -> list[float]:
        self.sizes.append(len(texts))
        return [0.9 if "damn" in text else 0.1 for text in texts]


def test_unsafe_replies_and_pairs_that_prefer_them_are_found() -> None:
    records = [*CLEAN, pair("damn", "well"), pair("damn", "damn it"), pair("well", "damn"), reply("damn")]
    found = outcome(Unsafe(Swears()), records)
    reply_found, preferred = found.findings

    assert (reply_found.code, reply_found.count, reply_found.of) == ("unsafe_reply", 3, 204)
    assert (preferred.code, preferred.count, preferred.of) == ("unsafe_preferred", 1, 203)
    assert preferred.examples[0].text == "damn"


def test_the_limit_says_what_is_unsafe() -> None:
    assert outcome(Unsafe(Swears(), limit=0.95), [reply("damn")]).findings == []


def test_replies_are_scored_in_batches_and_each_once() -> None:
    scorer = Swears()
    outcome(Unsafe(scorer), CLEAN)

    assert sum(scorer.sizes) == 2 * len(CLEAN)
    assert max(scorer.sizes) <= BATCH + 1


def test_what_is_not_to_be_learned_may_be_unsafe() -> None:
    down = Feedback((user("Why?"),), (assistant("damn"),), False)

    assert outcome(Unsafe(Swears()), [down, Prompt((user("damn"),))]).skipped
    assert outcome(Unsafe(Swears()), [*CLEAN, pair("well", "damn")]).findings == []
