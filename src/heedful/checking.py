"""Checking files from end to end: one streamed pass for the findings, others for what is made of them.

Puts the floors below together: `formats` read, `checks` look, a tokenizer or a model is loaded only where one
is named.
"""

from __future__ import annotations

import hashlib
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
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
from heedful.checks.truncation import Truncation
from heedful.formats import native
from heedful.formats.reading import Stream
from heedful.quarantine import Quarantined
from heedful.records import Judgement, Record
from heedful.report.data_check import CheckData, CheckedFile, Part, parts
from heedful.training.tracking import Reporter, Task

PACKAGES = ("heedful", "transformers", "torch")  # that findings depend on, where they were loaded
TOLD_EVERY = 1000  # records
PATIENCE = 2.0  # seconds of silence before progress is shown
MAX_LENGTH = f"{Truncation.name}.length"
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

    def told(self, reporter: Reporter, title: str) -> Iterator[Record | Quarantined]:
        """The same, with progress under `title` where it takes longer than `PATIENCE`; it is put away after
        the last one.
        """
        begun, number = time.monotonic(), 0
        task: Task | None = None
        with ExitStack() as stack:
            for number, record in enumerate(self.records(), 1):
                if number % TOLD_EVERY == 0:
                    if task is None and time.monotonic() - begun >= PATIENCE:
                        task = stack.enter_context(reporter.task(title, None))
                    if task is not None:
                        task.update(number)
                yield record
            if task is not None:
                task.update(number)


@dataclass(frozen=True, slots=True)
class Settings:
    """What is looked for.

    Attributes:
        only, skip: names of checks.
        thresholds: by full name, `length_bias.share`.
        against: a file whose prompts must not be among those checked.
        tokenizer: a name that `models.tokenizers` knows; None takes that of `model`.
        model: whatever `heedful.load` takes; None leaves out the checks that need one.
        max_length: tokens of a prompt with one response that training keeps; None is each check's default.
    """

    only: Sequence[str] = ()
    skip: Sequence[str] = ()
    thresholds: Mapping[str, Any] = field(default_factory=dict)
    against: Path | None = None
    tokenizer: str | None = None
    model: str | None = None
    max_length: int | None = None


def check(source: Source, settings: Settings, reporter: Reporter) -> Checked:
    """Every check over all files in one pass.

    Raises:
        DataError: a file cannot be read, no record is left, or a check or threshold is unknown.
        ModelError: the tokenizer or the model cannot be loaded.
    """
    names = registry.chosen(registry.CHECKS, settings.only, settings.skip)
    thresholds = dict(settings.thresholds)
    if settings.max_length is not None:
        thresholds.setdefault(MAX_LENGTH, settings.max_length)
    values = registry.arguments(thresholds, registry.CHECKS)
    checks = [Overview(), *registry.made(names, values, **_given(settings, reporter))]
    return run(source.told(reporter, "Checking records"), checks)


def _given(settings: Settings, reporter: Reporter) -> dict[str, Any]:
    """What checks need, by the names of `registry.NEEDS`, of what was named.

    A tokenizer costs the import of transformers, and a model that of torch.
    """
    given: dict[str, Any] = {}
    if settings.against is not None:
        given["against"] = formats.stream(settings.against)
    if tokenizer := settings.tokenizer or settings.model:
        from heedful.models.tokenizers import tokenizer_of
        from heedful.render.token_view import TokenView

        given["tokens"] = TokenStream(TokenView(tokenizer_of(tokenizer)))
    if settings.model is not None:
        from heedful.checking_models import ModelView

        limit: dict[str, Any] = {} if settings.max_length is None else {"max_length": settings.max_length}
        given["model"] = ModelView(settings.model, reporter=reporter, **limit)
    return given


def described(
    source: Source, checked: Checked, command: str, *, examples: bool, reporter: Reporter
) -> CheckData:
    """The findings with what a reader asks: which files, how to get them again, the examples' records.

    Args:
        examples: look up the records, in a pass of its own.
    """
    files = [_file(path, format) for path, format in zip(source.paths, source.formats, strict=True)]
    records = _examples(source, checked, reporter) if examples else {}
    versions = {name: version(name) for name in PACKAGES if name in sys.modules}
    return CheckData(checked, files, command, versions, records)


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
    for record in source.told(reporter, "Looking up examples"):
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
    return fix(source.told(reporter, "Writing records"), checked.findings, path, format=layout)


def _layout(names: Sequence[str]) -> str:
    first = names[0]
    return first if set(names) == {first} and first in formats.writable() else native.FORMAT.name
