"""A comparison as a folder: the page, the numbers for programs, and all answers and verdicts.

report.html      the page
summary.json     every number; see `heedful.report.compare_json`
answers.jsonl    every answer that judges compared, and every sample that rewards and KL are of
verdicts.jsonl   every verdict of every judge
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from heedful.errors import RunError
from heedful.evaluating import writing
from heedful.evaluating.writing import ANSWERS, PAGE, SUMMARY, VERDICTS, answer_rows, encodable, lines
from heedful.evaluation.behaviour import Answer
from heedful.models.folders import write_text
from heedful.report.compare_data import ComparisonData
from heedful.report.compare_html import write
from heedful.report.compare_json import MADE_BY, Made, as_json

BESIDE = {SUMMARY: "every number, for programs", ANSWERS: "every answer", VERDICTS: "every verdict"}
"""What else a comparison's folder holds."""


def check(folder: Path) -> None:
    """Refuse a folder that something else than a comparison lies in.

    Raises:
        RunError: what is there.
    """
    writing.check(folder, made_by=MADE_BY, what="a comparison")


def write_folder(
    folder: Path,
    data: ComparisonData,
    made: Made,
    answers: Mapping[str, Sequence[Answer]],
    samples: Mapping[str, Sequence[Answer]],
) -> Path:
    """Write a comparison, over an earlier one where there is one; returns the folder.

    Raises:
        RunError: the folder holds something else, or cannot be written.
    """
    check(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        # First of all: it is what shows that the folder is a comparison's.
        summary = json.dumps(as_json(data, made), indent=2, ensure_ascii=False, allow_nan=False)
        write_text(folder / SUMMARY, encodable(f"{summary}\n"))
        write_text(
            folder / ANSWERS, lines([*_answers(answers, "judges"), *_answers(samples, "reward and kl")])
        )
        write_text(folder / VERDICTS, lines(_verdicts(data)))
        write(data, folder / PAGE, BESIDE)
    except OSError as error:
        what = f"the comparison cannot be written: {error.strerror or error}."
        raise RunError(what, where=str(folder)) from error
    return folder


def _answers(answers: Mapping[str, Sequence[Answer]], used_for: str) -> Iterator[dict[str, Any]]:
    return ({"for": used_for, **row} for row in answer_rows(answers))


def _verdicts(data: ComparisonData) -> Iterator[dict[str, Any]]:
    for ranked in data.ranked:
        for (first, second), duels in ranked.duels.items():
            yield from (writing.verdict_row(ranked.judge, first, second, duel) for duel in duels)
