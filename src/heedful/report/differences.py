"""Where two texts differ, word by word, so that a page can mark it. Knows nothing of HTML."""

from __future__ import annotations

import re
from dataclasses import dataclass
from difflib import SequenceMatcher

MOST_WORDS = 1000  # of either text; comparing longer ones takes seconds
LEAST_COMMON = 0.4  # share of words in common below which marks would cover all
_WORD = re.compile(r"\s*\S+|\s+$")


@dataclass(frozen=True, slots=True)
class Piece:
    """A run of text, and whether the other text has it not."""

    text: str
    marked: bool


def differences(own: str, other: str) -> tuple[list[Piece], list[Piece]]:
    """Both texts in pieces that put together are the texts; nothing is marked where they have little in
    common, where one is too long, or where they are the same.
    """
    one, two = _WORD.findall(own), _WORD.findall(other)
    if own == other or not one or not two or max(len(one), len(two)) > MOST_WORDS:
        return _plain(own), _plain(other)
    matcher = SequenceMatcher(None, [word.strip() for word in one], [word.strip() for word in two])
    blocks = matcher.get_opcodes()
    common = sum(end - start for what, start, end, _, _ in blocks if what == "equal")
    if 2 * common < LEAST_COMMON * (len(one) + len(two)):
        return _plain(own), _plain(other)
    left = [("".join(one[a:b]), what != "equal") for what, a, b, _, _ in blocks if b > a]
    right = [("".join(two[a:b]), what != "equal") for what, _, _, a, b in blocks if b > a]
    return _pieces(left), _pieces(right)


def _pieces(runs: list[tuple[str, bool]]) -> list[Piece]:
    """A mark begins with a word, and the space before it belongs to nobody."""
    found: list[Piece] = []
    for text, marked in runs:
        word = text.lstrip() if marked else text
        found += _plain(text[: len(text) - len(word)])
        found += [Piece(word, marked)] if word else []
    return found


def _plain(text: str) -> list[Piece]:
    return [Piece(text, False)] if text else []
