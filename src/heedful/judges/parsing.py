"""Reading a chat model's reply: one JSON object of two keys that names one of this request's labels.

Nothing else is ever read for a verdict. A reply that quotes the texts, has a second object, a key too many,
or a label of another request is none.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from heedful.evaluation.duels import Choice

KEYS = {"reason", "verdict"}
LONGEST_REASON = 2000
"""Characters of a reason that are kept."""

PLAIN: dict[Choice, str] = {"first": "the first answer", "second": "the second answer", "tie": "a tie"}

# A reasoning model's thoughts, where they come first and end; and a fence around all of the reply.
_THOUGHTS = re.compile(r"<think>.*?</think>", re.DOTALL)
_FENCE = re.compile(r"```(?:json)?[ \t]*\n(.*)\n[ \t]*```", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Reading:
    """What a reply says.

    Attributes:
        choice: None where it is no verdict.
        reason: of the verdict, with plain words for the labels; or why it is none.
    """

    choice: Choice | None
    reason: str


def read(reply: str, labels: Mapping[str, Choice]) -> Reading:
    """The verdict of a reply, if it has exactly the form that was asked for.

    Args:
        labels: of this one request.
    """
    text = reply.strip()
    if text.startswith("<think>"):
        thoughts = _THOUGHTS.match(text)
        if thoughts is None:
            return Reading(None, "its thoughts have no end")
        text = text[thoughts.end() :].strip()
    if fenced := _FENCE.fullmatch(text):
        text = fenced[1]
    try:
        found = json.loads(text, object_pairs_hook=_once, parse_constant=_no_number)
    except (ValueError, RecursionError):
        return Reading(None, "its reply is no JSON object" if text else "its reply is empty")
    if not isinstance(found, dict) or found.keys() != KEYS:
        return Reading(None, 'its reply does not have exactly the keys "reason" and "verdict"')
    verdict, reason = found["verdict"], found["reason"]
    if not isinstance(reason, str) or not isinstance(verdict, str):
        return Reading(None, "its reason or its verdict is no text")
    if verdict not in labels:
        return Reading(None, "its verdict is none of the labels")
    for label, choice in labels.items():
        reason = reason.replace(label, PLAIN[choice])
    return Reading(labels[verdict], " ".join(reason.split())[:LONGEST_REASON])


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object, each key of which stands in it once: the last of two would win otherwise."""
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a key stands twice")
    return found


def _no_number(name: str) -> Any:
    raise ValueError(f"{name} is no JSON")
