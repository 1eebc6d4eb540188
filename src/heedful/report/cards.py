"""An example as a page shows it: the conversation turn by turn, two texts with their differences, verdicts.

Knows nothing of HTML.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from heedful.evaluation.behaviour import Answer
from heedful.records import Messages
from heedful.report.differences import Piece, differences
from heedful.report.examples import Numbered, Ruling, ruling
from heedful.report.wording import percent

MOST_LETTERS = 20_000  # of one text; the file with all answers has it whole
_SPEAKERS = {"user": "Person", "assistant": "Model", "system": "System", "tool": "Tool"}


@dataclass(frozen=True, slots=True)
class Turn:
    """One message of a prompt, as far as it is shown, and how many letters are not."""

    role: str
    speaker: str
    text: str
    more: int


@dataclass(frozen=True, slots=True)
class Side:
    """One of the two answers."""

    stage: str
    pieces: list[Piece]
    more: int
    ended: bool
    words: int


@dataclass(frozen=True, slots=True)
class Card:
    """One example."""

    number: int
    turns: list[Turn]
    sides: tuple[Side, Side]
    alike: str
    rulings: list[Ruling]
    reference: str


def card(numbered: Numbered, both_orders: Mapping[str, bool]) -> Card:
    """What stands on one example's card.

    Args:
        both_orders: by judge, whether it was asked in both orders.
    """
    one = numbered.example
    (own, own_more), (other, other_more) = _cut(one.own.text), _cut(one.other.text)
    own_pieces, other_pieces = differences(own, other)
    return Card(
        number=numbered.number,
        turns=_turns(one.own.prompt),
        sides=(
            _side(one.baseline, one.other, other_pieces, other_more),
            _side(one.model, one.own, own_pieces, own_more),
        ),
        alike=_alike(numbered),
        rulings=[ruling(judge, duel, both_orders[judge]) for judge, duel in one.duels.items()],
        reference=_cut(one.reference or "")[0],
    )


def _side(stage: str, answer: Answer, pieces: list[Piece], more: int) -> Side:
    return Side(stage, pieces, more, answer.ended, len(answer.text.split()))


def _alike(numbered: Numbered) -> str:
    if numbered.example.own.text == numbered.example.other.text:
        return "the same words"
    return f"{percent(numbered.changed)} changed"


def _turns(prompt: Messages) -> list[Turn]:
    found = []
    for message in prompt:
        text, more = _cut(message.content)
        found.append(Turn(message.role, _SPEAKERS.get(message.role, message.role), text, more))
    return found


def _cut(text: str) -> tuple[str, int]:
    return text[:MOST_LETTERS], max(0, len(text) - MOST_LETTERS)
