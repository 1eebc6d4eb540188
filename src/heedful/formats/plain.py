"""Plain columns: `prompt` with a response, with a response and a thumb, or with two responses and a verdict.

    prompt, response                                   a demonstration
    prompt, response, label                            a thumb
    prompt, response_a, response_b, label [, margin]   a pair

Tables from anywhere are read in this layout once their columns are named (`--prompt-column question`, ...).
Each may have `system`, `annotator`, `id`, `source`; further columns become metadata. A response with a
`score` is not this layout's.

Which side is better: a thumb's `label` is true, 1 or a word of `UP`, or false, 0 or one of `DOWN`. A pair's
is a word of `votes`: a, b, "Response A", model_b, left, tie, both_bad, ...; a number is `bad_value`, since
sets disagree on what 0, 1 and 2 mean. The first response is taken to be what was shown first. `margin` is how
much the winner is better. A missing or null label is `no_vote`.
"""

from __future__ import annotations

from typing import Any

from ..records import ANNOTATOR, Demonstration, Feedback, Message, Messages, Record
from .fields import (
    SHOWN,
    Fault,
    Fields,
    Origin,
    field,
    kind_of,
    numeric,
    optional_text,
    prompt_of,
    provenance,
    response_of,
    text,
)
from .format import Format
from .votes import compared, signed, verdict

ONE = frozenset({"prompt", "response"})
THUMB = ONE | {"label"}
PAIR = frozenset({"prompt", "response_a", "response_b", "label"})
LAYOUTS = (PAIR, THUMB, ONE)
OPTIONAL = frozenset({"system", ANNOTATOR})

UP = frozenset({"true", "1", "1.0", "yes", "up", "thumbs up", "good", "like", "positive", "desirable"})
DOWN = frozenset(
    {"false", "0", "0.0", "no", "down", "thumbs down", "bad", "dislike", "negative", "undesirable"}
)

OTHER_LAYOUTS = frozenset(
    {
        "score", "helpfulness", "completion", "completions", "chosen", "rejected", "messages",
        "conversations", "instruction", "winner", "winner_model_a", "winner_model_b", "data", "annotations",
        "annotation_id",
    }
)  # fmt: skip
"""With one of these columns the row is in a layout of someone else's."""


def fits(row: Fields) -> bool:
    if row.keys() & OTHER_LAYOUTS or not isinstance(row.get("prompt"), str | list):
        return False
    if "response" in row:
        return isinstance(row["response"], str | list) and "response_a" not in row
    return row.keys() >= PAIR


def parse(row: Fields, origin: Origin) -> Record:
    """A Demonstration, a Feedback or, where there are two responses, a Preference."""
    if "score" in row:
        raise Fault("unknown_field", 'a plain row has no "score": --format scored reads it')
    if "response_a" in row or "response_b" in row:
        return _pair(row, origin)
    prompt, response = _prompt(row), response_of(field(row, "response"), "response")
    if "label" not in row:
        return Demonstration(prompt, response, **_own(row, origin, ONE))
    return Feedback(prompt, response, _thumb(row["label"]), **_own(row, origin, THUMB))


def _pair(row: Fields, origin: Origin) -> Record:
    first, second = (response_of(field(row, f"response_{side}"), f"response_{side}") for side in "ab")
    label = field(row, "label")
    if label is None or label == "":
        raise Fault("no_vote", '"label" is empty')
    said = verdict(text(label, "label"), "label")
    margin = None if row.get("margin") in (None, "") else numeric(row["margin"], "margin")
    return compared(_prompt(row), first, second, said, _own(row, origin, PAIR | {"margin"}), margin=margin)


def _own(row: Fields, origin: Origin, used: frozenset[str]) -> dict[str, Any]:
    own = provenance(row, origin, used | OPTIONAL)
    signed(own, row.get(ANNOTATOR))
    return own


def _prompt(row: Fields) -> Messages:
    system = optional_text(row, "system")
    opening = (Message("system", system),) if system else ()
    return (*opening, *prompt_of(field(row, "prompt"), "prompt"))


def _thumb(label: Any) -> bool:
    if label is None or label == "":
        raise Fault("no_vote", '"label" is empty')
    if not isinstance(label, bool | int | float | str):
        raise Fault("wrong_type", f'"label" must be true or false, 0 or 1, or a word, not {kind_of(label)}')
    word = " ".join(str(label).casefold().replace("_", " ").split())
    if word not in UP | DOWN:
        raise Fault("bad_value", f'"label" is {str(label)[:SHOWN]!r}, neither a good word nor a bad one')
    return word in UP


FORMAT = Format(name="plain", about="plain columns", layouts=LAYOUTS, fits=fits, parse=parse)
