"""What every reader needs to take a row apart: typed fields, turns, common prefixes, and the reason codes.

A reader raises `Fault` for a row it cannot use; the code decides how the row is counted, the detail is for a
person. Knows rows (decoded JSON objects) and records, not files, and no layout in particular.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from typing import Any, NamedTuple, cast

from ..records import ROLES, Message, Messages, Role, assistant, user

Fields = Mapping[str, Any]

LAYOUT_REASONS = {
    "broken_row": "a table's row or a text block that lacks a part, or cannot be told from the next",
    "not_json": "the line is not JSON",
    "not_an_object": "the row is not a JSON object",
    "missing_field": "a field the layout needs is missing",
    "wrong_type": "a field holds another type than the layout's",
    "unknown_field": "a field the native format does not have",
    "not_a_transcript": 'no "\\n\\nHuman:" or "\\n\\nAssistant:" in an HH transcript',
}
CONTENT_REASONS = {
    "ambiguous": "the row fits two layouts of its format",
    "bad_role": "a role or speaker the layout does not have",
    "bad_value": "a field holds a value outside its range",
    "broken_text": "half of a surrogate pair: text that has no UTF-8 form",
    "deleted": "a message that was deleted",
    "empty_chosen": "the better response is empty",
    "empty_prompt": "the prompt is empty",
    "empty_rejected": "the worse response is empty",
    "empty_response": "a response is empty",
    "equal_sides": "both responses are the same after NFKC, strip and whitespace folding",
    "extra_turns": "more is left after the prompt than one reply",
    "leading_text": "an HH transcript has text before its first turn",
    "neither_valid": "the annotators found neither response worth rating",
    "no_common_prompt": "the two sides do not begin with the same turn",
    "no_final_assistant": "the last turn is not the assistant's",
    "no_responses": "the row holds no response",
    "no_vote": "an annotation without a vote: skipped, not sent, or nobody's yet",
    "prompt_ends_with_assistant": "the assistant has already answered where the responses begin",
    "spam": "a message that its reviewers rejected",
    "synthetic": "a message that a model wrote, where people's are wanted",
    "tie": "the row prefers neither response",
    "too_few_ranked": "fewer than two ranked replies: nothing to compare",
    "tool_calls": "structured tool calls, which a message cannot hold",
    "tree_not_ready": "a conversation tree that is not ready for export",
    "two_systems": "two different system prompts",
    "unranked": "a reply without a rank beside replies that have one",
    "unrated": "a response that was not rated under this aspect",
    "zero_weight": "the response has weight 0: nothing is to be learned from it",
}
REASONS = LAYOUT_REASONS | CONTENT_REASONS
"""Every reason code a reader gives. Rows that all have a layout reason were read with the wrong layout."""

ID_KEYS = ("id", "prompt_id", "example_id", "uuid")
_OWN = frozenset({*ID_KEYS, "source"})
SHOWN = 40  # characters of a wrong value that a message repeats


class Fault(Exception):
    """A row that cannot be used: a code from `REASONS` and one sentence for a person.

    `part` is what of the row cannot be used, where a row holds several records; None means the whole row.
    """

    def __init__(self, reason: str, detail: str, part: Any = None) -> None:
        if reason not in REASONS:
            raise ValueError(f"unknown reason {reason!r}")
        super().__init__(detail)
        self.reason, self.detail, self.part = reason, detail, part


class Origin(NamedTuple):
    """Where a row stands, and the id and source that its record takes where the row brings none."""

    where: str
    id: str
    source: str


def provenance(row: Fields, origin: Origin, used: Collection[str]) -> dict[str, Any]:
    """The record's `id`, `source` and `metadata`: the metadata are the columns the layout does not name."""
    if row.keys() == used and _OWN.isdisjoint(used):  # most rows have nothing of their own
        return {"id": origin.id, "source": origin.source, "metadata": {}}
    metadata = {key: value for key, value in row.items() if key not in used}
    name = origin.id
    for key in ID_KEYS:
        if key in row and isinstance(row[key], str | int) and row[key] != "":
            name = str(row[key])
            break
    source = row.get("source")
    for key in ("id", "source"):
        if key in metadata and isinstance(metadata[key], str | int | None):
            del metadata[key]
    return {
        "id": name,
        "source": source if isinstance(source, str) and source else origin.source,
        "metadata": metadata,
    }


def field(row: Fields, key: str) -> Any:
    if key not in row:
        raise Fault("missing_field", f'"{key}" is missing')
    return row[key]


def text(value: Any, key: str) -> str:
    """`value` as text that can be written as UTF-8; unchanged."""
    if not isinstance(value, str):
        raise Fault("wrong_type", f'"{key}" must be text, not {kind_of(value)}')
    if not _has_utf8_form(value):
        raise Fault("broken_text", f'"{key}" holds half of a surrogate pair, which has no UTF-8 form')
    return value


def _has_utf8_form(value: str) -> bool:
    try:
        return value.isascii() or bool(value.encode())
    except UnicodeEncodeError:
        return False


def optional_text(row: Fields, key: str) -> str:
    """The text under `key`; "" where it is missing, null or only whitespace."""
    value = row.get(key)
    return "" if value is None or not text(value, key).strip() else value


