"""`heedful convert`: data files of any layout to one file of another. No model is loaded."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from heedful.cli.data_options import Reading
from heedful.cli.data_output import ROWS_BETWEEN, Progress, Writing
from heedful.errors import DataError

if TYPE_CHECKING:
    from heedful.formats import Converted
    from heedful.formats.reading import Stream
    from heedful.quarantine import Quarantined
    from heedful.records import Record

LAYOUTS = (
    "heedful, trl, trl-prompt, openai-chat, openai-preference, sharegpt-ranking, alpaca-ranking, alpaca, "
    "llama-factory-kto, axolotl"
)  # stands here, and is held to the registry by a test, so that `--help` need not load it


def convert(
    files: Annotated[list[Path], typer.Argument(metavar="IN...", help="Data of any layout, each its own.")],
    out: Annotated[
        Path,
        typer.Argument(
            metavar="OUT", help="The file: .jsonl, .json, .csv, .tsv or .parquet, zipped with .gz."
        ),
    ],
    reading: Reading,
    to: Annotated[str | None, typer.Option(metavar="LAYOUT", help=f"The layout to write: {LAYOUTS}.")] = None,
    strict: Annotated[
        bool, typer.Option("--strict", help="Refuse a row that cannot be read, held or carried whole.")
    ] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace files that are there.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="Say nothing but warnings and errors.")] = False,
) -> None:
    """Write data files in another layout, and say what it cannot carry.

    Records that the layout cannot hold are written beside OUT as OUT.left-out.jsonl, which can be converted
    again, and rows that cannot be read, with the reason, as OUT.quarantined.jsonl.
    """
    from heedful import formats
    from heedful.formats.converting import beside

    if to is None:
        mend = f"Layouts that are written: {', '.join(formats.writable())}."
        raise DataError("name the layout to write.", where="--to", mend=mend)
    writing = Writing(to=to, overwrite=overwrite, quiet=quiet)
    writing.check([out, *beside(out)], files)
    streams = [(path, reading.stream(path)) for path in files]
    for path, stream in streams:
        writing.say(f"{path}: {stream.format.name}{f' ({stream.recognised})' if stream.recognised else ''}")
    with writing.progress("converting rows") as told:
        rows = _told((stream for _, stream in streams), told)
        done = formats.convert(rows, out, format=to, strict=strict)
    if not quiet or done.written < done.read or done.lost:
        typer.echo(describe(done, out, to), err=quiet)


def _told(streams: Iterable[Stream], told: Progress) -> Iterator[Record | Quarantined]:
    """The outcomes of all streams, with a word on how far it got."""
    number = 0
    for stream in streams:
        for outcome in stream:
            number += 1
            if number % ROWS_BETWEEN == 0:
                told(number, None)
            yield outcome


def describe(done: Converted, out: Path, layout: str) -> str:
    """What became of the rows, in counts that add up."""
    from heedful.formats.converting import beside

    parts = [f"{done.written:,} written"]
    parts += [f"{done.left_out.total():,} left out"] if done.left_out else []
    parts += [f"{done.quarantined.total():,} quarantined"] if done.quarantined else []
    lines = [f"{done.read:,} read = {' + '.join(parts)}", f"Written: {out}, as {layout}"]
    left_out, quarantined = beside(out)
    if done.lost:
        lines.append(f"The layout has no place for: {_counts(done.lost)}. --to heedful keeps everything.")
    if done.left_out:
        lines.append(f"Left out, the layout cannot hold them: {left_out} ({_counts(done.left_out)})")
    if done.quarantined:
        lines.append(f"Quarantined, they cannot be read: {quarantined} ({_counts(done.quarantined)})")
    return "\n".join(lines)


def _counts(counts: Counter[str]) -> str:
    return ", ".join(f"{name} {count:,}" for name, count in counts.most_common())
