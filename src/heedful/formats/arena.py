"""Arena battles: two models answer one user, who votes. Three layouts, by what the sets publish.

    {"model_a", "model_b", "winner", "judge", "conversation_a": [{"role", "content"}], "conversation_b"}
    {"model_a", "model_b", "prompt", "response_a", "response_b", "winner_model_a", "winner_model_b",
    "winner_tie"}
    {"model_a", "model_b", "prompt", "response_a", "response_b", "winner"}

Which side is better: `winner` is `model_a`, `model_b`, `tie`, or `tie (bothbad)` / `both_bad`, a tie whose
`verdict` is "both_bad"; `tie (inconsistent)`, a judge who was asked twice and changed sides, is a tie too and
keeps its word in the metadata. Of the three `winner_...` columns exactly one is 1; the third is `winner_tie`,
or `winner_model_tie`. A is shown first. The models are the generators, the judge is the annotator.

Conversations are lists of turns or the JSON text of one. In the one-hot layout `prompt` and the responses are
JSON text of a list, one entry a turn (null where a model said nothing); where not all three are lists of one
length, as in the third layout, each is one plain turn.

The prompt is the run of turns both conversations share, and one reply must be left on each side. A battle of
several turns is judged as a whole: from the first reply on the two are different conversations, and no one
prompt has the two last replies as its answers. Such a battle is `extra_turns`. Where `turn` says that an
earlier turn was judged (MT-bench asks for either), what comes after it is cut off first.
"""

from __future__ import annotations

import json
from typing import Any

from ..records import Message, Messages, Preference, Verdict, assistant, user
from .fields import (
    Fault,
    Fields,
    Origin,
    check_response,
    common_turns,
    conversation,
    field,
    provenance,
    text,
)
from .format import Format
from .votes import compared, signed, verdict

CONVERSATIONS = frozenset({"winner", "conversation_a", "conversation_b"})
RESPONSES = frozenset({"prompt", "response_a", "response_b"})
ONE_HOT = RESPONSES | {"winner_model_a", "winner_model_b"}
PLAIN = RESPONSES | {"model_a", "model_b", "winner"}
LAYOUTS = (CONVERSATIONS, ONE_HOT, PLAIN)

WINNERS: dict[str, Verdict] = {
    "winner_model_a": "a",
    "winner_model_b": "b",
    "winner_tie": "tie",
    "winner_model_tie": "tie",
}
JUDGES = ("judge", "judge_hash")
INCONSISTENT = "tie (inconsistent)"


def fits(row: Fields) -> bool:
    return any(row.keys() >= layout for layout in LAYOUTS)


def parse(row: Fields, origin: Origin) -> Preference:
    """A Preference; a tie where neither won."""
    said = _verdict(row)
    if "conversation_a" in row or "conversation_b" in row:
        used = CONVERSATIONS
        first, second = (_conversation(row, f"conversation_{side}") for side in "ab")
    else:
        used = ONE_HOT | WINNERS.keys() | {"winner"}
        first, second = _turns_of_responses(row)
    first, second = _until(first, row), _until(second, row)
    own = provenance(row, origin, used | {"model_a", "model_b", *JUDGES})
    if own["id"] == origin.id and isinstance(row.get("question_id"), str) and row["question_id"]:
        own["id"] = row["question_id"]
    signed(own, next((row[name] for name in JUDGES if row.get(name)), None))
    if row.get("winner") == INCONSISTENT:
        own["metadata"] |= {"winner": INCONSISTENT}
    sides = ("rejected", "chosen") if said == "b" else ("chosen", "rejected")
    models = zip(sides, ("model_a", "model_b"), strict=True)
    own["metadata"] |= {f"generator_{side}": row[model] for side, model in models if model in row}
    prompt = first[: common_turns(first, second)]
    reply_a, reply_b = _reply(first, prompt, "model_a"), _reply(second, prompt, "model_b")
    return compared(prompt, reply_a, reply_b, said, own)


def _verdict(row: Fields) -> Verdict:
    if "winner" not in row and row.keys() & WINNERS.keys():
        won = {said for key, said in WINNERS.items() if key in row and _is_one(row[key], key)}
        if len(won) != 1:
            raise Fault("bad_value", f"{len(won)} of the columns {', '.join(WINNERS)} are 1, not one")
        return won.pop()
    if field(row, "winner") is None:
        raise Fault("no_vote", '"winner" is null')
    winner = text(row["winner"], "winner")
    return "tie" if winner == INCONSISTENT else verdict(winner, "winner")


def _is_one(value: Any, key: str) -> bool:
    if value not in (0, 1, "0", "1", "0.0", "1.0"):
        raise Fault("bad_value", f'"{key}" must be 0 or 1')
    return float(value) == 1


def _conversation(row: Fields, key: str) -> Messages:
    value = field(row, key)
    if isinstance(value, str):
        value = _json(text(value, key))
    return conversation(value, key)


def _turns_of_responses(row: Fields) -> tuple[Messages, Messages]:
    """Both conversations of a row whose prompt and responses stand in columns of their own."""
    keys = ("prompt", "response_a", "response_b")
    columns = [_texts(field(row, key)) for key in keys]
    if any(turns is None for turns in columns) or len({len(turns or ()) for turns in columns}) > 1:
        asked, *said = (text(row[key], key) for key in keys)
        return _exchange(asked, said[0]), _exchange(asked, said[1])
    prompts, *responses = (
        [text(turn, key) for turn in turns or ()] for turns, key in zip(columns, keys, strict=True)
    )
    first, second = (
        tuple(message for pair in zip(prompts, replies, strict=True) for message in _exchange(*pair))
        for replies in responses
    )
    return first, second


def _exchange(question: str, answer: str) -> tuple[Message, Message]:
    return user(question), assistant(answer)


def _texts(value: Any) -> list[Any] | None:
    """A list with one entry a turn, or its JSON text; None where it is neither."""
    if isinstance(value, str) and value.lstrip().startswith("["):
        value = _json(value)
    if not isinstance(value, list) or not value:
        return None
    if not all(turn is None or isinstance(turn, str) for turn in value):
        return None
    return ["" if turn is None else turn for turn in value]


def _json(value: str) -> Any:
    """The text decoded; the text itself where it is not JSON."""
    try:
        return json.loads(value)
    except (ValueError, RecursionError):
        return value


def _until(turns: Messages, row: Fields) -> Messages:
    """The turns up to the reply that was judged."""
    judged = row.get("turn")
    if isinstance(judged, bool) or not isinstance(judged, int) or judged < 1:
        return turns
    ends = [end for end, message in enumerate(turns, 1) if message.role == "assistant"]
    return turns[: ends[judged - 1]] if judged <= len(ends) else turns


def _reply(turns: Messages, prompt: Messages, model: str) -> Messages:
    """What is left of a conversation after the prompt, where it is one reply."""
    left = turns[len(prompt) :]
    if not left:
        raise Fault("no_final_assistant", f"{model} has not answered")
    if any(message.role == "user" for message in left):
        what = f"{model} was asked again after the answers parted, so no one prompt has both last replies"
        raise Fault("extra_turns", what)
    return check_response(left, model)


FORMAT = Format(name="arena", about="arena battles of two models", layouts=LAYOUTS, fits=fits, parse=parse)
