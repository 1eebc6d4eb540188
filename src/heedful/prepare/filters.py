"""Records that are as asked: by margin, agreement, length, script, language, source, or any number.

Each filter leaves a record out under a reason of its own. What a filter asks for and a record does not say is
a reason too (`no_margin`): nothing is taken for granted.
"""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from heedful.checks.scripts import SCRIPTS, script_counts
from heedful.checks.text import responses_of, word_count
from heedful.errors import DataError
from heedful.prepare.facts import name_of, prompt_of, source_of
from heedful.quarantine import Kept, Quarantined
from heedful.records import AGREEMENT, LANGUAGE, Judgement, Preference, Record

RecordT = TypeVar("RecordT", bound=Record)

SCRIPT_SHARE = 0.8
"""Of a record's letters that must be of the scripts asked for."""

_COMPARISONS: Mapping[str, Callable[[float, float], bool]] = {
    ">=": operator.ge,
    "<=": operator.le,
    "!=": operator.ne,
    "=": operator.eq,
    ">": operator.gt,
    "<": operator.lt,
}
_CONDITION = re.compile(r"\s*([^<>=!]+?)\s*(>=|<=|!=|==?|>|<)\s*(\S+)\s*")

REASONS = {
    "low_margin": "the margin is under the least asked for",
    "no_margin": "no margin is given",
    "low_agreement": "fewer of the votes agree than asked for",
    "no_agreement": "no agreement is given",
    "short_prompt": "the prompt has too few words",
    "long_prompt": "the prompt has too many words",
    "short_response": "a response has too few words",
    "long_response": "a response has too many words",
    "length_ratio": "one response is too many times longer than another",
    "script": "too few letters are of the scripts asked for",
    "language": "another language",
    "no_language": "no language is given",
    "source": "another source, or one to be left out",
    "condition": "a number in the metadata is not as asked for",
    "no_number": "the metadata hold no such number",
}


@dataclass(frozen=True, slots=True)
class Condition:
    """A comparison with a number of the metadata: `score_ratio >= 2`."""

    name: str
    comparison: str
    number: float

    @classmethod
    def parse(cls, text: str) -> Condition:
        """From `NAME>=NUMBER` and the like.

        Raises:
            DataError: it is not of this form.
        """
        found = _CONDITION.fullmatch(text)
        try:
            if found:
                return cls(found[1], "=" if found[2] == "==" else found[2], float(found[3]))
        except ValueError:
            pass
        mend = f"Say NAME, one of {' '.join(_COMPARISONS)}, and a number: score_ratio>=2."
        raise DataError(f'"{text}" is no condition.', mend=mend)

    def holds(self, value: float) -> bool:
        return _COMPARISONS[self.comparison](value, self.number)

    def __str__(self) -> str:
        return f"{self.name} {self.comparison} {self.number:g}"


@dataclass(frozen=True, slots=True)
class Filters:
    """What is asked of a record; what is None or empty is not asked.

    Attributes:
        min_margin: the least margin, in the source's own units.
        min_agreement: the least share of votes for `chosen`, from the metadata, in [0, 1].
        min_prompt_words, max_prompt_words: words of the prompt, all turns together.
        min_response_words, max_response_words: words of each response.
        max_length_ratio: how many times the words of the shortest response the longest may have.
        scripts: of `checks.scripts.SCRIPTS`; so much as `script_share` of the letters of prompt and responses
            must be theirs. A record without letters passes. The script is not the language.
        languages: of the metadata; upper and lower case are the same.
        sources, not_sources: those to keep, those to leave out.
        conditions: on further numbers of the metadata.
    """

    min_margin: float | None = None
    min_agreement: float | None = None
    min_prompt_words: int | None = None
    max_prompt_words: int | None = None
    min_response_words: int | None = None
    max_response_words: int | None = None
    max_length_ratio: float | None = None
    scripts: tuple[str, ...] = ()
    script_share: float = SCRIPT_SHARE
    languages: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    not_sources: tuple[str, ...] = ()
    conditions: tuple[Condition, ...] = ()

    def __post_init__(self) -> None:
        if unknown := set(self.scripts) - set(SCRIPTS):
            what = f'there is no script "{min(unknown)}".'
            raise DataError(what, mend=f"Scripts: {', '.join(SCRIPTS)}. The script is not the language.")


