"""What layouts of comparisons share: the names of a user's own fields, the words of a verdict, and the record
that a vote becomes.

Annotation tools let every project name its fields and its answers as it likes. What is tried here is written
out; any other name is said to Heedful with the column options, and any other word is `bad_value`: nothing is
guessed. Knows no tool's layout.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from ..records import ANNOTATOR, EVEN, SHOWN_FIRST, VERDICT, Messages, Preference, Ranking, Verdict
from .fields import SHOWN, Fault, Fields, prompt_of

PROMPTS = (
    "prompt", "instruction", "question", "query", "request", "input", "context", "conversation", "history",
)  # fmt: skip
"""Fields that hold the prompt, the first there is; `--prompt-column` names another."""

NOUNS = "response|answer|completion|output|generation|reply|summary|candidate|text"
RESPONSE = re.compile(rf"(?i:{NOUNS})(?:[ _-]?([A-Z]|\d\d?)|[ _-]([a-z]))")
"""Fields that hold one of several responses (`answer1`, `response_b`, `generation-0`), in the order of their
letters or numbers; `left` and `right` are two as well."""
LONE_RESPONSE = re.compile(rf"{NOUNS}", re.IGNORECASE)

SIDE = re.compile(
    rf"(?:(?:the)?(?:{NOUNS}|model|option|assistant|side)?(?P<letter>[ab])"
    rf"|(?:{NOUNS}|model|option|assistant|side)(?P<number>[12])"
    rf"|(?:the)?(?P<place>left|right|first|second)(?:one|{NOUNS}|model|option|assistant|side)?)"
    r"(?:isbetter|isbest|better|wins|won)?"
)
"""A word for one of two responses, folded: `A`, `response_b`, `Model A wins`, `answer 1`, `left is better`. A
number alone is none: sets disagree on whether 1 is the first or the second."""
TIES = frozenset(
    {
        "tie", "tied", "draw", "even", "equal", "equallygood", "bothgood", "botharegood", "same", "thesame",
        "aboutthesame", "nopreference",
    }
)  # fmt: skip
BOTH_BAD = frozenset({"bothbad", "botharebad", "tiebothbad", "equallybad", "bothequallybad", "neitherisgood"})
SKIPS = frozenset(
    {"skip", "skipped", "cantchoose", "cantdecide", "cannotdecide", "unsure", "notsure", "dontknow"}
)

PLAIN_ASPECTS = ("", "rating", "score", "overall", "quality")
"""What is left of a rating question's name where it asks for no aspect in particular."""


def prompt_in(fields: Fields) -> tuple[str, Messages]:
    """The name and the messages of the field that holds the prompt."""
    name = next((name for name in PROMPTS if name in fields), None)
    if name is None:
        raise Fault("missing_field", f"no field is a prompt ({', '.join(PROMPTS)}): name it, --prompt-column")
    return name, prompt_of(fields[name], name)


def responses_in(fields: Fields) -> list[str]:
    """The names of the fields that hold one of several responses, in order."""
    found = [((match[1] or match[2]).lower(), name) for name in fields if (match := RESPONSE.fullmatch(name))]
    if not found:
        return [name for name in ("left", "right") if name in fields]
    return [name for _, name in sorted(found, key=lambda item: (len(item[0]), item))]


def pair_in(fields: Fields) -> tuple[str, str]:
    """The names of the two fields that are compared, the first (left, A) first."""
    if "response_a" in fields and "response_b" in fields:
        return "response_a", "response_b"
    names = responses_in(fields)
    if len(names) != 2:
        found = ", ".join(names) or "response_a, answer1, ..."
        what = f"{len(names)} fields are responses ({found}), not two: name them"
        columns = "--response-a-column and --response-b-column"
        raise Fault("ambiguous" if names else "missing_field", f"{what}, {columns}")
    return names[0], names[1]


