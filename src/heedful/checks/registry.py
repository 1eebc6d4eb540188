"""The checks by name, each with the thresholds that its `__init__` takes, and all of them over records.

Adding a check is one file beside this one and one line here. Knows every check; what only a tokenizer or a
model can tell is handed in by the floors above (`NEEDS`).
"""

from __future__ import annotations

import inspect
import math
import os
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from heedful.checks.agreement import LowAgreement
from heedful.checks.annotators import UnreliableAnnotators
from heedful.checks.duplicates import Duplicates
from heedful.checks.empty import EmptyReplies
from heedful.checks.finding import Check, Outcome
from heedful.checks.frequent_prompts import FrequentPrompts
from heedful.checks.imbalance import Imbalance
from heedful.checks.label_noise import LabelNoise
from heedful.checks.leakage import SplitLeakage
from heedful.checks.leftovers import Leftovers
from heedful.checks.length_bias import LengthBias
from heedful.checks.off_distribution import OffDistribution
from heedful.checks.position_bias import PositionBias
from heedful.checks.private import PrivateText
from heedful.checks.running import Checked, run
from heedful.checks.scores import ScoreBugs
from heedful.checks.sides import EqualSides
from heedful.checks.style_bias import StyleBias
from heedful.checks.template_tokens import TemplateTokens
from heedful.checks.template_trouble import TemplateTrouble
from heedful.checks.truncation import Truncation
from heedful.checks.unreadable import UnreadableRows
from heedful.errors import DataError
from heedful.formats import stream
from heedful.quarantine import Kept, Quarantined
from heedful.records import Record

CHECKS: dict[str, type[Any]] = {
    kind.name: kind
    for kind in (
        UnreadableRows,
        EqualSides,
        EmptyReplies,
        Duplicates,
        SplitLeakage,
        FrequentPrompts,
        Imbalance,
        LowAgreement,
        UnreliableAnnotators,
        LengthBias,
        StyleBias,
        PositionBias,
        ScoreBugs,
        TemplateTrouble,
        Leftovers,
        PrivateText,
        Truncation,
        TemplateTokens,
        LabelNoise,
        OffDistribution,
    )
}

NEEDS = {
    "against": "a test set (--against FILE)",
    "tokens": "a tokenizer (--tokenizer NAME)",
    "model": "a model (--model NAME)",
}
"""What some checks cannot do without."""

Value = float | int | bool | str
Rows = Iterable[Record | Quarantined] | str | os.PathLike[str]
"""Records, what was left out among them, or the path of a file of them."""


@dataclass(frozen=True, slots=True)
class Threshold:
    """A number that a check holds what it measures against.

    Attributes:
        check: the check's name.
        name: of the keyword argument.
        default: its value where nothing else is said; another value must be of its type.
        about: what it is, one clause.
    """

    check: str
    name: str
    default: Value
    about: str

    @property
    def full_name(self) -> str:
        """What options and reports call it: `length_bias.share`."""
        return f"{self.check}.{self.name}"


class NotAsked:
    """In the place of a check that lacks what it needs; its outcome says what that is."""

    def __init__(self, kind: type[Any], why: str) -> None:
        self.name, self.asks, self._why = kind.name, kind.asks, why

    def see(self, record: Record, index: int) -> None:
        pass

    def outcome(self) -> Outcome:
        return Outcome(skipped=self._why)


def thresholds_of(kind: type[Any]) -> list[Threshold]:
    """The thresholds of a check: the keyword-only arguments of its `__init__` that have a plain default."""
    parameters = list(inspect.signature(kind).parameters.values())
    found = [p for p in parameters if p.kind is p.KEYWORD_ONLY and isinstance(p.default, Value)]
    said = _said(inspect.getdoc(kind.__init__) or "", [p.name for p in parameters])
    return [Threshold(kind.name, p.name, p.default, said.get(p.name, "")) for p in found]


def _said(doc: str, names: Sequence[str]) -> dict[str, str]:
    """What a docstring says of each name: the clause after `` `name`: `` up to the next one."""
    pieces = re.split(rf"(?:^|\s)`?({'|'.join(names) or '$'})`?:\s", doc)[1:]
    return {name: _clause(text) for name, text in zip(pieces[::2], pieces[1::2], strict=True)}


def _clause(text: str) -> str:
    return " ".join(text.split("\n\n")[0].split()).rstrip(".;,")


def named(names: Iterable[str], known: Collection[str]) -> list[str]:
    """The names, all of them checks'.

    Raises:
        DataError: one is not, with the nearest.
    """
    names = list(names)
    for name in names:
        if name not in known:
            raise DataError(f'there is no check "{name}".', mend=_nearest(name, known))
    return names


def chosen(known: Iterable[str], only: Collection[str] | None, skip: Collection[str] | None) -> list[str]:
    """The names in `only` (None: all) that are not in `skip`, in the order of `known`.

    Raises:
        DataError: a name is no check's, or none is left.
    """
    known = list(known)
    wanted = set(named(only, known)) if only else set(known)
    wanted -= set(named(skip or (), known))
    if not wanted:
        raise DataError("no check is left to run.", mend="Name fewer in --skip, or others in --only.")
    return [name for name in known if name in wanted]


