"""Stanford Human Preferences: `history, human_ref_A, human_ref_B, labels, score_A, score_B, score_ratio`.

Which side is better: `labels` 1 prefers A, 0 prefers B. `history` is a post of Reddit, the two references are
comments on it, and a score is a comment's up-votes less its down-votes. The margin is the chosen comment's
score less the other's, in votes; it is negative where the scores contradict the label, which is kept as
published.

Columns that end in _A and _B become the chosen and the rejected side's in the metadata: `score_chosen`,
`created_at_utc_rejected`. `score_ratio`, how many times the other's score the preferred comment has, stays
under its name: the usual filter is a ratio of at least 2 and is left to whoever prepares the data. No
`shown_first`: nobody was shown A first, its place is random.
"""

from __future__ import annotations

from typing import Any

from ..records import SCORES, Preference
from .fields import Fault, Fields, Origin, field, number, prompt_of, provenance, response_of, text
from .format import Format

SIDES = ("A", "B")
FIELDS = frozenset({"history", "human_ref_A", "human_ref_B", "labels"})
LAYOUTS = (FIELDS,)


def fits(row: Fields) -> bool:
    return row.keys() >= FIELDS


def parse(row: Fields, origin: Origin) -> Preference:
    """A Preference: the comment that `labels` names is chosen."""
    prompt = prompt_of(text(field(row, "history"), "history"), "history")
    label = number(field(row, "labels"), "labels")
    if label not in (0, 1):
        raise Fault("bad_value", f'"labels" must be 1 (A is better) or 0 (B is), and is {label:g}')
    better, worse = SIDES if label else SIDES[::-1]
    keys = {"chosen": f"human_ref_{better}", "rejected": f"human_ref_{worse}"}
    chosen, rejected = (response_of(text(field(row, key), key), key) for key in keys.values())
    own = provenance(row, origin, FIELDS)
    own["metadata"] = _by_side(own["metadata"], better, worse)
    return Preference(prompt, chosen, rejected, margin=_margin(own["metadata"]), **own)


def _by_side(columns: Fields, better: str, worse: str) -> dict[str, Any]:
    """The columns with their ending _A or _B turned into the side's name."""
    ending = {f"_{better}": "_chosen", f"_{worse}": "_rejected"}
    return {name[:-2] + ending[name[-2:]] if name[-2:] in ending else name: columns[name] for name in columns}


def _margin(metadata: Fields) -> float | None:
    if any(metadata.get(name) is None for name in SCORES):
        return None
    chosen, rejected = (number(metadata[name], name) for name in SCORES)
    return number(chosen - rejected, "margin")


FORMAT = Format(
    name="shp", about="Stanford Human Preferences' comments", layouts=LAYOUTS, fits=fits, parse=parse
)
