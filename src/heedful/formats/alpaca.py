"""Alpaca demonstrations for SFT: `instruction, input, output, system?, history?`, all text.

`output` is the response to imitate. The prompt is read as LLaMA-Factory reads it: the system prompt, the
earlier turns of `history`, then `instruction` and `input` joined by a newline. Empty `system` and `input` are
as good as none.
"""

from __future__ import annotations

from typing import Any

from ..records import Demonstration, Message, Messages, Record, assistant, user
from .fields import Fault, Fields, Origin, field, kind_of, optional_text, provenance, text
from .format import Format, Unfit

PROMPT_FIELDS = frozenset({"instruction", "input", "system", "history"})
LAYOUTS = (frozenset({"instruction", "output"}),)
THUMB = "kto_tag"
"""The column that says whether `output` is to be imitated at all: the row is then LLaMA-Factory's for KTO."""


def fits(row: Fields) -> bool:
    return "instruction" in row and "output" in row and THUMB not in row


def parse(row: Fields, origin: Origin) -> Demonstration:
    """A Demonstration: `output` is the response to imitate."""
    response = (assistant(text(field(row, "output"), "output")),)
    return Demonstration(
        prompt_of_alpaca(row), response, **provenance(row, origin, PROMPT_FIELDS | {"output"})
    )


def prompt_of_alpaca(row: Fields) -> Messages:
    """The prompt of an Alpaca row, of either kind (demonstration or ranking)."""
    if not isinstance(field(row, "instruction"), str):
        raise Fault("wrong_type", f'"instruction" must be text, not {kind_of(row["instruction"])}')
    asked = [part for part in (optional_text(row, "instruction"), optional_text(row, "input")) if part]
    if not asked:
        raise Fault("empty_prompt", '"instruction" and "input" are both empty')
    system = optional_text(row, "system")
    opening = (Message("system", system),) if system else ()
    return (*opening, *_history(row.get("history") or []), user("\n".join(asked)))


def _history(value: Any) -> Messages:
    if not isinstance(value, list) or not all(isinstance(pair, list) and len(pair) == 2 for pair in value):
        raise Fault("wrong_type", '"history" must be a list of [question, answer]')
    messages: list[Message] = []
    for n, (question, answer) in enumerate(value):
        messages += [user(text(question, f"history[{n}][0]")), assistant(text(answer, f"history[{n}][1]"))]
    return tuple(messages)


def dump(record: Record) -> dict[str, Any]:
    """A Demonstration with a prompt of [system], user, assistant, ..., user and a response of one message."""
    if not isinstance(record, Demonstration):
        raise Unfit("kind", f"Alpaca holds demonstrations, not a {type(record).__name__}")
    return alpaca_of_prompt(record.prompt) | {"output": alpaca_of_response(record.response)}


def alpaca_of_prompt(prompt: Messages) -> dict[str, Any]:
    """The columns of an Alpaca row that hold its prompt."""
    system = prompt[0].content if prompt and prompt[0].role == "system" else ""
    rest = prompt[1:] if system else prompt
    roles = [message.role for message in rest]
    if roles != ["user", "assistant"] * (len(rest) // 2) + ["user"]:
        raise Unfit("turns", f"Alpaca cannot hold a prompt of the turns {', '.join(roles) or 'none'}")
    row: dict[str, Any] = {"instruction": rest[-1].content, "input": ""}
    if system:
        row["system"] = system
    if len(rest) > 1:
        row["history"] = [[q.content, a.content] for q, a in zip(rest[:-1:2], rest[1::2], strict=True)]
    return row


def alpaca_of_response(response: Messages) -> str:
    if [message.role for message in response] != ["assistant"]:
        raise Unfit("response", f"Alpaca cannot hold a response of {len(response)} messages")
    return response[0].content


FORMAT = Format(
    name="alpaca",
    about="Alpaca's demonstrations",
    layouts=LAYOUTS,
    fits=fits,
    parse=parse,
    dump=dump,
    columns=True,
    reserved=PROMPT_FIELDS | {"output", THUMB, "chosen", "rejected"},
)
