"""Scored responses in a text file, block after block:

    Prompt: What is the capital of France?
    Response A: Paris. → Score: 4.5
    Response B: I think it is Lyon,
    but I am not sure. → Score: 2.1

A line that begins with "Prompt:" begins a block. A response begins with "Response", a name if it has one, and
a colon, at the start of a line or after the score before it; its score ends it, behind an arrow ("→", "->" or
"=>") or alone. Prompts and responses may run over several lines, and lose the white space around them. Each
block is a row of the layout `scored`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from ..errors import DataError
from .fields import Fault
from .files import UTF8_BOM, lines, stem, text_chunks
from .raw import BROKEN_ROW, RawRow

EXPECTED = "Prompt: ... Response A: ... → Score: 4.5 Response B: ... → Score: 2.1"

PROMPT = re.compile(r"[ \t]*prompt[ \t]*:", re.IGNORECASE)
RESPONSE = re.compile(
    r"""^[ \t]*(?i:response) (?:[ \t]+(?P<named>[^\s:][^:\n]{0,60}?))? [ \t]*:  # first in a line: any name
    | (?<=[ \t]) Response [ \t] (?P<lettered>[A-Z0-9]) [ \t]*:                 # within: a letter or digit
    """,
    re.VERBOSE | re.MULTILINE,
)
SCORE = re.compile(
    r"""(?:→|->|=>)? [ \t]* \b score [ \t]* [:=] [ \t]*
    (?P<score>[-+]?(?:\d+\.?\d*|\.\d+) | n/?a | none)
    (?:[ \t]*/[ \t]*(?P<out_of>\d+(?:\.\d+)?))?
    (?:\s|[-=*_])* \Z  # a line may be drawn below a block
    """,
    re.VERBOSE | re.IGNORECASE,
)


def is_text(path: Path, start: bytes) -> bool:
    """Whether a file holds such text, or by its name is text and not JSON.

    Args:
        start: the file's first bytes.
    """
    text = start.removeprefix(UTF8_BOM).lstrip()
    if PROMPT.match(text[:40].decode("latin-1")):
        return True
    return path.name.lower().removesuffix(".gz").endswith(".txt") and text[:1] not in (b"", b"{", b"[")


def rows(path: Path, encoding: str = "utf-8") -> Iterator[RawRow]:
    """The blocks of a text file, each as `{"prompt", "responses": [{"name", "response", "score"}]}`.

    Raises:
        DataError: as `files.text_chunks`; the text does not begin with a prompt.
    """
    name = stem(path)
    for line, block in _blocks(lines(text_chunks(path, encoding)), path):
        where, id = f"{path}:{line}", f"{name}:{line}"
        try:
            yield RawRow(where, id, _row(block))
        except Fault as fault:
            yield RawRow(where, id, block, str(fault), fault.reason)


def _blocks(source: Iterable[str], path: Path) -> Iterator[tuple[int, str]]:
    """The text of each block and the line it begins in."""
    block: list[str] = []
    begun = 0
    for number, line in enumerate(source, 1):
        if PROMPT.match(line):
            if block:
                yield begun, "".join(block)
            block, begun = [], number
        elif not block:
            if not line.strip():
                continue
            what = "not a text of scored responses: it does not begin with a prompt."
            raise DataError(what, where=f"{path}:{number}", mend=f"The layout is: {EXPECTED}")
        block.append(line)
    if block:
        yield begun, "".join(block)


def _row(block: str) -> dict[str, Any]:
    text = block[PROMPT.match(block).end() :]  # type: ignore[union-attr]  # a block begins with it
    marks = list(RESPONSE.finditer(text))
    if not marks:
        raise Fault(BROKEN_ROW, "the prompt has no response below it")
    ends = [mark.start() for mark in marks[1:]] + [len(text)]
    responses = [_response(mark, text[mark.end() : end]) for mark, end in zip(marks, ends, strict=True)]
    return {"prompt": text[: marks[0].start()].strip(), "responses": responses}


def _response(mark: re.Match[str], text: str) -> dict[str, Any]:
    name = mark["named"] or mark["lettered"]
    score = SCORE.search(text)
    if score is None:
        raise Fault(
            BROKEN_ROW, f'response{f" {name}" if name else ""} does not end with "Score:" and a number'
        )
    try:
        value = float(score["score"])
    except ValueError:
        value = None  # "N/A"
    entry: dict[str, Any] = {"response": text[: score.start()].strip(), "score": value}
    if name:
        entry["name"] = name
    if score["out_of"]:
        entry["out_of"] = float(score["out_of"])
    return entry
