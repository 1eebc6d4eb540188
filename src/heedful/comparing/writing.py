"""A comparison as a folder: the page, the numbers for programs, and all answers and verdicts.

report.html      the page
summary.json     every number; see `heedful.report.compare_json`
answers.jsonl    every answer that judges compared, and every sample that rewards and KL are of
verdicts.jsonl   every verdict of every judge
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from heedful.evaluating import writing
from heedful.evaluating.writing import ANSWERS, SUMMARY, VERDICTS, answer_rows, lines
from heedful.evaluation.behaviour import Answer
from heedful.report.compare_data import ComparisonData
from heedful.report.compare_html import write
from heedful.report.compare_json import MADE_BY, as_json
from heedful.report.made import Made

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
    files = {
        SUMMARY: writing.as_text(as_json(data, made)),
        ANSWERS: lines([*_answers(answers, "judges"), *_answers(samples, "reward and kl")]),
        VERDICTS: lines(_verdicts(data)),
    }
    return writing.write_files(folder, files, lambda page: write(data, page, BESIDE), what="the comparison")


def _answers(answers: Mapping[str, Sequence[Answer]], used_for: str) -> Iterator[dict[str, Any]]:
    return ({"for": used_for, **row} for row in answer_rows(answers))


def _verdicts(data: ComparisonData) -> Iterator[dict[str, Any]]:
    for ranked in data.ranked:
        for (first, second), duels in ranked.duels.items():
            yield from (writing.verdict_row(ranked.judge, first, second, duel) for duel in duels)
