"""TRL's layouts: preference, unpaired feedback and prompt-completion, each of plain strings or of turns.

Which side is better: `chosen` beats `rejected`; `label` true is good. Where the prompt is implicit it is what
the two sides share; for plain strings that is a guess, and `_split_texts` says how it is made.

A row with `score_chosen` and `score_rejected` (UltraFeedback binarised) and no `margin` has their difference
as its margin, and the scores in its metadata. The label stays as published: equal scores give a margin of 0,
no tie, and scores that contradict the label a negative one.
"""

from __future__ import annotations

from typing import Any

from ..records import SCORES, Demonstration, Feedback, Messages, Preference, Record, assistant, user
from . import distilabel, hh, reward_bench
from .fields import (
    Fault,
    Fields,
    Origin,
    check_response,
    common_turns,
    conversation,
    field,
    flag,
    kind_of,
    number,
    prompt_of,
    provenance,
    response_of,
    text,
    turns,
)
from .format import Format, Unfit

PREFERENCE = frozenset({"chosen", "rejected"})
COMPLETION = frozenset({"prompt", "completion"})
UNPAIRED = COMPLETION | {"label"}
LAYOUTS = (PREFERENCE | {"prompt"}, PREFERENCE, UNPAIRED, COMPLETION)
RESERVED = PREFERENCE | UNPAIRED | {"margin", "id", "source"}


def fits(row: Fields) -> bool:
    if row.keys() >= COMPLETION:
        return True
    if not row.keys() >= PREFERENCE or not all(isinstance(row[side], str | list) for side in PREFERENCE):
        return False
    if distilabel.fits(row) or reward_bench.fits(row):
        return False
    if "prompt" in row:
        return True
    return not row.keys() & hh.OTHER_PROMPTS and not hh.fits(row)


def parse(row: Fields, origin: Origin) -> Record:
    """A Preference, Feedback or Demonstration: `chosen` beats `rejected`; `label` true is desirable."""
    if row.keys() & PREFERENCE:
        if "completion" in row:
            raise Fault("ambiguous", 'the row has "completion" beside "chosen" and "rejected"')
        return _preference(row, origin)
    prompt, response = prompt_of(field(row, "prompt"), "prompt"), field(row, "completion")
    response = response_of(response, "completion")
    if "label" not in row:
        return Demonstration(prompt, response, **provenance(row, origin, COMPLETION))
    return Feedback(prompt, response, flag(row["label"], "label"), **provenance(row, origin, UNPAIRED))


def _preference(row: Fields, origin: Origin) -> Preference:
    sides = field(row, "chosen"), field(row, "rejected")
    if "prompt" in row:
        prompt = prompt_of(row["prompt"], "prompt")
        if not prompt:
            raise Fault("empty_prompt", '"prompt" is empty')
        chosen = _after_prompt(sides[0], prompt, "chosen")
        rejected = _after_prompt(sides[1], prompt, "rejected")
    elif all(isinstance(side, str) for side in sides):
        prompt, chosen, rejected = _split_texts(text(sides[0], "chosen"), text(sides[1], "rejected"))
    elif all(isinstance(side, list) for side in sides):
        prompt, chosen, rejected = _split_turns(
            conversation(sides[0], "chosen"), conversation(sides[1], "rejected")
        )
    else:
        kinds = " and ".join(kind_of(side) for side in sides)
        raise Fault("wrong_type", f'"chosen" and "rejected" must both be text or both be lists, not {kinds}')
    own = provenance(row, origin, PREFERENCE | {"prompt", "margin"})
    return Preference(prompt, chosen, rejected, margin=_margin(row), **own)


def _margin(row: Fields) -> float | None:
    """The margin that is given, or what the two sides' scores come to; None without both."""
    if row.get("margin") is not None:
        return number(row["margin"], "margin")
    if SCORES[0] not in row or SCORES[1] not in row:
        return None
    try:
        chosen, rejected = (number(row[name], name) for name in SCORES)
        return number(chosen - rejected, "margin")
    except Fault:
        return None  # a column of that name that holds no score is metadata like any other


def _after_prompt(side: Any, prompt: Messages, key: str) -> Messages:
    """A side's reply. Some sets (UltraFeedback) repeat the prompt in both sides: it is taken off."""
    if not isinstance(side, list):
        return response_of(side, key)
    whole = conversation(side, key)
    repeated = bool(prompt) and whole[: len(prompt)] == prompt
    return check_response(whole[len(prompt) :] if repeated else whole, key)


def _split_turns(chosen: Messages, rejected: Messages) -> tuple[Messages, Messages, Messages]:
    """An implicit prompt of turns: the longest run of turns both sides begin with."""
    if not chosen or not rejected:
        side = "rejected" if chosen else "chosen"
        raise Fault(f"empty_{side}", f'"{side}" has no turns')
    shared = common_turns(chosen, rejected)
    if shared in (len(chosen), len(rejected)):
        raise Fault("extra_turns", "one side only goes on where the other ends")
    return (
        chosen[:shared],
        check_response(chosen[shared:], "chosen"),
        check_response(rejected[shared:], "rejected"),
    )


def _split_texts(chosen: str, rejected: str) -> tuple[Messages, Messages, Messages]:
    """An implicit prompt in plain strings: the longest common prefix, cut back to the last whitespace in it.

    This is ambiguous: replies that begin with the same words lose them to the prompt. Nothing in the row says
    where the prompt ends, so where that matters give the prompt its own column. The whitespace at the cut
    belongs to neither side. Without whitespace in the common prefix no prompt can be told and the row is
    `empty_prompt`.
    """
    for key, side in (("chosen", chosen), ("rejected", rejected)):
        if not side.strip():
            raise Fault(f"empty_{key}", f'"{key}" is empty')
    if chosen == rejected:
        raise Fault("equal_sides", "both sides are the same text")
    pairs = enumerate(zip(chosen, rejected, strict=False))
    cut = next((n for n, (left, right) in pairs if left != right), min(len(chosen), len(rejected)))
    while cut and not chosen[cut - 1].isspace():
        cut -= 1
    prompt = chosen[:cut].rstrip()
    if not prompt:
        raise Fault("empty_prompt", "the two texts share no first words that could be the prompt")
    return (user(prompt),), (assistant(chosen[cut:]),), (assistant(rejected[cut:]),)


def dump(record: Record) -> dict[str, Any]:
    """The record with an explicit prompt, in turns. The metadata become columns, as they were when read."""
    if isinstance(record, Preference):
        row: dict[str, Any] = {"chosen": turns(record.chosen), "rejected": turns(record.rejected)}
        if record.margin is not None:
            row["margin"] = record.margin
    elif isinstance(record, Feedback):
        row = {"completion": turns(record.response), "label": record.desirable}
    elif isinstance(record, Demonstration):
        row = {"completion": turns(record.response)}
    else:
        raise Unfit("kind", f"TRL has no layout for a {type(record).__name__}")
    return {"prompt": turns(record.prompt)} | row


FORMAT = Format(
    name="trl",
    about="TRL's columns, in text or in turns",
    layouts=LAYOUTS,
    fits=fits,
    parse=parse,
    dump=dump,
    columns=True,
    reserved=RESERVED,
    carries=frozenset({"margin"}),
    texts={"prompt": "user", "chosen": "assistant", "rejected": "assistant", "completion": "assistant"},
)
