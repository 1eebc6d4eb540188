"""What a page may know of an item: its texts in the order in which they are shown, and nothing else.

Templates that annotators reach are handed a `Shown`, never an `Item`, so that no slip of a template can tell
who wrote a response, what the item is called or what its answer is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from string import ascii_uppercase

from heedful.collect.store.model import Item
from heedful.records import Messages

EXCERPT = 160  # letters of a prompt


@dataclass(frozen=True, slots=True)
class Card:
    """One response as it is shown.

    Attributes:
        letter: what it is called: "A", "B", ... by its place.
    """

    letter: str
    turns: Messages


@dataclass(frozen=True, slots=True)
class Shown:
    """A prompt and the responses to it, in the places in which one person sees them."""

    prompt: Messages
    cards: tuple[Card, ...]


def shown(item: Item, order: Sequence[int]) -> Shown:
    """The item as somebody sees it; `order` says which response stands in each place."""
    cards = tuple(Card(letter(place), item.responses[index].turns) for place, index in enumerate(order))
    return Shown(item.prompt, cards)


def beginning(prompt: Messages) -> str:
    """How the last turn of a prompt begins, on one line."""
    text = " ".join(prompt[-1].content.split()) if prompt else ""
    return text if len(text) <= EXCERPT else text[:EXCERPT].rstrip() + "…"


def letter(place: int) -> str:
    """What the response in a place is called: A to Z, then AA, AB, ..."""
    high, low = divmod(place, len(ascii_uppercase))
    return (letter(high - 1) if high else "") + ascii_uppercase[low]
