"""What the text in a table's cell stands for, and which text a value is written as.

A cell of CSV or TSV is text, and stays text unless it is unmistakably something else: a number, a thumb or a
list in a column that holds such by its name (`NUMBERS`, `FLAGS`, `LISTS`), or turns of a conversation, in any
column. An empty cell is a missing value. `decoder` and `encode` are each other's inverse. Knows the columns
that layouts have; knows no layout and no file.
"""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Callable, Mapping
from typing import Any

from ..records import Role

NUMBERS = frozenset(
    {
        "heedful", "margin", "weight", "probability", "score", "score_chosen", "score_rejected", "score_A",
        "score_B", "score_ratio", "chosen_score", "rejected_score", "chosen_rating", "rejected_rating",
        "preference", "preference_strength", "overall_preference", "choice", "labels", "turn", "rank",
        "winner_model_a", "winner_model_b", "winner_tie", "winner_model_tie", "helpfulness", "correctness",
        "coherence", "complexity", "verbosity", "overall_score", "strength", "seconds", "lead_time",
    }
)  # fmt: skip
FLAGS = frozenset({"label", "kto_tag", "desirable"})
LISTS = frozenset(
    {
        "messages", "conversations", "conversation_a", "conversation_b", "preferred_output",
        "non_preferred_output", "completions", "labels", "responses", "ranks", "answers", "annotations",
        "fields", "metadata", "summaries", "info", "extra", "models", "tools", "shown_order",
    }
)  # fmt: skip
"""Columns that hold no plain text in any layout: JSON of a list or an object is one."""

NATIVE = "heedful"
"""The column that marks Heedful's own rows. They are of many kinds, and each says which it is."""

VERDICTS = frozenset(
    {
        "label", "labels", "kto_tag", "score", "preference", "preference_strength", "overall_preference",
        "choice", "winner", "chosen_rating", "rejected_rating",
    }
)  # fmt: skip
"""Columns that say which is better. A row whose cell is empty keeps them, as null: nobody voted, and without
the column it would be taken for a row of another kind."""

TRUE = frozenset({"true", "1", "1.0"})
FALSE = frozenset({"false", "0", "0.0"})
NUMBER = re.compile(r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?")
DIGITS_OF_A_WHOLE_NUMBER = 18  # that are sure to fit in 64 bits; longer ones are names, and stay text
TURN = (frozenset({"role", "content"}), frozenset({"from", "value"}))
PYTHON_TURNS = re.compile(r"""\[?\s*\{\s*['"](?:role|content|from|value)['"]\s*:""")

Decoder = Callable[[str], Any]


class Unreadable(Exception):
    """A cell that is unmistakably a list and cannot be read; the reason is a clause for a person."""


def decoder(column: str) -> Decoder:
    """What turns a cell of this column, which is not empty, into its value.

    The decoder raises `Unreadable` for turns of a conversation as Python or numpy print them, where they
    cannot be read: as text they would be taken for what someone wrote.
    """

    def decode(cell: str) -> Any:
        if cell[0] == '"':
            return _escaped(cell, decode)
        if column in NUMBERS and NUMBER.fullmatch(cell):
            return _number(cell)
        if column in FLAGS and cell.lower() in TRUE | FALSE:
            return cell.lower() in TRUE
        return _nested(cell, column) if cell[0] in "[{" else cell

    return decode


def _escaped(cell: str, decode: Decoder) -> Any:
    """Text that would stand for something else is written as JSON text; any other cell is what it says."""
    try:
        text = json.loads(cell)
        return text if isinstance(text, str) and not (text and decode(text) is text) else cell
    except Unreadable:
        return text
    except ValueError:
        return cell


def _number(cell: str) -> int | float | str:
    whole = cell.lstrip("+-")
    if not whole.isdecimal():
        return float(cell)
    return int(cell) if len(whole) <= DIGITS_OF_A_WHOLE_NUMBER else cell


def _nested(cell: str, column: str) -> Any:
    value: Any = cell
    try:
        value = json.loads(cell)
    except (ValueError, RecursionError):
        if PYTHON_TURNS.match(cell):
            value = _python(cell)
    if column in LISTS and isinstance(value, list | dict):
        return value
    return value if _is_turns(value) or (column == "history" and _is_history(value)) else cell


def _python(cell: str) -> Any:
    """Turns as `repr` writes them, which is how pandas puts lists into CSV."""
    try:
        return ast.literal_eval(cell)
    except (ValueError, SyntaxError, RecursionError, MemoryError):
        raise Unreadable("holds turns that are neither JSON nor Python") from None


def _is_turns(value: Any) -> bool:
    """Whether it is a conversation, a turn, or the object that OpenAI's rows have for an input."""
    if isinstance(value, dict):
        return any(value.keys() >= keys for keys in TURN) or _is_turns(value.get("messages"))
    return (
        isinstance(value, list) and bool(value) and all(isinstance(e, dict) and _is_turns(e) for e in value)
    )


def _is_history(value: Any) -> bool:
    """Alpaca's earlier turns: `[[question, answer], ...]`."""
    pairs = value if isinstance(value, list) else [None]
    return all(isinstance(p, list) and len(p) == 2 and all(isinstance(t, str) for t in p) for p in pairs)


def encode(value: Any, decode: Decoder) -> str:
    """The text of a value, from which the column's decoder makes it again; "" for null."""
    if value is None:
        return ""
    stays = isinstance(value, str) and _stays(value, decode)
    return value if stays else json.dumps(value, ensure_ascii=False)


def _stays(text: str, decode: Decoder) -> bool:
    try:
        return bool(text) and decode(text) is text
    except Unreadable:
        return False


def flattened(
    row: Mapping[str, Any], texts: Mapping[str, Role], decode: Mapping[str, Decoder]
) -> dict[str, Any]:
    """The row with its conversations of one message as that message's text, where it reads back the same.

    Args:
        texts: the columns whose text is read as one message, and of which role.
        decode: the columns' decoders.
    """
    return {
        key: _text(value, texts[key], decode[key]) if key in texts else value for key, value in row.items()
    }


def _text(value: Any, role: Role, decode: Decoder) -> Any:
    if not isinstance(value, list) or len(value) != 1 or value[0]["role"] != role:
        return value
    text = value[0]["content"]
    return text if text.strip() and _stays(text, decode) else value
