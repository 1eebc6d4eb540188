"""LLaMA-Factory's KTO rows: one answer and whether it is desirable, in the three styles its converters take.

    {"messages": [{"role", "content"}], "label": true}
    {"conversations": [{"from", "value"}], "kto_tag": true}
    {"instruction", "input", "output", "kto_tag": true}

Which is better: true is desirable. The last turn is the answer that is judged, all before it the prompt. The
names are the project's own (its demonstration set says `label`, its documentation `kto_tag`): either is read
in the first two styles; in the third only `kto_tag`, since a `label` beside an Alpaca row may be anything. A
null is no thumb: `no_vote`. The first style is written.
"""

from __future__ import annotations

from typing import Any

from ..records import Feedback, Message, Messages, Record, assistant
from .alpaca import PROMPT_FIELDS, prompt_of_alpaca
from .fields import (
    Fault,
    Fields,
    Origin,
    check_response,
    conversation,
    field,
    flag,
    kind_of,
    provenance,
    text,
    turns,
)
from .format import Format, Unfit
from .llama_factory import message_of, with_system

TAGS = ("label", "kto_tag")
MESSAGES = frozenset({"messages", "label"})
CONVERSATIONS = frozenset({"conversations", "kto_tag"})
ALPACA = frozenset({"instruction", "output", "kto_tag"})
LAYOUTS = (MESSAGES, CONVERSATIONS, ALPACA)
OTHER_LAYOUTS = frozenset({"prompt", "completion", "chosen", "rejected"})
"""With one of these columns the row is in a layout of someone else's."""
ALIASES = {"observation": "tool", "function_call": "assistant"}


def fits(row: Fields) -> bool:
    if row.keys() & OTHER_LAYOUTS or not any(isinstance(row.get(tag), bool) for tag in TAGS):
        return False
    if any(isinstance(row.get(key), list) for key in ("messages", "conversations")):
        return True
    return row.keys() >= ALPACA


def parse(row: Fields, origin: Origin) -> Feedback:
    """A Feedback on the last turn."""
    tag = next((tag for tag in TAGS if tag in row), "label")
    if field(row, tag) is None:
        raise Fault("no_vote", f'"{tag}" is null')
    desirable = flag(row[tag], tag)
    if "messages" in row or "conversations" in row:
        key = "messages" if "messages" in row else "conversations"
        whole = _turns(row, key)
        if not whole or whole[-1].role != "assistant":
            raise Fault("no_final_assistant", f'"{key}" does not end with the assistant')
        own = provenance(row, origin, {key, tag, "system"})
        return Feedback(whole[:-1], check_response(whole[-1:], key), desirable, **own)
    response = (assistant(text(field(row, "output"), "output")),)
    own = provenance(row, origin, PROMPT_FIELDS | {"output", tag})
    return Feedback(prompt_of_alpaca(row), response, desirable, **own)


def _turns(row: Fields, key: str) -> Messages:
    value = row[key]
    if key == "messages":
        spoken = conversation(value, key, ALIASES)
    elif isinstance(value, list):
        given = (message_of(turn, f"{key}[{place}]") for place, turn in enumerate(value))
        spoken = tuple(m for m in given if m.role != "system" or m.content.strip())
    else:
        raise Fault("wrong_type", f'"{key}" must be a list of turns, not {kind_of(value)}')
    return with_system(spoken, row)


def dump(record: Record) -> dict[str, Any]:
    """A Feedback on one turn, after turns that alternate (LLaMA-Factory skips others with a warning)."""
    if not isinstance(record, Feedback):
        raise Unfit("kind", f"KTO rows hold feedback, not a {type(record).__name__}")
    if [message.role for message in record.response] != ["assistant"]:
        raise Unfit("response", f"KTO rows cannot hold a response of {len(record.response)} messages")
    if not alternates(record.prompt):
        roles = ", ".join(message.role for message in record.prompt) or "none"
        what = f"LLaMA-Factory wants user and assistant in turn, the user last; the prompt has {roles}"
        raise Unfit("turns", what)
    return {"messages": turns(record.prompt + record.response), "label": record.desirable}


def alternates(prompt: tuple[Message, ...]) -> bool:
    """Whether a prompt is [system], user, assistant, ..., user."""
    spoken = prompt[1:] if prompt and prompt[0].role == "system" else prompt
    return [message.role for message in spoken] == ["user", "assistant"] * (len(spoken) // 2) + ["user"]


FORMAT = Format(
    name="llama-factory-kto",
    about="LLaMA-Factory's KTO rows",
    layouts=LAYOUTS,
    fits=fits,
    parse=parse,
    dump=dump,
    columns=True,
    reserved=OTHER_LAYOUTS | {"messages", "conversations", "instruction", "system", *TAGS},
)
