"""The formats by name, and which one a file is in, told by its rows' keys.

Adding a format is one entry here and one file beside this one. Knows every format; knows nothing of files.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from ..errors import DataError
from ..records import Record
from . import alpaca, alpaca_eval, hh, llama_factory, native, openai, trl
from .fields import Fields, Origin

LAYOUTS_SHOWN = 3
KEYS_SHOWN = 12


@dataclass(frozen=True, slots=True)
class Format:
    """One layout, or a family of layouts under one name.

    Attributes:
        name: what `format=` and `--format` take.
        layouts: the keys that each of its layouts needs.
        fits: whether a row looks like one of them, by its keys and their types; made so that at most one
            format's says yes to a well-formed row.
        parse: the row's record; raises `Fault` where it has none.
        dump: the record's row; raises `DataError` for a record that the format cannot hold. None: it is only
            read.
        columns: whether a row may have further columns. They become metadata when read, and columns again
            when written.
        reserved: names that a further column cannot have.
        weighted: whether it holds a weight other than 1.
        soft: whether it holds a preference's probability.
    """

    name: str
    layouts: Sequence[frozenset[str]]
    fits: Callable[[Fields], bool]
    parse: Callable[[Fields, Origin], Record]
    dump: Callable[[Record], dict[str, Any]] | None = None
    columns: bool = False
    reserved: frozenset[str] = frozenset()
    weighted: bool = False
    soft: bool = False


FORMATS = {
    entry.name: entry
    for entry in (
        Format("heedful", native.LAYOUTS, native.fits, native.parse, native.dump, weighted=True, soft=True),
        Format("trl", trl.LAYOUTS, trl.fits, trl.parse, trl.dump, columns=True, reserved=trl.RESERVED),
        Format("hh", hh.LAYOUTS, hh.fits, hh.parse),
        Format(
            "sharegpt-ranking",
            llama_factory.SHAREGPT_LAYOUTS,
            llama_factory.fits_sharegpt,
            llama_factory.parse_sharegpt,
            llama_factory.dump_sharegpt,
            columns=True,
            reserved=llama_factory.SHAREGPT_FIELDS | {"system"},
        ),
        Format(
            "alpaca-ranking",
            llama_factory.ALPACA_LAYOUTS,
            llama_factory.fits_alpaca,
            llama_factory.parse_alpaca,
        ),
        Format(
            "alpaca",
            alpaca.LAYOUTS,
            alpaca.fits,
            alpaca.parse,
            alpaca.dump,
            columns=True,
            reserved=alpaca.PROMPT_FIELDS | {"output"},
        ),
        Format("alpaca-eval", alpaca_eval.LAYOUTS, alpaca_eval.fits, alpaca_eval.parse),
        Format("openai-chat", openai.CHAT_LAYOUTS, openai.fits_chat, openai.parse_chat, openai.dump_chat),
        Format(
            "openai-preference",
            openai.PREFERENCE_LAYOUTS,
            openai.fits_preference,
            openai.parse_preference,
            openai.dump_preference,
        ),
    )
}


def names() -> list[str]:
    """The names that `format=` takes."""
    return list(FORMATS)


def by_name(name: str) -> Format:
    if name in FORMATS:
        return FORMATS[name]
    near = get_close_matches(name.lower(), FORMATS, n=1)
    guess = f'Did you mean "{near[0]}"? ' if near else ""
    raise DataError(f'there is no format "{name}".', mend=f"{guess}Formats: {', '.join(FORMATS)}.")


def claims(row: Fields) -> list[str]:
    """The formats a row fits. A native row says what it is, so no other format may claim it."""
    if native.fits(row):
        return ["heedful"]
    return [entry.name for entry in FORMATS.values() if entry.fits(row)]


def recognise(samples: Sequence[Fields], where: str) -> Format:
    """The format that most of the sample rows fit.

    Raises:
        DataError: none fits any row, or two fit equally many.
    """
    votes = Counter(name for row in samples for name in claims(row))
    ranked = votes.most_common(2)
    if not ranked:
        raise DataError(
            f"the layout is not recognised. Keys of the first rows: {_keys(samples)}.",
            where=where,
            mend=f"Nearest: {_nearest(samples)}. Rename the keys or say --format {'|'.join(FORMATS)}",
        )
    if len(ranked) > 1 and ranked[0][1] == ranked[1][1]:
        tied = [name for name, count in votes.items() if count == ranked[0][1]]
        raise DataError(
            f"the layout is ambiguous: rows fit {' and '.join(tied)}. Keys of the first: {_keys(samples)}.",
            where=where,
            mend=f"Say which it is: --format {'|'.join(tied)}",
        )
    return FORMATS[ranked[0][0]]


def _keys(samples: Sequence[Fields]) -> str:
    seen = list(dict.fromkeys(str(key) for row in samples for key in row))
    more = f" and {len(seen) - KEYS_SHOWN} more" if len(seen) > KEYS_SHOWN else ""
    return ", ".join(f'"{key}"' for key in seen[:KEYS_SHOWN]) + more or "none"


def _nearest(samples: Sequence[Fields]) -> str:
    """The layouts that share most keys with the rows, and which keys each still lacks."""
    seen = {key for row in samples for key in row}
    near = [(entry.name, layout) for entry in FORMATS.values() for layout in entry.layouts]
    near.sort(key=lambda item: (-len(item[1] & seen) / len(item[1]), len(item[1])))
    return "; ".join(_lacks(name, layout, seen) for name, layout in near[:LAYOUTS_SHOWN])


def _lacks(name: str, layout: frozenset[str], seen: set[str]) -> str:
    missing = ", ".join(sorted(layout - seen))
    state = f"{missing} missing" if missing else "as another type"
    return f"{name} with {', '.join(sorted(layout))} ({state})"