def verdict_of(word: str, first: str = "", second: str = "") -> Verdict | None:
    """What a word says of two responses; None where it says nothing. The responses' own names come first."""
    if word in (first, second) and word:
        return "a" if word == first else "b"
    return _said(word)


@lru_cache(maxsize=256)  # a file has few words for its verdicts, and each in every row
def _said(word: str) -> Verdict | None:
    folded = re.sub(r"[\W_]+", "", word.casefold())
    if match := SIDE.fullmatch(folded):
        side = match["letter"] or match["number"] or match["place"]
        return "a" if side in ("a", "1", "left", "first") else "b"
    verdicts: tuple[tuple[frozenset[str], Verdict], ...] = (
        (TIES, "tie"),
        (BOTH_BAD, "both_bad"),
        (SKIPS, "skip"),
    )
    return next((verdict for words, verdict in verdicts if folded in words), None)


def verdict(word: str, key: str, first: str = "", second: str = "") -> Verdict:
    """As `verdict_of`; a `Fault` where the word says nothing of the two."""
    found = verdict_of(word, first, second)
    if found is None:
        raise Fault("bad_value", f'"{key}" is "{word[:SHOWN]}", which names neither side, a tie nor both bad')
    return found


def compared(
    prompt: Messages,
    first: Messages,
    second: Messages,
    said: Verdict,
    own: dict[str, Any],
    *,
    margin: float | None = None,
) -> Preference:
    """The pair of two responses, `first` shown first; a tie has the first as chosen in name.

    `own` are the record's id, source and metadata, as `provenance` gives them.
    """
    if said == "skip":
        raise Fault("no_vote", "the annotator chose not to say")
    chosen, rejected = (second, first) if said == "b" else (first, second)
    own["metadata"] |= {SHOWN_FIRST: "rejected" if said == "b" else "chosen"}
    if said == "both_bad":
        own["metadata"] |= {VERDICT: said}
    even = EVEN if said in ("tie", "both_bad") else None
    return Preference(prompt, chosen, rejected, margin=margin, probability=even, **own)


def ranked(
    prompt: Messages, responses: Sequence[Messages], ranks: Sequence[int], own: dict[str, Any]
) -> Preference | Ranking:
    """A Ranking of the responses in the order shown, 1 best; of two, the pair, and of two alike, the tie."""
    if len(responses) < 2:
        raise Fault("too_few_ranked", f"{len(responses)} of the responses are ranked")
    if len(responses) > 2:
        return Ranking(prompt, tuple(responses), tuple(ranks), **own)
    said: Verdict = "tie" if ranks[0] == ranks[1] else "a" if ranks[0] < ranks[1] else "b"
    return compared(prompt, responses[0], responses[1], said, own)


def rated_in(fields: Fields, question: str) -> str:
    """The name of the response that a rating question rates: the one it names, or the only one."""
    names = responses_in(fields) or [name for name in fields if LONE_RESPONSE.fullmatch(name)]
    named = max((name for name in names if name in question), key=len, default="")
    if not named and len(names) != 1:
        what = f'"{question}" does not say which response it rates ({", ".join(names) or "none is there"})'
        raise Fault("ambiguous" if names else "missing_field", f"{what}: name it, --response-column")
    return named or names[0]


def aspect_of(question: str, response: str) -> str:
    """What a rating question asks for: "overall" of `generation-0-rating`, "helpfulness" of
    `response1_helpfulness`."""
    words = re.split(r"[\W_]+", question.replace(response, " "))
    return " ".join(word for word in words if word.casefold() not in PLAIN_ASPECTS) or "overall"


def signed(own: dict[str, Any], annotator: Any) -> None:
    """Put who voted into the metadata: a number, a text, or a person's email, name or id."""
    if isinstance(annotator, dict):
        keys = ("email", "username", "id")
        annotator = next((annotator[key] for key in keys if annotator.get(key) not in (None, "")), None)
    if isinstance(annotator, str | int) and not isinstance(annotator, bool) and annotator != "":
        own["metadata"] |= {ANNOTATOR: str(annotator)}
