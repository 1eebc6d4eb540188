"""Checking files from end to end: one streamed pass for the findings, others for what is made of them.

Puts the floors below together: `formats` read, `checks` look, a tokenizer or a model is loaded only where one
is named.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from itertools import chain
from pathlib import Path
from typing import Any

from heedful import formats
from heedful.checks import registry
from heedful.checks.fixing import Fixed, fix
from heedful.checks.overview import Overview
from heedful.checks.private import PrivateText
from heedful.checks.running import Checked, run
from heedful.checks.tokens import TokenStream
from heedful.formats import native
from heedful.formats.reading import Stream
from heedful.quarantine import Quarantined
from heedful.records import Judgement, Record
from heedful.report.data_check import CheckData, CheckedFile, Part, parts
from heedful.training.tracking import Reporter, Task

TOLD_EVERY = 1000  # records
UNSHOWN = {PrivateText.name}
"""Checks whose examples are masked: a report that may be passed on must not spell them out."""


class Source:
    """Files that are checked together as one set; can be gone through again and again.

    Args:
        paths: of the files.
        reading: keyword arguments of `heedful.formats.stream`.
    """

    def __init__(self, paths: Sequence[Path], reading: Mapping[str, Any]) -> None:
        self.paths = tuple(paths)
        self._reading = dict(reading)
        self.formats: tuple[str, ...] = ()

    def records(self) -> Iterator[Record | Quarantined]:
        """The records of all files in order, those left out among them.

        Raises:
            DataError: a file cannot be read, or its layout is not recognised; of any file, before the first
                record of the first.
        """
        opened: list[Stream] = [formats.stream(path, **self._reading) for path in self.paths]
        self.formats = tuple(stream.format.name for stream in opened)
        return chain.from_iterable(opened)

    def told(self, task: Task) -> Iterator[Record | Quarantined]:
        """The same, with a word to `task` now and then."""
        number = 0
        for number, record in enumerate(self.records(), 1):
            if number % TOLD_EVERY == 0:
                task.update(number)
            yield record
        task.update(number)


@dataclass(frozen=True, slots=True)
class Settings:
    """What is looked for.

    Attributes:
        only, skip: names of checks.
        thresholds: by full name, `length_bias.share`.
        against: a file whose prompts must not be among those checked.
        tokenizer: a name that `models.tokenizers` knows; None leaves out the checks that need one.
    """

    only: Sequence[str] = ()
    skip: Sequence[str] = ()
    thresholds: Mapping[str, Any] = field(default_factory=dict)
    against: Path | None = None
    tokenizer: str | None = None


def check(source: Source, settings: Settings, reporter: Reporter) -> Checked:
    """Every check over all files in one pass.

    Raises:
        DataError: a file cannot be read, no record is left, or a check or threshold is unknown.
        ModelError: the tokenizer cannot be loaded.
    """
    names = registry.chosen(registry.CHECKS, settings.only, settings.skip)
    values = registry.arguments(settings.thresholds, registry.CHECKS)
    against = None if settings.against is None else formats.stream(settings.against)
    tokens = None if settings.tokenizer is None else _tokens(settings.tokenizer)
    checks = [Overview(), *registry.made(names, values, against=against, tokens=tokens)]
    with reporter.task("Checking records", None) as task:
        return run(source.told(task), checks)


def _tokens(name: str) -> TokenStream:
    """Tokens of the records as training makes them; transformers is imported for it, and torch is not."""
    from heedful.models.tokenizers import tokenizer_of
    from heedful.render.token_view import TokenView

    return TokenStream(TokenView(tokenizer_of(name)))


def described(
    source: Source, checked: Checked, command: str, *, examples: bool, reporter: Reporter
) -> CheckData:
    """The findings with what a reader asks: which files, how to get them again, the examples' records.

    Args:
        examples: look up the records, in a pass of its own.
    """
    files = [_file(path, format) for path, format in zip(source.paths, source.formats, strict=True)]
    records = _examples(source, checked, reporter) if examples else {}
    return CheckData(checked, files, command, {"heedful": version("heedful")}, records)


def _file(path: Path, format: str) -> CheckedFile:
    if not path.is_file():
        return CheckedFile(str(path), format)
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return CheckedFile(str(path), format, path.stat().st_size, digest)


def _examples(source: Source, checked: Checked, reporter: Reporter) -> dict[str, list[Part]]:
    """The records and left-out rows that the findings' examples name; of several with one id the first."""
    shown = [finding for finding in checked.findings if finding.check not in UNSHOWN]
    wanted = {example.id for finding in shown for example in finding.examples} - {""}
    found: dict[str, list[Part]] = {}
    with reporter.task("Looking up examples", None) as task:
        for record in source.told(task):
            if len(found) == len(wanted):
                break
            name = _name(record)
            if name in wanted and name not in found:
                found[name] = parts(record)
    return found


def _name(record: Record | Quarantined) -> str:
    """What an example calls a record, or a row that was left out."""
    if isinstance(record, Quarantined):
        return record.where
    return record.item if isinstance(record, Judgement) else record.id


def fixed(
    source: Source, checked: Checked, path: Path, reporter: Reporter, *, to: str | None = None
) -> Fixed:
    """Write a cleaned copy of all files to `path`, and what was taken out beside it.

    Args:
        to: the layout; None takes that of the files where they share one that is written, else Heedful's own.

    Raises:
        DataError: a file cannot be written, or the layout is not.
    """
    layout = to or _layout(source.formats)
    with reporter.task("Writing records", None) as task:
        return fix(source.told(task), checked.findings, path, format=layout)


def _layout(names: Sequence[str]) -> str:
    first = names[0]
    return first if set(names) == {first} and first in formats.writable() else native.FORMAT.name
