"""How a text is written, in counts: its lists, headings, apologies and the like.

Rough on purpose: a count must be as quick as a search for a few words, and is compared only with the count of
the other side. English where a style is a matter of words.
"""

from __future__ import annotations

import re

STYLES = (
    "lists",
    "headings",
    "bold",
    "code blocks",
    "question marks",
    "exclamation marks",
    "apologies",
    "hedges",
    "refusals",
    "emoji",
    "links",
    "first person",
)
"""The styles by name, in the order that `style_counts` gives them."""

APOLOGIES = ("sorry", "apolog")
HEDGES = ("might", "maybe", "perhaps", "probably", "i think", "i believe", "not sure")
REFUSALS = ("i can't", "i cannot", "i won't", "not able to", "unable to", "not going to", "not comfortable")

# "\n" first: the search jumps from line to line. A list item is group 1, a heading is not.
LINE = re.compile(r"\n[ \t]*(?:([-*+•]|\d{1,2}[.)])[ \t]|#{1,6} )")
EMOJI = re.compile("[\u2600-\u27bf\U0001f1e6-\U0001f1ff\U0001f300-\U0001faff]")


def style_counts(text: str) -> list[int]:
    """How often each of `STYLES` stands in a text: list items, headings, words of apology, ..."""
    words = text.lower()
    ascii = text.isascii()
    if not ascii:
        words = words.replace("’", "'")
    items = headings = 0
    if "\n" in text or not text[:1].isalpha():
        for line in LINE.finditer("\n" + text):
            if line.lastindex:
                items += 1
            else:
                headings += 1
    count = words.count
    return [
        items,
        headings,
        text.count("**") // 2,
        text.count("```") // 2,
        text.count("?"),
        text.count("!"),
        sum(map(count, APOLOGIES)),
        sum(map(count, HEDGES)),
        sum(map(count, REFUSALS)),
        0 if ascii else len(EMOJI.findall(text)),
        count("://") + count("www."),
        count(" i ") + count(" i'") + words.startswith(("i ", "i'")),
    ]
