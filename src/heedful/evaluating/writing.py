"""An evaluation as a folder: the page, the numbers for programs, a model card, and all answers and verdicts.

report.html      the page
summary.json     every number; see `heedful.report.evaluation_json`
model_card.md    lineage, numbers, how to load the model
answers.jsonl    every answer of every model
verdicts.jsonl   every verdict of every judge
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from heedful.errors import RunError
from heedful.evaluation.behaviour import Answer
from heedful.evaluation.duels import Duel
from heedful.models.catalog import resolve
from heedful.models.folders import write_text
from heedful.records import Messages
from heedful.report import ReportData, write
from heedful.report.evaluation_json import MADE_BY, Evaluated, as_json
from heedful.report.verdict import main_numbers, verdicts
from heedful.training.card import card, plain_card
from heedful.training.run_folder import RunFolder

SUMMARY, PAGE, CARD = "summary.json", "report.html", "model_card.md"
ANSWERS, VERDICTS = "answers.jsonl", "verdicts.jsonl"


def check(folder: Path, *, made_by: str = MADE_BY, what: str = "an evaluation") -> None:
    """Refuse a folder that something else than an evaluation lies in.

    Args:
        made_by: what the summary there says of itself.
        what: the same in words.

    Raises:
        RunError: what is there.
    """
    where, mend = str(folder), "Name another folder by --output."
    if folder.exists() and not folder.is_dir():
        raise RunError(f"this is a file, and {what} is a folder.", where=where, mend=mend)
    if not folder.is_dir() or not any(folder.iterdir()):
        return
    try:
        ours = json.loads((folder / SUMMARY).read_text(encoding="utf-8"))["made_by"] == made_by
    except (OSError, ValueError, KeyError, TypeError):
        ours = False
    if not ours:
        raise RunError(f"the folder holds something else than {what}.", where=where, mend=mend)


def write_folder(
    folder: Path,
    data: ReportData,
    made: Evaluated,
    answers: Mapping[str, Sequence[Answer]],
    model: str | None,
) -> Path:
    """Write an evaluation, over an earlier one where there is one; returns the folder.

    Args:
        model: what the model was loaded by, for its card; None of one that is in memory only.

    Raises:
        RunError: the folder holds something else, or cannot be written.
    """
    check(folder)
    files = {
        SUMMARY: as_text(as_json(data, made)),
        ANSWERS: lines(answer_rows(answers)),
        VERDICTS: lines(_verdicts(data)),
    }
    text = _card(model, data, made) if model is not None else None
    if text is not None:
        files[CARD] = encodable(text)
    return write_files(folder, files, lambda page: write(data, page, _beside(model)), what="the evaluation")


def write_files(folder: Path, files: Mapping[str, str], page: Callable[[Path], object], *, what: str) -> Path:
    """Write the files, and then the page; returns the folder.

    Args:
        files: text by name; the summary first: it is what shows whose folder this is.
        what: that they are of.

    Raises:
        RunError: they cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in files.items():
            write_text(folder / name, text)
        page(folder / PAGE)
    except OSError as error:
        why = f"{what} cannot be written: {error.strerror or error}."
        raise RunError(why, where=str(folder)) from error
    return folder


def _beside(model: str | None) -> dict[str, str]:
    """What the page says of its folder."""
    found = {SUMMARY: "every number, for programs", ANSWERS: "every answer", VERDICTS: "every verdict"}
    return found if model is None else {**found, CARD: "the model\u2019s card"}


def answer_rows(answers: Mapping[str, Sequence[Answer]]) -> Iterator[dict[str, Any]]:
    """A row an answer, those of one model together."""
    for model, own in answers.items():
        seen: Counter[Messages] = Counter()
        for answer in own:
            yield {
                "model": model,
                "prompt": turns(answer.prompt),
                "sample": seen[answer.prompt],
                "answer": answer.text,
                "ended": answer.ended,
                "tokens": answer.tokens,
            }
            seen[answer.prompt] += 1


def _verdicts(data: ReportData) -> Iterator[dict[str, Any]]:
    for comparison in data.comparisons:
        for duel in comparison.duels:
            yield verdict_row(comparison.judge, comparison.model, comparison.baseline, duel)


def verdict_row(judge: str, model: str, baseline: str, duel: Duel) -> dict[str, Any]:
    """What a judge said of two answers, as a row."""
    return {
        "judge": judge,
        "model": model,
        "baseline": baseline,
        "prompt": turns(duel.prompt),
        "answer": duel.answer,
        "baseline_answer": duel.baseline,
        "outcome": duel.outcome if duel.decided else None,
        "forward": duel.forward,
        "backward": duel.backward,
        "margin": duel.margin,
        "why": duel.why,
    }


def turns(conversation: Messages) -> list[dict[str, str]]:
    """A conversation as rows have it."""
    return [{"role": message.role, "content": message.content} for message in conversation]


def lines(rows: Iterable[Mapping[str, Any]]) -> str:
    """A row a line, as JSON."""
    return encodable("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))


def as_text(summary: Mapping[str, Any]) -> str:
    """What is for programs, as a file."""
    return encodable(json.dumps(summary, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def encodable(text: str) -> str:
    """Without halves of surrogate pairs, which have no UTF-8 form."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def _card(model: str, data: ReportData, made: Evaluated) -> str | None:
    """None of a reward model's adapter without its run: nothing tells how it is to be loaded."""
    run = RunFolder.around(model)
    if run is None and made.kind == "reward":
        return None
    sentences = verdicts(data) if made.kind == "policy" else []
    rows = [f"| {name} | {number} | {interval} | {n} |" for name, number, interval, n in main_numbers(data)]
    table = ["| | | 95% | |", "| --- | --- | --- | --- |", *rows] if rows else []
    how = f"Held-out data: {made.data['held_out']['name']}; seed {made.seed}; {made.machine}; {made.at}."
    more = "\n".join(["## Evaluated", "", *[f"{text}\n" for text in sentences], *table, "", how, ""])
    return card(run, more) if run else plain_card(Path(model).name, resolve(model), more)
