"""Axolotl's preference layouts: `chat_template.default`, `chatml.intel`, `chatml.argilla`, `zephyr.nectar`.

    {"messages": [{"role", "content"}], "chosen": {"role", "content"}, "rejected": {"role", "content"}}
    {"system", "question", "chosen", "rejected"}
    {"system", "instruction", "chosen_response", "rejected_response"}
    {"prompt", "answers": [{"answer", "model", "rank"}]}

Which side is better: `chosen` beats `rejected`, `chosen_response` beats `rejected_response`, and in Nectar
rank 1 is the best and equal ranks are ties. (Axolotl itself makes the pair of a Nectar row of the two answers
with the highest rank *numbers*, the worst two; the whole ranking is read here.)

In the first, a side is a turn, a text (the assistant's), or a list of turns, of which Axolotl uses the last.
What stands before it is dropped where it only repeats `messages`; otherwise it is kept in the metadata, as
`chosen_before` or `rejected_before`: no training sees it. `messages` may be a text too.
"""

from __future__ import annotations

from typing import Any

from ..records import Message, Messages, Preference, Ranking, Record, assistant, user
from . import distilabel, hh
from .fields import (
    Fault,
    Fields,
    Origin,
    check_response,
    conversation,
    field,
    kind_of,
    number,
    optional_text,
    prompt_of,
    provenance,
    response_of,
    text,
    turns,
)
from .format import Format, Unfit

SIDES = frozenset({"chosen", "rejected"})
CHAT_FIELDS = SIDES | {"messages"}
INTEL_FIELDS = SIDES | {"question"}
ARGILLA_FIELDS = frozenset({"instruction", "chosen_response", "rejected_response"})
NECTAR_FIELDS = frozenset({"prompt", "answers"})
OTHER_PROMPTS = frozenset({"prompt", "conversations", "instruction", "messages", "question"})
"""With another of these columns the row is in a layout of someone else's."""


def fits_chat(row: Fields) -> bool:
    if not row.keys() >= CHAT_FIELDS or row.keys() & (OTHER_PROMPTS - {"messages"}):
        return False
    return isinstance(row["messages"], str | list) and all(
        isinstance(row[side], dict | str | list) for side in SIDES
    )


def fits_intel(row: Fields) -> bool:
    return row.keys() >= INTEL_FIELDS and not row.keys() & (OTHER_PROMPTS - {"question"})


def fits_argilla(row: Fields) -> bool:
    return row.keys() >= ARGILLA_FIELDS and not distilabel.fits(row)


def fits_nectar(row: Fields) -> bool:
    return "prompt" in row and isinstance(row.get("answers"), list)


def parse_chat(row: Fields, origin: Origin) -> Preference:
    """A Preference: `chosen` is better than `rejected`, each the last turn of what it holds."""
    prompt = prompt_of(field(row, "messages"), "messages")
    if prompt and prompt[-1].role == "assistant":
        raise Fault("prompt_ends_with_assistant", '"messages" ends with the assistant')
    own = provenance(row, origin, CHAT_FIELDS)
    chosen, rejected = (_last(field(row, side), side, prompt, own) for side in ("chosen", "rejected"))
    return Preference(prompt, chosen, rejected, **own)


def _last(side: Any, key: str, prompt: Messages, own: dict[str, Any]) -> Messages:
    """The reply of a side; what a list holds before it goes into the metadata, where it is anything new."""
    if isinstance(side, str):
        return response_of(side, key)
    if isinstance(side, dict):
        return check_response(conversation([side], key), key)
    if not isinstance(side, list):
        raise Fault("wrong_type", f'"{key}" must be a turn, a text or a list of turns, not {kind_of(side)}')
    whole = conversation(side, key)
    if not whole:
        raise Fault(f"empty_{key}", f'"{key}" has no turns')
    if whole[:-1] not in ((), prompt):
        own["metadata"] |= {f"{key}_before": turns(whole[:-1])}
    return check_response(whole[-1:], key)


def parse_intel(row: Fields, origin: Origin) -> Preference:
    """A Preference: `chosen` is better than `rejected`."""
    return _columns(row, origin, "question", "chosen", "rejected")


def parse_argilla(row: Fields, origin: Origin) -> Preference:
    """A Preference: `chosen_response` is better than `rejected_response`."""
    return _columns(row, origin, "instruction", "chosen_response", "rejected_response")