def filtered(records: Iterable[RecordT], filters: Filters) -> Kept[RecordT]:
    """The records that are as asked; the others with the first reason that they are not."""
    kept, left_out = [], []
    for place, record in enumerate(records):
        fault = next(_faults(record, filters), None)
        if fault is None:
            kept.append(record)
            continue
        left_out.append(Quarantined(name_of(record, place), *fault, record))
    return Kept(kept, left_out)


def _faults(record: Record, filters: Filters) -> Iterator[tuple[str, str]]:
    """The reason and detail of each filter that the record does not pass, the cheapest first."""
    yield from _origin(record, filters)
    yield from _numbers(record, filters)
    yield from _lengths(record, filters)
    if filters.scripts:
        yield from _script(record, filters)


def _origin(record: Record, filters: Filters) -> Iterator[tuple[str, str]]:
    source = source_of(record)
    if (filters.sources and source not in filters.sources) or source in filters.not_sources:
        yield "source", f'the source is "{source}"'
    if filters.languages:
        language = _metadata(record).get(LANGUAGE)
        if not isinstance(language, str) or not language:
            yield "no_language", "the metadata name no language"
        elif language.lower() not in {wanted.lower() for wanted in filters.languages}:
            yield "language", f'the language is "{language}"'


def _metadata(record: Record) -> Mapping[str, Any]:
    return {} if isinstance(record, Judgement) else record.metadata


def _numbers(record: Record, filters: Filters) -> Iterator[tuple[str, str]]:
    margin = record.margin if isinstance(record, Preference) else None
    agreement = _number(_metadata(record).get(AGREEMENT))
    for name, value, least in (
        ("margin", margin, filters.min_margin),
        ("agreement", agreement, filters.min_agreement),
    ):
        if least is None:
            continue
        if value is None:
            yield f"no_{name}", f"no {name} is given"
        elif value < least:
            yield f"low_{name}", f"the {name} is {value:g}"
    for condition in filters.conditions:
        found = _number(_metadata(record).get(condition.name))
        if found is None:
            yield "no_number", f'the metadata hold no number "{condition.name}"'
        elif not condition.holds(found):
            yield (
                "condition",
                f"{condition.name} is {found:g}, not {condition.comparison} {condition.number:g}",
            )


def _number(value: Any) -> float | None:
    """A number, or text that is one: tables read without types have such."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None


def _lengths(record: Record, filters: Filters) -> Iterator[tuple[str, str]]:
    if filters.min_prompt_words is not None or filters.max_prompt_words is not None:
        yield from _length("prompt", prompt_of(record), filters.min_prompt_words, filters.max_prompt_words)
    limits = filters.min_response_words, filters.max_response_words
    if limits == (None, None) and filters.max_length_ratio is None:
        return
    responses = responses_of(record)
    for response in responses:
        yield from _length("response", response, *limits)
    if filters.max_length_ratio is not None and len(responses) > 1:
        words = sorted(word_count(response) for response in responses)
        if words[-1] > filters.max_length_ratio * max(words[0], 1):
            yield "length_ratio", f"{words[-1]} words against {words[0]}"


def _length(name: str, messages: Any, least: int | None, most: int | None) -> Iterator[tuple[str, str]]:
    words = word_count(messages)
    if least is not None and words < least:
        yield f"short_{name}", f"the {name} has {words} words"
    if most is not None and words > most:
        yield f"long_{name}", f"the {name} has {words} words"


def _script(record: Record, filters: Filters) -> Iterator[tuple[str, str]]:
    turns = (prompt_of(record), *responses_of(record))
    counts = script_counts("".join(message.content for messages in turns for message in messages))
    letters = counts.total()
    wanted = sum(counts[script] for script in filters.scripts)
    if wanted < filters.script_share * letters:
        most = ", ".join(f"{script} {count / letters:.0%}" for script, count in counts.most_common(2))
        yield "script", f"the letters are {most}"
