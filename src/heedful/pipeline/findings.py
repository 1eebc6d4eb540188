"""What an evaluation found, as files: kept model by model, so that what was asked is not asked again."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from heedful.evaluating.examined import Examined
from heedful.evaluation.answer_scores import AnswerScores
from heedful.evaluation.behaviour import Answer
from heedful.evaluation.duels import Duel
from heedful.evaluation.length_control import LengthControlled
from heedful.evaluation.preference_accuracy import PairScores
from heedful.evaluation.win_rate import WinRate
from heedful.models.folders import write_text
from heedful.quarantine import Quarantined
from heedful.records import Messages
from heedful.report.data import Comparison

_ANSWERS = TypeAdapter(list[Answer])
_PROMPTS = TypeAdapter(tuple[Messages, ...])
_DUELS = TypeAdapter(list[Duel])
_WINS = TypeAdapter(WinRate | None)
_CONTROLLED = TypeAdapter(LengthControlled | None)
# Of a comparison what JSON has as it is.
_PLAIN = ("judge", "model", "baseline", "both_orders")
_SCORES = ("chosen", "rejected", "chosen_tokens", "rejected_tokens")


@dataclass(frozen=True, slots=True)
class Findings:
    """All that was found.

    Attributes:
        models: by title, in the order in which they were made.
        scores: by reward, what it makes of each model's answers.
        comparisons: what judges said.
    """

    models: dict[str, Examined]
    scores: dict[str, dict[str, AnswerScores]] = field(default_factory=dict)
    comparisons: Sequence[Comparison] = ()


def keep_examined(path: Path, found: Examined) -> None:
    """Write what one model made of the held-out rows."""
    scores = found.scores
    told = {
        "scores": None if scores is None else {name: getattr(scores, name).tolist() for name in _SCORES},
        "pairs": found.pairs,
        "lengths": found.lengths,
        "prompts": _PROMPTS.dump_python(found.prompts, mode="json"),
        "answers": _ANSWERS.dump_python(found.answers, mode="json"),
        "left_out": found.left_out,
        "unanswered": [[row.where, row.reason, row.detail] for row in found.unanswered],
    }
    _write(path, told)


def kept_examined(path: Path) -> Examined:
    """What `keep_examined` wrote; of prompts that were not answered, only why."""
    told = _read(path)
    scores = told["scores"]
    return Examined(
        scores=None if scores is None else PairScores(**scores),
        pairs=tuple(told["pairs"]),
        lengths=tuple(tuple(lengths) for lengths in told["lengths"]),
        prompts=_PROMPTS.validate_python(told["prompts"]),
        answers=_ANSWERS.validate_python(told["answers"]),
        left_out=told["left_out"],
        unanswered=[Quarantined(where, why, detail, None) for where, why, detail in told["unanswered"]],
    )


def keep_scores(path: Path, scores: Mapping[str, Mapping[str, AnswerScores]]) -> None:
    """Write what rewards make of answers."""
    _write(
        path, {reward: {name: list(one.scores) for name, one in of.items()} for reward, of in scores.items()}
    )


def kept_scores(path: Path) -> dict[str, dict[str, AnswerScores]]:
    """What `keep_scores` wrote."""
    return {
        reward: {name: AnswerScores(values) for name, values in of.items()}
        for reward, of in _read(path).items()
    }


def keep_comparisons(path: Path, found: Sequence[Comparison]) -> None:
    """Write what judges said."""
    parts = [
        {
            **{name: getattr(one, name) for name in _PLAIN},
            "duels": _DUELS.dump_python(one.duels, mode="json"),
            "wins": _WINS.dump_python(one.wins),
            "controlled": _CONTROLLED.dump_python(one.controlled),
        }
        for one in found
    ]
    _write(path, parts)


def kept_comparisons(path: Path) -> list[Comparison]:
    """What `keep_comparisons` wrote."""
    return [
        Comparison(
            **{name: one[name] for name in _PLAIN},
            duels=_DUELS.validate_python(one["duels"]),
            wins=_WINS.validate_python(one["wins"]),
            controlled=_CONTROLLED.validate_python(one["controlled"]),
        )
        for one in _read(path)
    ]


def _write(path: Path, told: Any) -> None:
    # Scores of answers that were cut are NaN, which Python's JSON has.
    write_text(path, json.dumps(told, ensure_ascii=False) + "\n")


def _read(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))
