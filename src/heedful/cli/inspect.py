"""`heedful inspect`: what a data file holds, before anything learns from it. No model is loaded."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from heedful.cli.data_options import Reading
from heedful.cli.data_output import ROWS_BETWEEN, Progress, Writing

if TYPE_CHECKING:
    from heedful.formats.reading import Stream
    from heedful.quarantine import Quarantined
    from heedful.records import Record

SIDES = ("prompt", "response", "chosen", "rejected")
DRAWN = 2  # records shown beside the first
TEXT_SHOWN = 240  # characters of one side of a record
DETAIL_SHOWN = 160  # characters of why a row was left out
NAME_SHOWN = 32  # characters of a field's name
FIELDS_SHOWN = 30


@dataclass(frozen=True, slots=True)
class Words:
    """Lengths of one side of all records, in words."""

    shortest: int
    median: float
    longest: int


@dataclass(frozen=True, slots=True)
class Field:
    """A field of the rows that were looked at: how many have it, and JSON's words for what it holds."""

    rows: int
    types: list[str]


@dataclass(frozen=True, slots=True)
class LeftOut:
    """The first row that was left out for a reason."""

    where: str
    detail: str


@dataclass(frozen=True, slots=True)
class Findings:
    """What a file holds.

    Attributes:
        recognised: why it is taken to be in this format; None where that was said.
        looked_at: the rows that `fields` are of, the first of the file.
        kinds: records of each kind.
        ties: the preferences among them that prefer neither side.
        quarantined: rows left out, by reason; `left_out` has the first of each.
        words: lengths by side (prompt, chosen, ...); all responses of a ranking count as one side.
        samples: the first record and a few drawn from all (the same each time): the id and the sides as text.
    """

    file: str
    format: str
    recognised: str | None
    looked_at: int
    fields: dict[str, Field]
    kinds: dict[str, int]
    ties: int
    read: int
    kept: int
    quarantined: dict[str, int]
    left_out: dict[str, LeftOut]
    words: dict[str, Words]
    samples: list[dict[str, str]]


