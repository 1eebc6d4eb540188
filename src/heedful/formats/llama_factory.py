"""LLaMA-Factory's rankings (`ranking: true`), in ShareGPT style and in Alpaca style.

Which side is better, in both: `chosen` beats `rejected`. ShareGPT turns are `{from, value}` with
LLaMA-Factory's five names; a `function_call` is the model's own text and becomes an assistant message, an
`observation` a tool's.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

from ..records import Message, Messages, Preference, Record, Role
from . import distilabel
from .alpaca import PROMPT_FIELDS, alpaca_of_prompt, alpaca_of_response, prompt_of_alpaca
from .fields import (
    Fault,
    Fields,
    Origin,
    check_response,
    field,
    kind_of,
    optional_text,
    provenance,
    response_of,
    text,
)
from .format import Format, Unfit

SIDES = frozenset({"chosen", "rejected"})
SHAREGPT_FIELDS = SIDES | {"conversations"}
ALPACA_FIELDS = SIDES | {"instruction"}
SHAREGPT_LAYOUTS = (SHAREGPT_FIELDS,)
ALPACA_LAYOUTS = (ALPACA_FIELDS,)

ROLE_OF = {
    "human": "user",
    "gpt": "assistant",
    "system": "system",
    "observation": "tool",
    "function_call": "assistant",
}
NAME_OF = {"user": "human", "assistant": "gpt", "system": "system", "tool": "observation"}


def fits_sharegpt(row: Fields) -> bool:
    return row.keys() >= SHAREGPT_FIELDS


def fits_alpaca(row: Fields) -> bool:
    return row.keys() >= ALPACA_FIELDS and not distilabel.fits(row)


def parse_alpaca(row: Fields, origin: Origin) -> Preference:
    """A Preference: `chosen` is better than `rejected`, both text."""
    chosen, rejected = (response_of(text(field(row, side), side), side) for side in ("chosen", "rejected"))
    own = provenance(row, origin, ALPACA_FIELDS | PROMPT_FIELDS)
    return Preference(prompt_of_alpaca(row), chosen, rejected, **own)


def parse_sharegpt(row: Fields, origin: Origin) -> Preference:
    """A Preference: `chosen` is better than `rejected`, both one turn of the assistant."""
    turns = field(row, "conversations")
    if not isinstance(turns, list):
        raise Fault("wrong_type", f'"conversations" must be a list of {{from, value}}, not {kind_of(turns)}')
    messages = [message_of(turn, f"conversations[{n}]") for n, turn in enumerate(turns)]
    prompt = with_system([m for m in messages if m.role != "system" or m.content.strip()], row)
    if prompt and prompt[-1].role == "assistant":
        raise Fault("prompt_ends_with_assistant", '"conversations" must end with the human or an observation')
    chosen, rejected = (
        check_response((message_of(field(row, side), side),), side) for side in ("chosen", "rejected")
    )
    return Preference(prompt, chosen, rejected, **provenance(row, origin, SHAREGPT_FIELDS | {"system"}))


def message_of(turn: Any, key: str) -> Message:
    """A turn `{from, value}`."""
    if not isinstance(turn, dict):
        raise Fault("wrong_type", f'"{key}" must be {{from, value}}, not {kind_of(turn)}')
    name = text(field(turn, "from"), f"{key}.from")
    if name not in ROLE_OF:
        raise Fault("bad_role", f'"{key}.from" is "{name}", none of {", ".join(ROLE_OF)}')
    return Message(cast(Role, ROLE_OF[name]), text(field(turn, "value"), f"{key}.value"))


def with_system(messages: Sequence[Message], row: Fields) -> Messages:
    """The prompt under its system message, which stands in `system` or opens the conversation."""
    system = optional_text(row, "system")
    if not system:
        return tuple(messages)
    first = messages[0] if messages else None
    if first is not None and first.role == "system":
        if first.content != system:
            raise Fault("two_systems", '"system" and the first turn are two different system prompts')
        return tuple(messages)
    return (Message("system", system), *messages)


def dump_sharegpt(record: Record) -> dict[str, Any]:
    """A Preference whose turns alternate as LLaMA-Factory asks (it skips other rows with a warning)."""
    if not isinstance(record, Preference):
        raise Unfit("kind", f"a ranking holds preferences, not a {type(record).__name__}")
    spoken = record.prompt[1:] if record.prompt and record.prompt[0].role == "system" else record.prompt
    asks = [message.role in ("user", "tool") for message in spoken]
    if (
        asks != [n % 2 == 0 for n in range(len(asks))]
        or len(asks) % 2 == 0
        or any(m.role == "system" for m in spoken)
    ):
        roles = ", ".join(message.role for message in record.prompt) or "none"
        what = f"LLaMA-Factory wants human and gpt in turn, the human last; the prompt's turns are {roles}"
        raise Unfit("turns", what)
    for side in (record.chosen, record.rejected):
        if [message.role for message in side] != ["assistant"]:
            what = f"LLaMA-Factory's ranking cannot hold a response of {len(side)} messages"
            raise Unfit("response", what)
    return {
        "conversations": [_turn(message) for message in record.prompt],
        "chosen": _turn(record.chosen[0]),
        "rejected": _turn(record.rejected[0]),
    }


def dump_alpaca(record: Record) -> dict[str, Any]:
    """A Preference with a prompt of [system], user, assistant, ..., user and two responses of one message."""
    if not isinstance(record, Preference):
        raise Unfit("kind", f"a ranking holds preferences, not a {type(record).__name__}")
    return alpaca_of_prompt(record.prompt) | {
        "chosen": alpaca_of_response(record.chosen),
        "rejected": alpaca_of_response(record.rejected),
    }


def _turn(message: Message) -> dict[str, str]:
    return {"from": NAME_OF[message.role], "value": message.content}


SHAREGPT = Format(
    name="sharegpt-ranking",
    about="LLaMA-Factory's ranking in ShareGPT style",
    layouts=SHAREGPT_LAYOUTS,
    fits=fits_sharegpt,
    parse=parse_sharegpt,
    dump=dump_sharegpt,
    columns=True,
    reserved=SHAREGPT_FIELDS | {"system"},
)
ALPACA = Format(
    name="alpaca-ranking",
    about="LLaMA-Factory's ranking in Alpaca style",
    layouts=ALPACA_LAYOUTS,
    fits=fits_alpaca,
    parse=parse_alpaca,
    dump=dump_alpaca,
    columns=True,
    reserved=ALPACA_FIELDS | PROMPT_FIELDS | {"output"},
)