def _columns(row: Fields, origin: Origin, asked: str, better: str, worse: str) -> Preference:
    system = optional_text(row, "system")
    opening = (Message("system", system),) if system else ()
    prompt = (*opening, *prompt_of(text(field(row, asked), asked), asked))
    chosen, rejected = (response_of(text(field(row, key), key), key) for key in (better, worse))
    return Preference(prompt, chosen, rejected, **provenance(row, origin, {"system", asked, better, worse}))


def parse_nectar(row: Fields, origin: Origin) -> list[Record | Fault]:
    """One Ranking of the answers; one that cannot be used, or is empty, is a `Fault` of its own."""
    prompt, answers = _transcript(text(field(row, "prompt"), "prompt")), field(row, "answers")
    if not isinstance(answers, list):
        raise Fault("wrong_type", f'"answers" must be a list, not {kind_of(answers)}')
    ranked: list[tuple[Messages, int, Any]] = []
    faults: list[Record | Fault] = []
    for place, answer in enumerate(answers):
        try:
            ranked.append(_answer(answer, f"answers[{place}]"))
        except Fault as fault:
            faults.append(Fault(fault.reason, fault.detail, part=answer))
    if len(ranked) < 2:
        raise Fault("too_few_ranked", f"{len(ranked)} answers can be used, and one alone is no preference")
    own = provenance(row, origin, NECTAR_FIELDS)
    responses, ranks, models = zip(*ranked, strict=True)
    if any(model is not None for model in models):
        own["metadata"] |= {"generators": list(models)}
    return [Ranking(prompt, responses, ranks, **own), *faults]


def _answer(answer: Any, key: str) -> tuple[Messages, int, Any]:
    """An answer's response, rank and model."""
    if not isinstance(answer, dict):
        raise Fault("wrong_type", f'"{key}" must be an object, not {kind_of(answer)}')
    response = text(field(answer, "answer"), f"{key}.answer")
    if not response.strip():
        raise Fault("empty_response", f'"{key}.answer" is empty')
    rank = number(field(answer, "rank"), f"{key}.rank")
    if rank < 1 or rank != int(rank):
        raise Fault("bad_value", f'"{key}.rank" must be a whole number from 1, and is {rank:g}')
    return (assistant(response),), int(rank), answer.get("model")


def _transcript(prompt: str) -> Messages:
    """Nectar's prompts are transcripts that end with an open Assistant turn; any other text is one turn."""
    before, *parts = hh.SPEAKER.split(prompt)
    if before.strip() or not parts or parts[-2] != "Assistant" or parts[-1].strip():
        return (user(prompt),)
    spoken = zip(parts[:-2:2], parts[1:-2:2], strict=True)
    said = [(who, content.strip()) for who, content in spoken]
    return tuple(user(content) if who == "Human" else assistant(content) for who, content in said)


def dump_chat(record: Record) -> dict[str, Any]:
    """A Preference whose two responses are one turn each, as `chat_template.default` takes it."""
    if not isinstance(record, Preference):
        raise Unfit("kind", f"Axolotl's layout holds preferences, not a {type(record).__name__}")
    if not record.prompt or record.prompt[-1].role == "assistant":
        raise Unfit("turns", "Axolotl wants a prompt that does not end with the assistant")
    for side in (record.chosen, record.rejected):
        if [message.role for message in side] != ["assistant"]:
            raise Unfit("response", f"Axolotl uses one turn of a response, and this one has {len(side)}")
    return {
        "messages": turns(record.prompt),
        "chosen": turns(record.chosen)[0],
        "rejected": turns(record.rejected)[0],
    }


CHAT = Format(
    name="axolotl",
    about="Axolotl's chat_template.default",
    layouts=(CHAT_FIELDS,),
    fits=fits_chat,
    parse=parse_chat,
    dump=dump_chat,
    columns=True,
    reserved=CHAT_FIELDS | OTHER_PROMPTS,
)
INTEL = Format(
    name="intel",
    about="Axolotl's chatml.intel",
    layouts=(INTEL_FIELDS,),
    fits=fits_intel,
    parse=parse_intel,
)
ARGILLA = Format(
    name="argilla-dpo",
    about="Axolotl's chatml.argilla",
    layouts=(ARGILLA_FIELDS,),
    fits=fits_argilla,
    parse=parse_argilla,
)
NECTAR = Format(
    name="nectar",
    about="Nectar's ranked answers",
    layouts=(NECTAR_FIELDS,),
    fits=fits_nectar,
    parse=parse_nectar,
)
