"""Downloads for admins: whatever `heedful collect export` writes, as a file of the browser's.

A reviewer decides without having seen the votes, and may have items to vote on; so nobody but an admin takes
votes out. A file holds what was said byte for byte, so that it reads back: cells of a table are not defused
for spreadsheets, as those of the dashboard's table of people are.

A file is written whole before its first byte is sent, and is gone once it is sent: memory does not grow with
it, and an error is an answer and no broken file.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated, Literal, get_args
from urllib.parse import urlencode

from fastapi import APIRouter, HTTPException, Query, Request, Response
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, Field

from heedful import formats
from heedful.collect.exchange.wish import OWN, What, Wish
from heedful.collect.store.project import Project
from heedful.collect.web.pages import page
from heedful.collect.web.visit import Admin, ProjectDep
from heedful.errors import DataError
from heedful.prepare.pair_settings import MEAN, Aggregation, Method, PairSettings, Soft, Ties

if TYPE_CHECKING:
    from heedful.collect.exchange.export import Exported

router = APIRouter(prefix="/downloads")

Ending = Literal["jsonl", "jsonl.gz", "json", "csv", "tsv", "parquet"]
TYPES: dict[Ending, str] = {
    "jsonl": "application/x-ndjson",
    "jsonl.gz": "application/gzip",
    "json": "application/json",
    "csv": "text/csv; charset=utf-8",
    "tsv": "text/tab-separated-values; charset=utf-8",
    "parquet": "application/vnd.apache.parquet",
}
KINDS: dict[What, str] = {
    "preferences": "what the votes on each item come to, ready to train on",
    "votes": "one record for each person's vote",
    "records": "the items and the raw judgements on them, for heedful check and heedful pairs",
    "judgements": "the whole log, with every edit and retraction",
}
FOLDER = "heedful-export-"
PATIENCE = 60.0  # seconds to wait for another export to end
CHUNK = 1 << 16  # bytes

_ONE = threading.Lock()  # of several exports at once each would only take longer, and voters wait for all


class Asked(BaseModel):
    """A wish as a form sends it."""

    what: What = "preferences"
    to: str = OWN
    ending: Ending = "jsonl"
    aggregate: Method = "majority"
    min_votes: int = Field(default=1, ge=1)
    min_agreement: float = Field(default=0.0, ge=0, le=1)
    soft: Soft = "probability"
    ties: Ties = "keep"
    both_bad: Literal["tie", "drop"] = "tie"
    aspect: str = MEAN
    pseudonyms: bool = False
    with_gold: bool = False
    without_flagged: list[str] = Field(default=[], max_length=50)
    until: Annotated[str, Field(pattern=r"^\d{0,18}$")] = ""

    def wish(self) -> Wish:
        aggregation = Aggregation(
            method=self.aggregate,
            min_votes=self.min_votes,
            min_agreement=self.min_agreement,
            soft=self.soft,
        )
        return Wish(
            what=self.what,
            layout=self.to if self.what != "judgements" else OWN,
            pairs=PairSettings(
                aggregate=aggregation, ties=self.ties, both_bad=self.both_bad, aspect=self.aspect
            ),
            pseudonyms=self.pseudonyms,
            until=int(self.until) if self.until else None,
            without_flagged=tuple(self.without_flagged),
            with_gold=self.with_gold,
        )


AskedDep = Annotated[Asked, Query()]


@router.get("")
def forms(request: Request, project: ProjectDep, person: Admin) -> Response:
    return _page(request, Asked())


@router.get("/counts")
def counts(request: Request, project: ProjectDep, person: Admin, asked: AskedDep) -> Response:
    """What a file would hold and leave out, told before it is taken."""
    with TemporaryDirectory(prefix=FOLDER) as folder:
        made = _export(project, asked, Path(folder) / f"export.{asked.ending}")
    return _page(request, asked, made)


@router.get("/file")
def file(project: ProjectDep, person: Admin, asked: AskedDep) -> Response:
    folder = TemporaryDirectory(prefix=FOLDER)
    path = Path(folder.name) / f"export.{asked.ending}"
    try:
        made = _export(project, asked, path)
    except HTTPException:
        folder.cleanup()
        raise
    name = f"{asked.what}-{made.until}.{asked.ending}"
    headers = {
        "Content-Disposition": f'attachment; filename="{name}"',
        "Content-Length": str(path.stat().st_size),
    }
    return StreamingResponse(_sent(path, folder), media_type=TYPES[asked.ending], headers=headers)


def _export(project: Project, asked: Asked, path: Path) -> Exported:
    """Write the file that was asked for.

    Raises:
        HTTPException: 400, the wish cannot be met; 503, others' exports take too long.
    """
    from heedful.collect.exchange.export import export  # with numpy; no start of the app is to wait for it

    if not _ONE.acquire(timeout=PATIENCE):
        raise HTTPException(503, headers={"Retry-After": str(int(PATIENCE))})
    try:
        return export(project, path, asked.wish())
    except DataError as error:  # where it is would be a path on the server
        raise HTTPException(400, " ".join(filter(None, (error.what, error.mend)))) from None
    finally:
        _ONE.release()


def _sent(path: Path, folder: TemporaryDirectory[str]) -> Iterator[bytes]:
    with folder, path.open("rb") as file:
        while chunk := file.read(CHUNK):
            yield chunk


def _page(request: Request, asked: Asked, made: Exported | None = None) -> Response:
    """The form, with what was asked for filled in and what came of it above."""
    chosen = asked.model_dump() | ({"until": made.until} if made is not None else {})
    return page(
        request,
        "downloads.html.j2",
        asked=asked,
        made=made,
        query=urlencode(chosen, doseq=True),
        kinds=KINDS,
        layouts=formats.writable(),
        endings=list(TYPES),
        methods=get_args(Method),
    )
