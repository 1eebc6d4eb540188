"""Two records say the same where prompt, responses and annotator are the same, whatever their spacing."""

from __future__ import annotations

from typing import Any

import pytest

from heedful.checks.sameness import messages_hash, question, said
from heedful.records import (
    Demonstration,
    Feedback,
    Judgement,
    Message,
    Preference,
    Prompt,
    Ranking,
    Rating,
    Record,
    assistant,
    user,
)

PROMPT = (user("why?"),)
A, B = (assistant("because"),), (assistant("no idea"),)


def vote(chosen: Any = A, rejected: Any = B, annotator: str | None = None, **given: Any) -> Preference:
    metadata = {} if annotator is None else {"annotator": annotator}
    return Preference(given.pop("prompt", PROMPT), chosen, rejected, metadata=metadata, **given)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (vote(), vote(prompt=(user(" why? "),), id="other", margin=2.0)),
        (vote(), vote((assistant("because\n"),), (assistant("no  idea"),))),
        (vote((assistant("ﬁne"),)), vote((assistant("fine"),))),
        (vote(probability=0.5), vote(B, A, probability=0.5)),
        (vote(annotator="ann"), vote(annotator="ann")),
        (Prompt(PROMPT), Prompt(PROMPT, id="x")),
        (Demonstration(PROMPT, A), Demonstration(PROMPT, (assistant("because "),))),
        (Rating(PROMPT, A, 4.0), Rating(PROMPT, A, 4.0)),
        (Ranking(PROMPT, (A, B), (1, 2)), Ranking(PROMPT, (B, A), (2, 1))),
        (Judgement("i", "ann", "a"), Judgement("i", "ann", "a", seconds=3.0)),
    ],
)
def test_the_same(one: Record, other: Record) -> None:
    assert said(one) == said(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (vote(), vote(B, A)),
        (vote(annotator="ann"), vote(B, A, annotator="ann")),
        (Feedback(PROMPT, A, True), Feedback(PROMPT, A, False)),
        (Judgement("i", "ann", "a"), Judgement("i", "ann", "b")),
    ],
)
def test_the_opposite(one: Record, other: Record) -> None:
    first, second = said(one), said(other)
    assert first.verdict == -second.verdict != 0
    assert first.of == second.of


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (vote(), vote(prompt=(user("why not?"),))),
        (vote(), vote(prompt=(Message("system", "be brief"), *PROMPT))),
        (vote(), vote(rejected=(assistant("none"),))),
        (vote(annotator="ann"), vote(annotator="bo")),
        (vote(annotator="ann"), vote(B, A, annotator="bo")),
        (Rating(PROMPT, A, 4.0), Rating(PROMPT, A, 3.0)),
        (Rating(PROMPT, A, 4.0, "help"), Rating(PROMPT, A, 4.0, "harm")),
        (Ranking(PROMPT, (A, B), (1, 2)), Ranking(PROMPT, (A, B), (2, 1))),
        (Demonstration(PROMPT, A), Feedback(PROMPT, A, True)),
        (Judgement("i", "ann", "a"), Judgement("i", "bo", "b")),
        (Judgement("i", "ann", "tie"), Judgement("i", "ann", "both_bad")),
    ],
)
def test_neither(one: Record, other: Record) -> None:
    first, second = said(one), said(other)
    assert first != second
    assert (first.of, first.verdict) != (second.of, -second.verdict)


def test_a_tie_is_not_the_opposite_of_a_win() -> None:
    assert said(vote(probability=0.5)).verdict == 0
    assert said(vote()) != said(vote(probability=0.5))


def test_where_a_turn_ends_matters() -> None:
    assert messages_hash((user("a"), user("b"))) != messages_hash((user("a b"),))
    assert messages_hash((user("a"),)) != messages_hash((assistant("a"),))


def test_a_question_is_the_turns_without_the_system_prompt() -> None:
    turns = (Message("system", "Be brief."), user("Hi!"), assistant("Hello."), user("Why?"))
    assert question(turns) == "hi hello why"
    assert question(turns[:1]) == "be brief"
