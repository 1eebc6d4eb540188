"""Judging a reward model by held-out rows: at the end of its training, or later by other data.

Puts the floors below together: the model scores, `evaluation` measures, `report` words.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from heedful import machine
from heedful.errors import DataError
from heedful.evaluation import reward_pairs, reward_sets
from heedful.evaluation.reward_pairs import ScoredPair
from heedful.evaluation.reward_quality import RewardQuality
from heedful.models.rewards import load_reward, prompt_text
from heedful.models.roles import Role
from heedful.models.scoring import score
from heedful.quarantine import Kept
from heedful.recipe import RewardRecipe
from heedful.records import Messages, Preference, Ranking, Rating
from heedful.render.rows import Rows, render
from heedful.report import Curve, Mistake, ReportData, reward_report, write
from heedful.report.curves import training_curves
from heedful.training import job, processes, reward
from heedful.training.card import write_card
from heedful.training.loop import Outcome
from heedful.training.run_folder import RunFolder
from heedful.training.tracking import Reporter, Task, read_metrics

_NOTES = (
    "These numbers are of responses like these. Of answers that a policy has learned to please the model "
    "with, it can be right far less often.",
    "Lengths are those of whole responses, before any was cut to fit, in tokens, the end of turn included.",
)


def train(
    recipe: RewardRecipe,
    given: job.Given = job.NOTHING,
    *,
    resume: bool = False,
    reporter: Reporter | None = None,
) -> tuple[Outcome, ReportData | None]:
    """Train a reward model and judge it by its held-out rows, where there are any.

    Writes `report.html` into the run folder, and the main numbers into `run.json` and `model_card.md`.

    Raises:
        HeedfulError: whatever a user can mend; see `heedful.errors`.
    """
    prepared = reward.prepare(recipe, given, reporter=reporter)
    outcome = reward.fit(prepared, resume=resume)
    if not prepared.held_out:
        return outcome, None
    found = processes.on_main(lambda: _judge_run(prepared, outcome))
    if found is None or found.reward is None:
        return outcome, None
    return replace(outcome, evaluation=outcome.evaluation | main_numbers(found.reward.quality)), found


def judge(
    name: str,
    records: Sequence[Preference | Ranking | Rating],
    reporter: Reporter,
    *,
    max_length: int | None = None,
) -> ReportData:
    """Judge a reward run, or its adapter folder, by preferences, rankings and ratings.

    Args:
        max_length: of a prompt with one response, in tokens; that of the run when absent.

    Raises:
        RewardError: `name` is no finished reward model with an adapter.
        DataError: no two responses to compare.
    """
    model = load_reward(name, max_length=max_length)
    return _findings(
        model.backbone.role("reward"),
        render(records, model.renderer, model.limits),
        reporter,
        facts={"Reward model": name, **_facts(_record(Path(name).expanduser()))},
        left_out=records.counts.quarantined if isinstance(records, Kept) else {},
    )


def main_numbers(quality: RewardQuality) -> dict[str, float]:
    """What a run folder and its card say of a reward model, by name; numbers that are unknown left out."""
    found = {
        "pairs": quality.n,
        "accuracy": quality.accuracy.value,
        "accuracy/low": quality.accuracy.low,
        "accuracy/high": quality.accuracy.high,
        "rulers/longer wins": quality.longer_wins.value,
        "rulers/shorter wins": quality.shorter_wins.value,
        "calibration/ece": quality.calibration.ece,
        "calibration/ece by chance": quality.calibration.ece_by_chance,
        "calibration/brier": quality.calibration.brier,
        "calibration/log loss": quality.calibration.log_loss,
        "calibration/temperature": quality.temperature.value,
    }
    return {name: value for name, value in found.items() if math.isfinite(value)}


def _judge_run(prepared: job.Job, outcome: Outcome) -> ReportData | None:
    """Judge a run that has just ended and write the findings into its folder; trained it is in any case."""
    run, settings = RunFolder(outcome.run), prepared.recipe.training
    role = prepared.backbone.role("reward")
    role.force_padded = settings.padded
    try:
        data = _findings(
            role,
            prepared.held_out,
            prepared.reporter,
            tokens_per_row=settings.tokens_per_row,
            facts={"Reward model": str(run.path), **_facts(run.info())},
            curves=training_curves("reward", read_metrics(run.metrics)),
        )
    except DataError as error:
        prepared.reporter.warn(f"The reward model is trained and not judged: {error}")
        return None
    assert data.reward is not None
    run.update(evaluation=outcome.evaluation | main_numbers(data.reward.quality))
    write_card(run)
    write(data, run.report)
    return data


def _findings(
    role: Role,
    rows: Rows,
    reporter: Reporter,
    *,
    facts: Mapping[str, str],
    tokens_per_row: int | None = None,
    curves: Sequence[Curve] = (),
    left_out: Mapping[str, int] | None = None,
) -> ReportData:
    with reporter.task("Scoring held-out rows", len(rows)) as task:
        scores = _scores(role, rows, tokens_per_row, task)
    pairs, alone = reward_pairs.scored_pairs(rows, scores)
    if not pairs:
        mend = "Take preferences, rankings, or several ratings of one prompt."
        raise DataError(f"no two responses can be compared ({rows.counts}).", mend=mend)
    quality = reward_pairs.quality(pairs)
    sections = reward_sets.reward_set(reward_sets.items(rows, scores))
    quarantine = Counter(left_out or {}) + Counter(rows.counts.quarantined)
    if alone:
        quarantine["nothing_to_compare"] = len(alone)
    return reward_report(
        quality,
        {
            **facts,
            "Judged by": f"{quality.n} pairs of {quality.groups} prompts",
            "Machine": machine.describe(),
        },
        curves=curves,
        mistakes=[_mistake(pairs[at]) for at in quality.mistakes],
        sections=sections,
        notes=[*_NOTES, *([f"Cut to fit: {rows.cuts()}."] if rows.cuts() else [])],
        quarantine=quarantine,
    )


def _scores(role: Role, rows: Rows, tokens_per_row: int | None, task: Task) -> list[list[float]]:
    """Of every response of every row; rows of one kind are scored together."""
    found: list[list[float]] = [[] for _ in rows]
    done = 0

    def tell(behind: int) -> None:
        task.update(done + behind)

    for size in sorted({len(row.responses) for row in rows}):
        members = [at for at, row in enumerate(rows) if len(row.responses) == size]
        own_rows = [rows[at] for at in members]
        scores = score(role, own_rows, tokens_per_row=tokens_per_row, on_done=tell)
        for at, own in zip(members, scores.tolist(), strict=True):
            found[at] = own
        done += len(members)
    return found


def _mistake(pair: ScoredPair) -> Mistake:
    better, worse = pair.chosen, pair.rejected
    if pair.probability is not None and pair.probability < 0.5:
        better, worse = worse, better
    return Mistake(
        prompt_text(pair.prompt), _text(better.response), _text(worse.response), better.score, worse.score
    )


def _text(response: Messages) -> str:
    return "\n".join(message.content for message in response)


def _record(folder: Path) -> dict[str, Any]:
    """What the run says of itself whose folder, or adapter, this is; empty where an adapter came alone."""
    run = next((place for place in (folder, folder.parent) if (place / "run.json").is_file()), None)
    return {} if run is None else RunFolder(run).info()


def _facts(info: Mapping[str, Any]) -> dict[str, str]:
    """What a finished run's record says that a reader wants to know of its reward model."""
    if info.get("status") != "finished":
        return {}
    return {
        "Base model": ", then ".join([info["model"]["base"], *info["model"]["lineage"]]),
        "Trained on": f"{info['counts']['train']['kept']} rows in {info['steps']} steps",
    }