def number(value: Any, key: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise Fault("wrong_type", f'"{key}" must be a number, not {kind_of(value)}')
    try:
        result = float(value)
    except OverflowError:
        result = math.inf
    if not math.isfinite(result):
        raise Fault("bad_value", f'"{key}" must be a finite number')
    return result


def numeric(value: Any, key: str) -> float:
    """A number, or the text of one: tables, and some published sets, write their numbers as text."""
    if not isinstance(value, str):
        return number(value, key)
    try:
        spelled = float(value)
    except ValueError:
        raise Fault("bad_value", f'"{key}" must be a number, and is {value[:SHOWN]!r}') from None
    return number(spelled, key)


def flag(value: Any, key: str) -> bool:
    if not isinstance(value, bool):
        raise Fault("wrong_type", f'"{key}" must be true or false, not {kind_of(value)}')
    return value


def kind_of(value: Any) -> str:
    """JSON's word for the type of `value`."""
    if isinstance(value, bool):
        return "true or false"
    names = {dict: "an object", list: "a list", str: "text", int: "a number", float: "a number"}
    return "null" if value is None else names.get(type(value), type(value).__name__)


def conversation(value: Any, key: str, aliases: Mapping[str, str] | None = None) -> Messages:
    """Turns `[{"role", "content"}, ...]` as messages; `aliases` maps further role names to Heedful's.

    Content may be a list of OpenAI text parts, which are joined. Blank system turns are left out: they say
    nothing.
    """
    if not isinstance(value, list):
        raise Fault("wrong_type", f'"{key}" must be a list of {{role, content}}, not {kind_of(value)}')
    messages = [_plain(turn) or _message(turn, f"{key}[{n}]", aliases or {}) for n, turn in enumerate(value)]
    return tuple([m for m in messages if m.role != "system" or m.content.strip()])


def _plain(turn: Any) -> Message | None:
    """The message of a turn as most are, of a known role and text; None for one to be looked at closely."""
    if not isinstance(turn, dict) or len(turn) != 2:
        return None
    role, content = turn.get("role"), turn.get("content")
    if role in ROLES and isinstance(content, str) and _has_utf8_form(content):
        return Message(cast(Role, role), content)
    return None


def _message(turn: Any, key: str, aliases: Mapping[str, str]) -> Message:
    if not isinstance(turn, dict):
        raise Fault("wrong_type", f'"{key}" must be an object, not {kind_of(turn)}')
    if turn.get("tool_calls") or turn.get("function_call"):
        raise Fault("tool_calls", f'"{key}" calls a tool, which a message cannot hold')
    role = text(field(turn, "role"), f"{key}.role")
    role = aliases.get(role, role)
    if role not in ROLES:
        raise Fault("bad_role", f'"{key}.role" is "{role}", none of {", ".join((*ROLES, *aliases))}')
    content = field(turn, "content")
    if isinstance(content, list):
        content = "".join(_part(part, f"{key}.content[{n}]") for n, part in enumerate(content))
    return Message(cast(Role, role), text(content, f"{key}.content"))


def _part(part: Any, key: str) -> str:
    if not isinstance(part, dict) or part.get("type") != "text":
        raise Fault("wrong_type", f'"{key}" is not a text part; images and sound are not read')
    return text(field(part, "text"), f"{key}.text")


def prompt_of(value: Any, key: str) -> Messages:
    """A prompt given as text (one user message) or as turns."""
    return (user(value),) if isinstance(value, str) and text(value, key) else _turns_or_empty(value, key)


def response_of(value: Any, key: str) -> Messages:
    """A response given as text (one assistant message) or as turns of the assistant and its tools."""
    if isinstance(value, str) and text(value, key):
        return (assistant(value),)
    return check_response(_turns_or_empty(value, key), key)


def _turns_or_empty(value: Any, key: str) -> Messages:
    if value == "":
        return ()
    if not isinstance(value, list):
        raise Fault(
            "wrong_type", f'"{key}" must be text or a list of {{role, content}}, not {kind_of(value)}'
        )
    return conversation(value, key)


def check_response(messages: Messages, key: str) -> Messages:
    """`messages`, where they are one reply: the assistant begins and ends it, and no one asks in between."""
    if not messages:
        return messages
    if messages[-1].role != "assistant":
        raise Fault("no_final_assistant", f'"{key}" ends with a {messages[-1].role} turn')
    if messages[0].role != "assistant" or any(m.role in ("user", "system") for m in messages):
        raise Fault("extra_turns", f'"{key}" holds other turns than the assistant\'s reply')
    return messages


def common_turns(chosen: Sequence[object], rejected: Sequence[object]) -> int:
    """How many turns, messages or not yet, two conversations share from the start; a `Fault` where they share
    none or all."""
    shared = 0
    for left, right in zip(chosen, rejected, strict=False):
        if left != right:
            break
        shared += 1
    if chosen == rejected:
        raise Fault("equal_sides", "both sides are the same conversation")
    if not shared:
        raise Fault("no_common_prompt", "the two sides do not begin with the same turn")
    return shared


def turns(messages: Messages) -> list[dict[str, str]]:
    """Messages as JSON: `[{"role", "content"}, ...]`."""
    return [{"role": message.role, "content": message.content} for message in messages]
