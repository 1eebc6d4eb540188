"""Which script a text is written in, by Unicode's blocks: latin, cyrillic, han, ...

The script and not the language: English and French are both latin, Chinese is han and Japanese is kana and
han. That is enough to find replies in the wrong language where the scripts differ, and needs no model.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections import Counter
from collections.abc import Mapping

OTHER = "other"
"""Letters of a script that has no name here."""

# First and last code point of the blocks that hold letters (Unicode 15.1, Blocks.txt), by script.
_BLOCKS: Mapping[str, tuple[tuple[int, int], ...]] = {
    "latin": ((0x41, 0x5A), (0x61, 0x7A), (0xAA, 0xAA), (0xBA, 0xBA), (0xC0, 0xD6), (0xD8, 0xF6),
              (0xF8, 0x2AF), (0x1D00, 0x1DBF), (0x1E00, 0x1EFF), (0x2C60, 0x2C7F), (0xA720, 0xA7FF),
              (0xAB30, 0xAB6F), (0xFB00, 0xFB06), (0xFF21, 0xFF3A), (0xFF41, 0xFF5A)),
    "greek": ((0x370, 0x3FF), (0x1F00, 0x1FFF)),
    "cyrillic": ((0x400, 0x52F), (0x1C80, 0x1C8F), (0x2DE0, 0x2DFF), (0xA640, 0xA69F)),
    "hebrew": ((0x591, 0x5F4), (0xFB1D, 0xFB4F)),
    "arabic": ((0x600, 0x6FF), (0x750, 0x77F), (0x870, 0x8FF), (0xFB50, 0xFDFF), (0xFE70, 0xFEFC)),
    "devanagari": ((0x900, 0x97F), (0xA8E0, 0xA8FF)),
    "thai": ((0xE01, 0xE3A), (0xE40, 0xE5B)),
    "hangul": ((0x1100, 0x11FF), (0x3130, 0x318F), (0xA960, 0xA97F), (0xAC00, 0xD7FF)),
    "kana": ((0x3041, 0x30FF), (0x31F0, 0x31FF), (0xFF66, 0xFF9D), (0x1B000, 0x1B16F)),
    "han": ((0x2E80, 0x2FDF), (0x3005, 0x3007), (0x3400, 0x4DBF), (0x4E00, 0x9FFF), (0xF900, 0xFAFF),
            (0x20000, 0x323AF)),
}  # fmt: skip
SCRIPTS = tuple(_BLOCKS)

_RANGES = sorted((first, last, script) for script, blocks in _BLOCKS.items() for first, last in blocks)
_FIRSTS = [first for first, _, _ in _RANGES]
_NOT_ASCII = re.compile(r"[^\x00-\x7f]")
_NOT_ASCII_LETTERS = bytes(code for code in range(128) if not chr(code).isalpha())


class _ScriptOf(dict[str, str]):
    """The script of a character, "" for one that is no letter; each is looked up in the table once."""

    def __missing__(self, letter: str) -> str:
        _, last, script = _RANGES[max(bisect_right(_FIRSTS, ord(letter)) - 1, 0)]
        if ord(letter) > last:
            script = OTHER
        found = script if letter.isalpha() else ""
        self[letter] = found
        return found


_script_of = _ScriptOf()


def script_counts(text: str) -> Counter[str]:
    """The letters of each script."""
    counts = Counter(_script_of[letter] for letter in _NOT_ASCII.findall(text))
    counts["latin"] += _ascii_letters(text)
    del counts[""]
    return +counts


def main_script(text: str) -> str:
    """The script of most letters; "" where there are none."""
    if _ascii_letters(text) > len(text) / 2:
        return "latin"  # whatever the others are
    counts = script_counts(text)
    return max(counts, key=lambda script: (counts[script], script)) if counts else ""


def _ascii_letters(text: str) -> int:
    return len(text.encode("ascii", "ignore").translate(None, _NOT_ASCII_LETTERS))