def read_thresholds(pairs: Iterable[str]) -> dict[str, str]:
    """`length_bias.share=0.7` and the like by name, the values as text.

    Raises:
        DataError: one is not of that form.
    """
    values: dict[str, str] = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not (name.strip() and equals and value.strip()):
            raise DataError(
                f'the threshold "{pair}" is not of the form NAME=VALUE.',
                mend="Such as --threshold length_bias.share=0.7; heedful check --list shows them all.",
            )
        values[name.strip()] = value.strip()
    return values


def arguments(values: Mapping[str, Any], kinds: Mapping[str, type[Any]]) -> dict[str, dict[str, Value]]:
    """Thresholds by full name as each check's keyword arguments; a value may be text.

    Raises:
        DataError: no check has the threshold, or the value is of another type.
    """
    known = {one.full_name: one for kind in kinds.values() for one in thresholds_of(kind)}
    found: dict[str, dict[str, Value]] = {}
    for name, value in values.items():
        if name not in known:
            raise DataError(f'there is no threshold "{name}".', mend=_nearest(name, known))
        found.setdefault(known[name].check, {})[known[name].name] = _value(value, known[name])
    return found


def _value(given: Any, threshold: Threshold) -> Value:
    kind = type(threshold.default)
    words = {bool: "true or false", int: "a whole number", float: "a number", str: "text"}
    try:
        if kind is bool:
            value: Value = {"true": True, "false": False}[str(given).lower()]
        elif kind is int and isinstance(given, float) and not given.is_integer():
            raise ValueError
        else:
            value = kind(given)
    except (KeyError, ValueError, TypeError, OverflowError):
        value = math.nan
    if isinstance(value, float) and not math.isfinite(value):
        raise DataError(
            f'the threshold must be {words[kind]}, not "{given}".',
            where=threshold.full_name,
            mend=f"Its default is {threshold.default}.",
        )
    return value


def _nearest(name: str, known: Collection[str]) -> str:
    near = get_close_matches(name, known, n=1, cutoff=0.5)
    listed = f"Did you mean {near[0]}?" if near else f"Known: {', '.join(known)}."
    return f"{listed} All of them: heedful check --list"


def check(
    records: Rows,
    *,
    only: Collection[str] | None = None,
    skip: Collection[str] | None = None,
    against: Rows | None = None,
    thresholds: Mapping[str, Value] | None = None,
    extra: Sequence[Check] = (),
) -> Checked:
    """Run the checks that need no model over records.

        found = heedful.check("pairs.jsonl", thresholds={"length_bias.share": 0.7})
        for finding in found.findings:
            print(finding.severity, finding.title)

    Args:
        records: a file's path, which is streamed, or records. What a `Kept` left out is shown to the checks
            that count it.
        only: names of the checks to run; None for all.
        skip: names of checks to leave out.
        against: records that must not be among these: the test set's, or a file of them.
        thresholds: values in place of the checks' defaults, by `check.threshold`.
        extra: further checks, made by the caller; each is good for one call.

    Raises:
        DataError: no record is left to check, the file cannot be read, or a check or threshold is unknown.
    """
    names = chosen(CHECKS, only, skip)
    values = arguments(thresholds or {}, CHECKS)
    test_set = None if against is None else rows_of(against)
    return run(rows_of(records), [*made(names, values, against=test_set), *extra])


def rows_of(
    records: Iterable[Record | Quarantined] | str | os.PathLike[str],
) -> Iterable[Record | Quarantined]:
    """Records as the checks see them: a file's streamed, and after those of a `Kept` what it left out."""
    if isinstance(records, str | os.PathLike):
        return stream(records)
    return [*records, *records.quarantined] if isinstance(records, Kept) else records


def made(names: Iterable[str], values: Mapping[str, Mapping[str, Value]], **given: Any) -> list[Check]:
    """New checks of these names, with these keyword arguments each.

    Args:
        given: what some of them cannot do without, by the names of `NEEDS`. One that lacks it only says so.
    """
    return [_made(CHECKS[name], values.get(name, {}), given) for name in names]


def _made(kind: type[Any], values: Mapping[str, Value], given: Mapping[str, Any]) -> Check:
    needed = {name: given.get(name) for name in needs_of(kind)}
    lacking = next((name for name, value in needed.items() if value is None), None)
    if lacking is not None:
        return NotAsked(kind, f"it needs {NEEDS[lacking]}")
    check: Check = kind(**needed, **values)
    return check


def needs_of(kind: type[Any]) -> list[str]:
    """What a check cannot do without: the arguments of its `__init__` that have no default."""
    own = list(inspect.signature(kind).parameters.values())
    return [parameter.name for parameter in own if parameter.default is parameter.empty]