def inspect(
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="Preferences or demonstrations.")],
    reading: Reading,
    quarantine: Annotated[
        Path | None, typer.Option(metavar="OUT", help="Write the rows that were left out, and why.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a file, for programs.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="No progress.")] = False,
) -> None:
    """Say what data files hold: layout, fields, counts, lengths, samples, and what would be left out."""
    from heedful.formats.files import written
    from heedful.quarantine import as_line

    left_out = 0
    with ExitStack() as stack:
        out = None if quarantine is None else stack.enter_context(written(quarantine))
        for number, path in enumerate(files):
            inspection = Inspection(path, reading.stream(path))
            with Writing(quiet=quiet).progress(f"inspecting {path.name}") as told:
                for row in inspection.left_out(told):
                    left_out += 1
                    if out is not None:
                        out.write(as_line(row))
            findings = inspection.findings()
            if as_json:
                typer.echo(json.dumps(asdict(findings), ensure_ascii=False))
            else:
                typer.echo(("\n" if number else "") + describe(findings))
    if quarantine is not None:
        typer.echo(f"{left_out} left-out rows written to {quarantine}", err=True)


class Inspection:
    """Looks at the records of a file as they stream by, and holds none but the samples."""

    def __init__(self, path: Path, stream: Stream) -> None:
        from heedful.checks.sample import Sample

        self._path, self._stream = path, stream
        self._kinds: Counter[str] = Counter()
        self._ties = 0
        self._quarantined: Counter[str] = Counter()
        self._first_left_out: dict[str, LeftOut] = {}
        self._lengths: dict[str, Counter[int]] = {}
        self._first: Record | None = None
        self._drawn: Sample[Record] = Sample(DRAWN)

    def left_out(self, told: Progress) -> Iterator[Quarantined]:
        """Go through the file; yields the rows that are left out.

        Args:
            told: hears now and then how many rows are behind us.
        """
        from heedful.quarantine import Quarantined

        for number, outcome in enumerate(self._stream, 1):
            if isinstance(outcome, Quarantined):
                self._quarantined[outcome.reason] += 1
                self._first_left_out.setdefault(outcome.reason, LeftOut(outcome.where, outcome.detail))
                yield outcome
            else:
                self._see(outcome)
            if number % ROWS_BETWEEN == 0:
                told(number, None)

    def _see(self, record: Record) -> None:
        self._kinds[type(record).__name__.lower()] += 1
        self._ties += getattr(record, "tie", False)
        for name, text in _sides(record).items():
            # "response 3" of a ranking is a response: what it is called says only where it stands.
            self._lengths.setdefault(name.split()[0], Counter())[len(text.split())] += 1
        if self._first is None:
            self._first = record
        else:
            self._drawn.offer(record)

    def findings(self) -> Findings:
        from heedful.formats.fields import kind_of
        from heedful.records import Judgement

        stream, kept = self._stream, self._kinds.total()
        types: dict[str, Counter[str]] = {}
        for row in stream.sample:
            for name, value in row.items():
                types.setdefault(name, Counter())[kind_of(value)] += 1
        samples: list[Any] = [] if self._first is None else [self._first, *self._drawn.taken()]
        return Findings(
            file=str(self._path),
            format=stream.format.name,
            recognised=None if stream.recognised is None else str(stream.recognised),
            looked_at=len(stream.sample),
            fields={name: Field(kinds.total(), list(kinds)) for name, kinds in types.items()},
            kinds=dict(self._kinds),
            ties=self._ties,
            read=kept + self._quarantined.total(),
            kept=kept,
            quarantined=dict(self._quarantined),
            left_out=self._first_left_out,
            words={name: _words(lengths) for name, lengths in self._lengths.items()},
            samples=[
                {"id": record.item if isinstance(record, Judgement) else record.id} | _sides(record)
                for record in samples
            ],
        )


def _words(lengths: Mapping[int, int]) -> Words:
    """Of how often each length was met."""
    ordered = sorted(lengths.items())
    total = sum(lengths.values())
    middle = [_at(ordered, (total - 1) // 2), _at(ordered, total // 2)]
    return Words(ordered[0][0], sum(middle) / 2, ordered[-1][0])


def _at(ordered: Iterable[tuple[int, int]], place: int) -> int:
    """The value that stands at this place, from 0, of all in order."""
    for value, times in ordered:
        if place < times:
            return value
        place -= times
    raise IndexError(place)


def describe(findings: Findings) -> str:
    """The findings for a person, without what could steer a terminal."""
    from heedful.quarantine import Counts

    counts = Counts(findings.read, findings.kept, findings.quarantined)
    kinds = ", ".join(
        f"{count:,} {kind}{'s' if count != 1 else ''}" for kind, count in findings.kinds.items()
    )
    ties = f", {findings.ties:,} of them ties" if findings.ties else ""
    lines = [
        findings.file,
        f"  layout    {findings.format}, {findings.recognised or 'as was said'}",
        f"  rows      {counts}",
        f"  records   {kinds or 'none'}{ties}",
        *_fields(findings),
    ]
    if findings.words:
        lines.append("  Words of each:")
        lines += [
            f"    {name:<9} {words.shortest} to {words.longest}, median {words.median:g}"
            for name, words in findings.words.items()
        ]
    if findings.left_out:
        lines.append("  Left out:")
        for reason, count in findings.quarantined.items():
            first = findings.left_out[reason]
            told = _one_line(f"{first.where}: {first.detail}", DETAIL_SHOWN + len(first.where))
            lines.append(f"    {reason} {count:,}, such as {told}")
    for number, sample in enumerate(findings.samples):
        name = f", {_one_line(sample['id'], NAME_SHOWN)}" if sample["id"] else ""
        lines.append(f"  {'Another' if number else 'The first'}{name}:")
        sides = {name: text for name, text in sample.items() if name != "id"}
        width = max([9, *map(len, sides)])
        lines += [f"    {name:<{width}} {_one_line(text, TEXT_SHOWN)}" for name, text in sides.items()]
    return "\n".join(lines)


def _fields(findings: Findings) -> list[str]:
    """The fields, each with what it holds, and in how many rows where not in all."""
    if not findings.fields:
        return []
    shown = list(findings.fields.items())[:FIELDS_SHOWN]
    names = [_one_line(name, NAME_SHOWN) for name, _ in shown]
    width = max([9, *map(len, names)])
    rows = f"{findings.looked_at} rows" if findings.looked_at > 1 else "row"
    lines = [f"  Fields of the first {rows}:"]
    for name, (_, one) in zip(names, shown, strict=True):
        some = f", in {one.rows} of {findings.looked_at}" if one.rows < findings.looked_at else ""
        lines.append(f"    {name:<{width}} {' or '.join(one.types)}{some}")
    if more := len(findings.fields) - len(shown):
        lines.append(f"    and {more} more")
    return lines


def _sides(record: Any) -> dict[str, str]:
    found = {name: _text(getattr(record, name)) for name in SIDES if hasattr(record, name)}
    ranked = getattr(record, "responses", ())
    return found | {f"response {number}": _text(turns) for number, turns in enumerate(ranked, 1)}


def _text(turns: Sequence[Any]) -> str:
    """A conversation as text, its roles named where there is more than one turn."""
    if len(turns) == 1:
        return str(turns[0].content)
    return "\n".join(f"{turn.role}: {turn.content}" for turn in turns)


def _one_line(text: str, longest: int) -> str:
    # White space is folded first, and only as much of a long text as may be shown.
    line = " ".join(text[: 10 * longest].split())
    line = "".join(letter if letter.isprintable() else " " for letter in line)
    return line if len(line) <= longest else line[: longest - 1] + "…"
