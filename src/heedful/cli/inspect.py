"""`heedful inspect`: what a data file holds, before anything learns from it. No model is loaded."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Annotated, Any

import typer

from heedful.cli.data_options import Reading

if TYPE_CHECKING:
    from heedful.quarantine import Kept
    from heedful.records import Record

SIDES = ("prompt", "response", "chosen", "rejected")
EXAMPLE_CHARACTERS = 240


@dataclass(frozen=True, slots=True)
class Words:
    """Lengths of one side of all records, in words."""

    shortest: int
    median: float
    longest: int


@dataclass(frozen=True, slots=True)
class Findings:
    """What a file holds.

    Attributes:
        kinds: records of each kind.
        quarantined: rows left out, by reason.
        words: lengths by side (prompt, chosen, ...); all responses of a ranking count as one side.
        example: the first record, its sides as text.
    """

    file: str
    format: str
    kinds: dict[str, int]
    read: int
    kept: int
    quarantined: dict[str, int]
    words: dict[str, Words]
    example: dict[str, str]


def inspect(
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="Preferences or demonstrations.")],
    reading: Reading,
    quarantine: Annotated[
        Path | None, typer.Option(metavar="OUT", help="Write the rows that were left out, and why.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a file, for programs.")] = False,
) -> None:
    """Say what data files hold: format, kind, counts, lengths, and what would be left out and why."""
    from heedful.quarantine import Kept, Quarantined, write_quarantine

    left_out: list[Quarantined] = []
    for number, path in enumerate(files):
        source = reading.stream(path)
        outcomes = list(source)
        kept = Kept(
            [outcome for outcome in outcomes if not isinstance(outcome, Quarantined)],
            [outcome for outcome in outcomes if isinstance(outcome, Quarantined)],
        )
        left_out += kept.quarantined
        findings = examine(path, source.format.name, kept)
        if as_json:
            typer.echo(json.dumps(asdict(findings), ensure_ascii=False))
        else:
            typer.echo(("\n" if number else "") + describe(findings))
    if quarantine is not None:
        write_quarantine(left_out, quarantine)
        typer.echo(f"{len(left_out)} left-out rows written to {quarantine}", err=True)


def examine(path: Path, format: str, kept: Kept[Record]) -> Findings:
    sides: dict[str, list[int]] = {}
    for record in kept:
        for name, text in _sides(record).items():
            # "response 3" of a ranking is a response: what it is called says only where it stands.
            sides.setdefault(name.split()[0], []).append(len(text.split()))
    counts = kept.counts
    return Findings(
        file=str(path),
        format=format,
        kinds=dict(Counter(type(record).__name__.lower() for record in kept)),
        read=counts.read,
        kept=counts.kept,
        quarantined=counts.quarantined,
        words={name: Words(min(lengths), median(lengths), max(lengths)) for name, lengths in sides.items()},
        example=_sides(kept[0]) if kept else {},
    )


def describe(findings: Findings) -> str:
    """The findings for a person, without what could steer a terminal."""
    from heedful.quarantine import Counts

    kinds = ", ".join(f"{count} {kind}{'s' if count != 1 else ''}" for kind, count in findings.kinds.items())
    lines = [
        findings.file,
        f"  format    {findings.format}",
        f"  records   {kinds or 'none'}",
        f"  rows      {Counts(findings.read, findings.kept, findings.quarantined)}",
    ]
    for name, words in findings.words.items():
        lines.append(f"  {name:<9} {words.shortest} to {words.longest} words, median {words.median:g}")
    if findings.example:
        lines.append("  The first:")
        width = max(9, *map(len, findings.example))
        lines += [f"    {name:<{width}} {_one_line(text)}" for name, text in findings.example.items()]
    return "\n".join(lines)


def _sides(record: Any) -> dict[str, str]:
    found = {name: _text(getattr(record, name)) for name in SIDES if hasattr(record, name)}
    ranked = getattr(record, "responses", ())
    return found | {f"response {number}": _text(turns) for number, turns in enumerate(ranked, 1)}


def _text(turns: Sequence[Any]) -> str:
    """A conversation as text, its roles named where there is more than one turn."""
    if len(turns) == 1:
        return str(turns[0].content)
    return "\n".join(f"{turn.role}: {turn.content}" for turn in turns)


def _one_line(text: str) -> str:
    line = "".join(letter if letter.isprintable() else " " for letter in " ".join(text.split()))
    return line if len(line) <= EXAMPLE_CHARACTERS else line[: EXAMPLE_CHARACTERS - 1] + "…"
