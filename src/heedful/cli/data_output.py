"""The options of every command that writes data files, written once, and what such a command says it did.

A command declares a parameter `writing: Writing` and is registered through `writes_files`, which puts `--to`,
`--overwrite`, `--quarantine` and `--quiet` in its place.
"""

from __future__ import annotations

import functools
import inspect
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import typer

from heedful.cli.data_options import Reading, option, options_for
from heedful.errors import DataError

if TYPE_CHECKING:
    from heedful.formats import Written
    from heedful.quarantine import Counts, Kept, Quarantined
    from heedful.records import Record
    from heedful.training.tracking import Task

_GROUP = "How files are written"
PATIENCE = 2.0
"""Seconds of silence before progress is shown."""

ROWS_BETWEEN = 1000
"""Rows read from one look at the clock to the next."""

Progress = Callable[[int, int | None], None]
"""Told how much is done, of how much in all where that is known."""


class Counted(Protocol):
    """What a step left out and kept, in counts that add up; a `Kept` is one."""

    quarantined: list[Quarantined]

    @property
    def counts(self) -> Counts: ...


@dataclass(frozen=True)
class Writing:
    """How files are written, and how much is said of it."""

    to: str = "heedful"
    overwrite: bool = False
    quarantine: Path | None = None
    quiet: bool = False

    def check(self, outputs: Iterable[Path], inputs: Iterable[Path] = ()) -> None:
        """Refuse before any work what could not be written, or would take the place of what is there.

        Raises:
            DataError: the layout is not written, a file exists and `--overwrite` is not given, two outputs
                are the same file, or an output is one of the inputs.
        """
        from heedful import formats

        if self.to not in formats.writable():
            mend = f"Layouts that are written: {', '.join(formats.writable())}."
            raise DataError(f'the layout "{self.to}" is not written.', where="--to", mend=mend)
        targets = [*outputs, *([self.quarantine] if self.quarantine is not None else [])]
        read = {path.resolve() for path in inputs}
        for path, times in Counter(path.resolve() for path in targets).items():
            if path in read or times > 1:
                what = (
                    "would be written over while it is read" if path in read else "is named for two outputs"
                )
                raise DataError(f"{what}.", where=str(path), mend="Name another file to write.")
        for path in targets:
            if path.exists() and not self.overwrite:
                mend = "Name another file, or replace it with --overwrite."
                raise DataError("there is such a file.", where=str(path), mend=mend)

    def write(self, records: Iterable[Record], path: Path) -> Written:
        """Write the records; what the layout cannot hold is counted, and said by `report`."""
        from heedful import formats

        return formats.write(records, path, format=self.to, strict=False)

    def report(self, kept: Counted, *written: tuple[Path, Written]) -> None:
        """Say what was read, kept, left out by reason and written where, in counts that add up.

        Writes the rows left out, those that could not be written among them, where `--quarantine` says.
        """
        from heedful.quarantine import write_quarantine

        self.say(str(kept.counts))
        for path, done in written:
            self.say(f"{done.rows} written to {path}{_unwritten(done)}")
        rows: list[Quarantined] = [*kept.quarantined, *(row for _, done in written for row in done.left_out)]
        if self.quarantine is not None:
            write_quarantine(rows, self.quarantine)
            self.say(f"{len(rows)} left-out rows written to {self.quarantine}")

    def say(self, text: str) -> None:
        if not self.quiet:
            typer.echo(text)

    @contextmanager
    def progress(self, title: str) -> Iterator[Progress]:
        """Shows what it is told of a piece of work, once that has taken longer than `PATIENCE`."""
        begun = time.monotonic()
        task: Task | None = None
        with ExitStack() as stack:

            def told(done: int, total: int | None) -> None:
                nonlocal task
                if task is None:
                    if time.monotonic() - begun < PATIENCE:
                        return
                    from heedful.training.tracking import Reporter

                    task = stack.enter_context(Reporter(quiet=self.quiet).task(title, total))
                task.update(done)

            yield told

    def read(self, files: Sequence[Path], reading: Reading) -> Kept[Record]:
        """The records of all files, with what was left out of them."""
        from heedful.quarantine import Kept, Quarantined

        kept: list[Record] = []
        left_out: list[Quarantined] = []
        with self.progress("reading rows") as told:
            for path in files:
                for outcome in reading.stream(path):
                    if isinstance(outcome, Quarantined):
                        left_out.append(outcome)
                    else:
                        kept.append(outcome)
                    if (done := len(kept) + len(left_out)) % ROWS_BETWEEN == 0:
                        told(done, None)
        return Kept(kept, left_out)


def writes_files(command: Callable[..., None]) -> Callable[..., None]:
    """The command with the writing options in place of its parameter `writing`."""
    return options_for(command, "writing", _options(), Writing)


def _options() -> list[inspect.Parameter]:
    own = functools.partial(option, group=_GROUP)
    return [
        own("to", str, "heedful", metavar="LAYOUT", help="The layout to write."),
        own("overwrite", bool, False, "--overwrite", help="Replace files that are there."),
        own(
            "quarantine",
            Path | None,
            None,
            metavar="FILE",
            help="Write the rows that were left out, and why.",
        ),
        own("quiet", bool, False, "--quiet", help="Say nothing but warnings and errors."),
    ]


def _unwritten(done: Written) -> str:
    """What the layout had no place for."""
    parts = [f"{count} without {name}" for name, count in sorted(done.lost.items())]
    reasons = Counter(row.reason for row in done.left_out)
    parts += [f"{count} not written ({reason})" for reason, count in sorted(reasons.items())]
    return f"; {', '.join(parts)}" if parts else ""
