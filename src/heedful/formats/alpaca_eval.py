"""AlpacaEval's annotations: `instruction, output_1, generator_1, output_2, generator_2, preference`.

Which side is better: `preference` runs from 1 (`output_1`) to 2 (`output_2`), and `preference - 1` is the
judge's probability that `output_2` is the better one. The likelier output becomes `chosen`, so a record's
`probability` is never below 0.5; exactly 1 or 2 is a hard label, and its `probability` None. A tie is 1.5,
null, or the 0 of older files: a probability of 0.5, with `output_1` as chosen in name. No `shown_first`:
AlpacaEval shows the two in an order of its own drawing, which it does not publish.

The prompt is read as Alpaca's is; AlpacaFarm's files, with an `input` and no generators, have this layout
too. The judge's raw completion, many times the size of all the rest, is the one column that is not kept.
"""

from __future__ import annotations

from typing import Any

from ..records import EVEN, Preference
from .alpaca import PROMPT_FIELDS, prompt_of_alpaca
from .fields import Fault, Fields, Origin, field, number, provenance, response_of, text
from .format import Format

FIELDS = frozenset({"instruction", "output_1", "output_2", "preference"})
LAYOUTS = (FIELDS,)
LEFT_BEHIND = frozenset({"generator_1", "generator_2", "raw_completion"})
"""Columns that are no metadata: the generators become those of chosen and rejected, the last is dropped."""

OLD_TIE = 0


def fits(row: Fields) -> bool:
    return row.keys() >= FIELDS


def parse(row: Fields, origin: Origin) -> Preference:
    """A Preference: the output that `preference` is nearer to is chosen, with the judge's probability.

    The metadata say whose the two are, in `generator_chosen` and `generator_rejected`.
    """
    prompt = prompt_of_alpaca(row)
    outputs = {
        side: response_of(text(field(row, f"output_{side}"), f"output_{side}"), f"output_{side}")
        for side in (1, 2)
    }
    second = _probability_of_second(field(row, "preference"))
    better, worse = (2, 1) if second > EVEN else (1, 2)
    probability = max(second, 1 - second)
    own = provenance(row, origin, FIELDS | PROMPT_FIELDS | LEFT_BEHIND)
    own["metadata"] |= _generators(row, better, worse)
    return Preference(
        prompt,
        outputs[better],
        outputs[worse],
        probability=None if probability == 1 else probability,
        **own,
    )


def _probability_of_second(preference: Any) -> float:
    """How likely `output_2` is the better one."""
    if preference is None:
        return EVEN
    given = number(preference, "preference")
    if given == OLD_TIE:
        return EVEN
    if not 1 <= given <= 2:
        raise Fault("bad_value", f'"preference" must be between 1 and 2, and is {given:g}')
    return given - 1


def _generators(row: Fields, better: int, worse: int) -> dict[str, Any]:
    """Who wrote chosen and rejected, where the row says so."""
    sides = {"generator_chosen": f"generator_{better}", "generator_rejected": f"generator_{worse}"}
    return {name: row[key] for name, key in sides.items() if key in row}


FORMAT = Format(name="alpaca-eval", about="AlpacaEval's annotations", layouts=LAYOUTS, fits=fits, parse=parse)
