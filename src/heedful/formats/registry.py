"""The formats by name, and which one a file is in, told by its rows' keys.

Adding a format is one file beside this one and one line here. Knows every format; knows nothing of files.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches

from ..errors import DataError
from . import (
    alpaca,
    alpaca_eval,
    arena,
    argilla,
    axolotl,
    distilabel,
    helpsteer,
    hh,
    label_studio,
    llama_factory,
    llama_factory_kto,
    native,
    oasst,
    openai,
    plain,
    reward_bench,
    scored,
    shp,
    summarize_from_feedback,
    trl,
    trl_more,
    ultrafeedback,
)
from .fields import Fields
from .format import Format

LAYOUTS_SHOWN = 3
KEYS_SHOWN = 12

FORMATS: dict[str, Format] = {
    entry.name: entry
    for entry in (
        native.FORMAT,
        trl.FORMAT,
        hh.FORMAT,
        llama_factory.SHAREGPT,
        llama_factory.ALPACA,
        alpaca.FORMAT,
        alpaca_eval.FORMAT,
        openai.CHAT,
        openai.PREFERENCE,
        ultrafeedback.FORMAT,
        helpsteer.FORMAT,
        shp.FORMAT,
        summarize_from_feedback.FORMAT,
        oasst.FORMAT,
        oasst.SYNTHETIC,
        distilabel.FORMAT,
        scored.FORMAT,
        reward_bench.FORMAT,
        trl_more.PROMPTS,
        trl_more.STEPWISE,
        llama_factory_kto.FORMAT,
        axolotl.CHAT,
        axolotl.INTEL,
        axolotl.ARGILLA,
        axolotl.NECTAR,
        label_studio.FORMAT,
        argilla.FORMAT,
        arena.FORMAT,
        plain.FORMAT,
    )
}


@dataclass(frozen=True, slots=True)
class Recognised:
    """The format a file is in and why.

    Attributes:
        votes: rows of the sample that fit it.
        sample: rows looked at.
        others: further formats that some rows fit, with their votes.
        layouts: which of the format's layouts the rows have the keys of.
    """

    format: Format
    votes: int
    sample: int
    others: dict[str, int]
    layouts: tuple[frozenset[str], ...]

    def __str__(self) -> str:
        keys = " or ".join(", ".join(sorted(layout)) for layout in self.layouts)
        rows = f"{self.votes} of the first {self.sample} rows" if self.sample > 1 else "the first row"
        also = "".join(f"; {votes} also fit {name}" for name, votes in self.others.items())
        return f"{rows} fit {self.format.about} ({keys}){also}"


def names() -> list[str]:
    """The names that `format=` takes."""
    return list(FORMATS)


def writable() -> list[str]:
    """The names of the formats that are written too."""
    return [name for name, entry in FORMATS.items() if entry.dump]


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


def recognise(samples: Sequence[Fields], where: str) -> Recognised:
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
    name, most = ranked[0]
    others = {other: count for other, count in votes.most_common() if other != name}
    return Recognised(FORMATS[name], most, len(samples), others, _met(FORMATS[name], samples))


def _met(chosen: Format, samples: Sequence[Fields]) -> tuple[frozenset[str], ...]:
    """The layouts that fitting rows have all keys of, but for those that are part of another such."""
    fitting = [row.keys() for row in samples if chosen.fits(row)]
    met = [layout for layout in chosen.layouts if any(layout <= keys for keys in fitting)]
    return tuple(layout for layout in met if not any(layout < other for other in met))


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
    state = f"{missing} missing" if missing else "of another type, or beside columns of another layout"
    return f"{name} with {', '.join(sorted(layout))} ({state})"
