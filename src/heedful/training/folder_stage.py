"""A stage of a graph that fills a folder: written beside, and under its name when it is whole.

`stage.json` in the folder says what it was made from: settings, hashes of what it reads, and the version of
the code.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from heedful.errors import RunError
from heedful.models import folders
from heedful.training import checkpoint
from heedful.training.graph import Changed, Standing

RECORD = "stage.json"


@dataclass(frozen=True)
class FolderStage:
    """One folder.

    Attributes:
        settings: what decides the result beside what is read, by recipe key.
        reads: hashes of the contents of what it reads, by name; of nothing in the folders it is given, which
            are still to be filled.
        work: fills the folder it is given. Called again after a kill it finds what it left there, as long as
            nothing has changed in between.
        gate: refuses to go on with what stands in the finished folder, where something forbids it.
        code: raised by whoever changes what comes out of the same settings and contents.
    """

    name: str
    folder: Path
    after: Sequence[str]
    settings: Mapping[str, Any]
    reads: Callable[[Sequence[Path]], Mapping[str, str]]
    work: Callable[[Path], None]
    gate: Callable[[Path], None] = lambda folder: None
    code: int = 1

    def standing(self, pending: Sequence[Path] = ()) -> Standing:
        """As a `graph.Stage`."""
        made_from = self.reads(pending)
        if not self.folder.exists():
            return "unfinished" if self._part.exists() else "new"
        where = str(self.folder)
        if not (self.folder / RECORD).is_file():
            what, mend = "this is not a stage's folder.", "Choose another output=FOLDER, or move it away."
            raise RunError(what, where=where, mend=mend)
        changed = self._changed(_record(self.folder), made_from)
        if changed is not None:
            raise Changed(changed, where=where)
        return "finished"

    def run(self, *, begun: bool) -> None:
        """As a `graph.Stage`."""
        part, made_from = self._part, self.reads(())
        if not (begun and (part / RECORD).is_file() and self._changed(_record(part), made_from) is None):
            shutil.rmtree(part, ignore_errors=True)
        with self._writing():
            part.mkdir(parents=True, exist_ok=True)
            record = {"settings": flat(self.settings), "reads": dict(made_from), "code": self.code}
            folders.write_text(part / RECORD, json.dumps(record, indent=2, ensure_ascii=False) + "\n")
        self.work(part)
        with self._writing():
            checkpoint.put_in_place(part, self.folder)

    def admit(self) -> None:
        """As a `graph.Stage`."""
        self.gate(self.folder)

    @property
    def _part(self) -> Path:
        return self.folder.with_name(f".{self.folder.name}.part")

    @contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            reason = checkpoint.disk_trouble(error) or str(error)
            raise RunError(f"the stage cannot be written: {reason}.", where=str(self.folder)) from error

    def _changed(self, record: Mapping[str, Any], made_from: Mapping[str, str]) -> str | None:
        """What of that which a folder was made from is another now, in words."""
        before, now = record["settings"], json.loads(json.dumps(flat(self.settings)))
        for key in sorted(before.keys() | now.keys()):
            if before.get(key) != now.get(key):
                return f"it was made with {key} = {before.get(key)!r}, and now that is {now.get(key)!r}."
        for key in made_from:
            if record["reads"].get(key) != made_from[key]:
                return f"what {key} names has changed since it was made."
        if record["code"] != self.code:
            return f"it is of version {record['code']} of how it is computed, and now that is {self.code}."
        return None


def flat(settings: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested keys by their dotted names."""
    found: dict[str, Any] = {}
    for key, value in settings.items():
        name = f"{prefix}.{key}" if prefix else key
        found |= flat(value, name) if isinstance(value, Mapping) else {name: value}
    return found


def _record(folder: Path) -> dict[str, Any]:
    path = folder / RECORD
    try:
        found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise RunError(f"this file cannot be read: {error}.", where=str(path)) from error
    return found
