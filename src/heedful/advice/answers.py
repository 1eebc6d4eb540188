"""What an answer's text tells: does it come to one short answer, which form has it, does it go in circles.

Pure functions of texts; no model, no records.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal

from heedful.checks.scripts import main_script
from heedful.checks.styles import STYLES, style_counts
from heedful.evaluation.diversity import LOOP, LOOP_TIMES, OPENING
from heedful.evaluation.ngrams import most_repeats, words_of

# A name, a place, a date: more words than this are a sentence, which can be put in many ways.
SHORT_WORDS = 3
_LETTERS_OF_ANSWER = 40
# What nearly all good responses share is the form that is asked for.
COMMON = 0.9
# Words of a line that is an answer and no text.
LINE_WORDS = 12
# Opening words that are looked at for being the same.
_OPENING = 4
_REFUSALS = STYLES.index("refusals")

_NUMBER = r"[-+]?\$?\d[\d,]*(?:\.\d+)?(?:\s?%)?"
# Looked for at the end of a text, whose length they need not fear.
_MARKED = (
    re.compile(r"####[ \t]*(\S.{0,40}?)$"),
    re.compile(r"\\boxed\{([^{}]{1,40})\}"),
    re.compile(r"\banswer(?: is|:)[ \t]*\**(\S.{0,40}?)\**[.!]?$", re.IGNORECASE),
)
_END = 400
_PLAIN_NUMBER = re.compile(r"[-+]?\d+(?:\.\d+)?")
_CHOICE = re.compile(r"\(?([A-Ha-h])(?:[).:](?=\s|$)|$)")
_A_NUMBER = re.compile(_NUMBER)
_SPEAKER = re.compile(
    r"(?:^|\n)[ \t]*(?:user|human|assistant|### ?(?:instruction|human|user)) ?:|<\|im_(?:start|end)\|>",
    re.IGNORECASE,
)


def final_answer(text: str) -> str | None:
    """The one short answer a text comes to, as it is compared; None where it does not come to one.

    Marked (`#### 42`, `\\boxed{42}`, "the answer is 42"), or the whole text: a number, the letter of a
    choice, up to `SHORT_WORDS` words.
    """
    text = text.strip()
    for marked in _MARKED:
        found = marked.findall(text[-_END:])
        if found and _is_short(found[-1]):
            return compared(found[-1])
    if not text or "\n" in text:
        return None
    choice = _CHOICE.match(text)
    if choice and len(text) - choice.end() <= _LETTERS_OF_ANSWER:
        return choice.group(1).lower()
    return compared(text) if _is_short(text) else None


def compared(answer: str) -> str:
    """An answer without what does not matter: case, marks around it, a number's commas and trailing zeros."""
    answer = answer.strip().strip("*_`\"'.!?,;:() \u201c\u201d$").casefold()
    number = answer.replace(",", "").replace("$", "").rstrip("% ")
    if _PLAIN_NUMBER.fullmatch(number):
        return f"{Decimal(number).normalize():f}"
    return " ".join(answer.split())


def gives(text: str, answer: str) -> bool:
    """Whether a text gives `answer` (as `compared`): as its final one, or, where it marks none, by its last
    number, its first letter of a choice, or the words themselves.
    """
    final = final_answer(text)
    if final is not None:
        return final == answer
    if _PLAIN_NUMBER.fullmatch(answer):
        numbers = _A_NUMBER.findall(text)
        return bool(numbers) and compared(numbers[-1]) == answer
    if re.fullmatch("[a-h]", answer):
        letter = re.search(r"(?<![\w'])([A-H])(?![\w'])", text)
        return letter is not None and letter.group(1).lower() == answer
    return re.search(rf"(?<!\w){re.escape(answer)}(?!\w)", " ".join(text.casefold().split())) is not None


def _is_short(answer: str) -> bool:
    words = answer.split()
    return (
        0 < len(words) <= SHORT_WORDS
        and len(answer) <= _LETTERS_OF_ANSWER
        and re.search(r"\w", answer) is not None
    )


def loops(text: str) -> bool:
    """Whether some phrase stands in a text again and again, as `evaluation.diversity` counts loops."""
    return most_repeats(words_of(text), LOOP) >= LOOP_TIMES


def refuses(text: str) -> bool:
    """Whether an answer opens with a refusal, by English phrases."""
    return style_counts(text[:OPENING])[_REFUSALS] > 0


@dataclass(frozen=True, slots=True)
class Trait:
    """One thing about the form of a text: what a person calls it, and whether a text has it."""

    name: str
    has: Callable[[str], bool]


def traits(good: Sequence[str]) -> list[Trait]:
    """What nearly all good responses have in common, of the things that make a form."""
    if not good:
        return []
    found = [trait for trait in _candidates(good) if _share(trait, good) >= COMMON]
    return [*found, Trait("no turn of another speaker", lambda text: not _SPEAKER.search(text))]


def _candidates(good: Sequence[str]) -> list[Trait]:
    opening = _opening(good)
    scripts = Counter(map(main_script, good))
    script = scripts.most_common(1)[0][0]
    traits = [
        Trait("JSON", _is_json),
        Trait("a code block", lambda text: "```" in text),
        Trait("one short line", _is_short_line),
        Trait("a marked or short answer", lambda text: final_answer(text) is not None),
        Trait(f"{script} letters", lambda text: main_script(text) == script),
    ]
    if not script:
        del traits[-1]
    if opening:
        name = f"begins with \u201c{opening}\u201d"
        traits.append(Trait(name, lambda text: text.strip().startswith(opening)))
    return traits


def _opening(good: Sequence[str]) -> str:
    """The longest beginning of up to four words that nearly all share; "" where there is none."""
    for size in range(_OPENING, 0, -1):
        openings = Counter(" ".join(text.split()[:size]) for text in good if len(text.split()) >= size)
        if openings:
            words, count = openings.most_common(1)[0]
            if count >= COMMON * len(good) and len(set(good)) > 1:
                return words
    return ""


def _share(trait: Trait, texts: Sequence[str]) -> float:
    return sum(map(trait.has, texts)) / len(texts)


def _is_short_line(text: str) -> bool:
    return "\n" not in text.strip() and 0 < len(text.split()) <= LINE_WORDS


def _is_json(text: str) -> bool:
    text = text.strip()
    if text[:1] not in ("{", "["):
        return False
    try:
        json.loads(text)
    except ValueError:
        return False
    return True
