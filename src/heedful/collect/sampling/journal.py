"""What has been sampled so far, on the disk batch by batch, so that a killed run loses the batch in hand.

One JSON object a line: first the settings under which is sampled, then a batch of answers each. A line is
written and synced at once; one that a kill cut short is left out when the file is opened again.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from heedful.errors import DataError

SUFFIX = ".sampled"


class Drawn(NamedTuple):
    """One answer of a model, and whether it ended by itself and was not cut at the limit."""

    text: str
    ended: bool = True


Batch = list[list[Drawn]]
"""The answers to each conversation of a batch."""


class Journal:
    """Batches by the source that answered and the number of the batch; on the disk where there is a file."""

    def __init__(self, path: Path | None = None, settings: Mapping[str, Any] | None = None) -> None:
        self._path, self._settings = path, dict(settings or {})
        self._batches: dict[tuple[str, int], Batch] = {}

    @classmethod
    def beside(cls, out: Path, settings: Mapping[str, Any], *, resume: bool) -> Journal:
        """The journal of a run that is to end in the file `out`.

        Args:
            settings: of the run, as JSON has them.
            resume: go on with the journal that is there; one that is there otherwise is in the way.

        Raises:
            DataError: there is one and `resume` is not given, or it was begun with other settings.
        """
        path = out.with_name(out.name + SUFFIX)
        made = cls(path, settings)
        if path.exists():
            if not resume:
                what = "an earlier run was not finished, and its answers are here."
                mend = "Go on with it by --resume, or delete the file to begin anew."
                raise DataError(what, where=str(path), mend=mend)
            made._read()
        return made

    def __len__(self) -> int:
        return len(self._batches)

    def get(self, source: str, number: int) -> Batch | None:
        return self._batches.get((source, number))

    def put(self, source: str, number: int, batch: Sequence[Sequence[Drawn]]) -> None:
        """Keep a batch; once this returns, it is safe."""
        self._batches[source, number] = [list(answers) for answers in batch]
        self._append({"source": source, "batch": number, "answers": batch})

    def remove(self) -> None:
        """Take it away, as what it holds has been written elsewhere."""
        if self._path is not None:
            self._path.unlink(missing_ok=True)

    def _append(self, row: Mapping[str, Any]) -> None:
        if self._path is None:
            return
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with self._path.open("ab") as file:
            if not file.tell():
                file.write(_line({"settings": self._settings}))
            file.write(_line(row))
            file.flush()
            os.fsync(file.fileno())

    def _read(self) -> None:
        assert self._path is not None
        whole, rows = 0, []
        with self._path.open("rb") as file:
            for line in file:
                if not line.endswith(b"\n"):
                    break
                whole += len(line)
                rows.append(json.loads(line))
        os.truncate(self._path, whole)  # what comes next must begin a line
        if rows:
            self._require_same(rows[0]["settings"], json.loads(json.dumps(self._settings)))
        for row in rows[1:]:
            answers = [[Drawn(text, ended) for text, ended in given] for given in row["answers"]]
            self._batches[row["source"], row["batch"]] = answers

    def _require_same(self, before: Mapping[str, Any], now: Mapping[str, Any]) -> None:
        changed = sorted(key for key in before.keys() | now.keys() if before.get(key) != now.get(key))
        if changed:
            mend = "Ask as before, or delete the file to begin anew."
            what = f"the earlier run was begun with other {' and '.join(changed)}."
            raise DataError(what, where=str(self._path), mend=mend)


def _line(row: Mapping[str, Any]) -> bytes:
    """Half a surrogate pair has no UTF-8 form; as a backslash escape JSON reads it back."""
    return (json.dumps(row, ensure_ascii=False) + "\n").encode("utf-8", "backslashreplace")
