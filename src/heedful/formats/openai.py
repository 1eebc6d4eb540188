"""OpenAI's fine-tuning files: chat demonstrations `{messages}` and preferences `{input, preferred_output,
...}`.

Which side is better: `preferred_output` beats `non_preferred_output`; in a chat the last message, which must
be the assistant's, is the response to imitate. `tools` and `parallel_tool_calls` are kept in the metadata and
written back. The service refuses keys it does not know, so a written row has no id, no source and no other
metadata.
"""

from __future__ import annotations

from typing import Any

from ..records import Demonstration, Messages, Preference, Record
from .fields import Fault, Fields, Origin, check_response, conversation, field, kind_of, provenance, turns
from .format import Format, Unfit

ALIASES = {"developer": "system", "function": "tool"}
"""OpenAI's other names: newer models call the system `developer`, older ones called a tool `function`."""

CHAT_FIELDS = frozenset({"messages"})
PREFERENCE_FIELDS = frozenset({"input", "preferred_output", "non_preferred_output"})
CHAT_LAYOUTS = (CHAT_FIELDS,)
PREFERENCE_LAYOUTS = (PREFERENCE_FIELDS,)
OPTIONS = ("tools", "parallel_tool_calls")
OTHER_LAYOUTS = frozenset({"chosen", "rejected", "completion", "label", "kto_tag", "conversations"})
"""With one of these columns `messages` means something else than a whole chat."""


def fits_chat(row: Fields) -> bool:
    return isinstance(row.get("messages"), list) and not row.keys() & OTHER_LAYOUTS


def fits_preference(row: Fields) -> bool:
    return row.keys() >= PREFERENCE_FIELDS


def parse_chat(row: Fields, origin: Origin) -> Demonstration:
    """A Demonstration: the last message is the response to imitate, all before it the prompt."""
    messages = conversation(field(row, "messages"), "messages", ALIASES)
    if not messages or messages[-1].role != "assistant":
        raise Fault("no_final_assistant", "the last message is not the assistant's")
    if row["messages"][-1].get("weight") == 0:
        raise Fault("zero_weight", "the last message has weight 0: it is not to be learned")
    return Demonstration(messages[:-1], messages[-1:], **provenance(row, origin, CHAT_FIELDS))


def parse_preference(row: Fields, origin: Origin) -> Preference:
    """A Preference: `preferred_output` is better than `non_preferred_output`."""
    given = field(row, "input")
    if not isinstance(given, dict):
        raise Fault("wrong_type", f'"input" must be an object, not {kind_of(given)}')
    prompt = conversation(field(given, "messages"), "input.messages", ALIASES)
    chosen, rejected = (_output(row, side) for side in ("preferred_output", "non_preferred_output"))
    own = provenance(row, origin, PREFERENCE_FIELDS)
    own["metadata"] |= {key: value for key, value in given.items() if key != "messages"}
    return Preference(prompt, chosen, rejected, **own)


def _output(row: Fields, key: str) -> Messages:
    return check_response(conversation(field(row, key), key, ALIASES), key)


def dump_chat(record: Record) -> dict[str, Any]:
    """A Demonstration of text turns as one chat."""
    if not isinstance(record, Demonstration):
        raise Unfit("kind", f"an OpenAI chat holds a demonstration, not a {type(record).__name__}")
    if len(record.response) != 1:
        raise Unfit("response", f"an OpenAI chat cannot hold a response of {len(record.response)} messages")
    return {"messages": _turns(record.prompt + record.response)} | _options(record)


def dump_preference(record: Record) -> dict[str, Any]:
    """A Preference of text turns."""
    if not isinstance(record, Preference):
        what = f"OpenAI's preference format holds preferences, not a {type(record).__name__}"
        raise Unfit("kind", what)
    return {
        "input": {"messages": _turns(record.prompt)} | _options(record),
        "preferred_output": _turns(record.chosen),
        "non_preferred_output": _turns(record.rejected),
    }


def _turns(messages: Messages) -> list[dict[str, str]]:
    if any(message.role == "tool" for message in messages):
        what = "OpenAI's tool messages name the call they answer, which the record does not hold"
        raise Unfit("turns", what)
    return turns(messages)


def _options(record: Demonstration | Preference) -> dict[str, Any]:
    return {key: record.metadata[key] for key in OPTIONS if key in record.metadata}


CHAT = Format(
    name="openai-chat",
    about="OpenAI's chats",
    layouts=CHAT_LAYOUTS,
    fits=fits_chat,
    parse=parse_chat,
    dump=dump_chat,
    keeps=frozenset(OPTIONS),
)
PREFERENCE = Format(
    name="openai-preference",
    about="OpenAI's preference fine-tuning rows",
    layouts=PREFERENCE_LAYOUTS,
    fits=fits_preference,
    parse=parse_preference,
    dump=dump_preference,
    keeps=frozenset(OPTIONS),
)
