"""From a recipe to a run: read the data, split it, load the model, render, train, write what comes out.

What all stages have in common stands here; what makes one of them stands in its own file.
"""

from __future__ import annotations

import hashlib
import shlex
import shutil
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from heedful.errors import DataError, HeedfulError, RecipeError, RunError, TrainingStopped
from heedful.models.backbone import Backbone
from heedful.models.export import require_classifier, save_adapter, save_merged
from heedful.models.loading import load
from heedful.prepare.split import split
from heedful.quarantine import Kept, Quarantined, write_quarantine
from heedful.recipe import Recipe
from heedful.records import Record
from heedful.render.chat import Renderer
from heedful.render.rows import Row, Rows, render
from heedful.render.truncate import Limits
from heedful.training import checkpoint, processes, run_folder
from heedful.training.card import write_card
from heedful.training.loop import Loop, Outcome
from heedful.training.reading import Sift, gather
from heedful.training.reference import rows_fingerprint
from heedful.training.run_folder import RunFolder
from heedful.training.stage import Task
from heedful.training.tracking import Reporter, require


@dataclass(frozen=True, slots=True)
class Given:
    """What a caller has in hand already, in place of what the recipe would load.

    Attributes:
        command: what resumes the run, in place of its stage's own command; empty where only Python can.
    """

    train: Sequence[Record] | None = None
    held_out: Sequence[Record] | None = None
    backbone: Backbone | None = None
    command: str | None = None

    @property
    def has_records(self) -> bool:
        """Whether records are given, which no command line could give again."""
        return self.train is not None or self.held_out is not None


NOTHING = Given()
# What a stage learns of a record beside which response is better.
_LABELS = {"dpo": ("probability",), "reward": ("margin", "probability", "ranks", "score")}


@dataclass
class Job:
    """A recipe with all it names loaded, ready to train.

    Attributes:
        read: what reading kept and left out, by file, and what the stage left out of that.
        train: rendered rows to learn from; `held_out` those to judge by.
        command: what resumes the run; empty where only Python can.
    """

    recipe: Recipe
    backbone: Backbone
    renderer: Renderer
    train: Rows
    held_out: Rows
    reporter: Reporter
    command: str
    read: dict[str, Kept[Any]] = field(default_factory=dict)

    def left_out(self) -> list[Quarantined]:
        """Every row that does not take part, wherever it was left out."""
        steps: list[Kept[Any]] = [*self.read.values(), self.train, self.held_out]
        return [row for step in steps for row in step.quarantined]

    def counts(self) -> dict[str, Any]:
        """Rows at every step, by reason; each line adds up."""
        return {
            "read": {name: _counts(kept) for name, kept in self.read.items()},
            "train": _counts(self.train),
            "held_out": _counts(self.held_out),
        }


def prepare(
    recipe: Recipe,
    kinds: tuple[type[Record], ...],
    given: Given,
    reporter: Reporter,
    *,
    rendering: Callable[[Sequence[Any], Renderer, Limits], Rows] = render,
    sift: Sift | None = None,
    to_come: int = 0,
) -> Job:
    """Read, split, load and render; says what it did.

    Args:
        kinds: of record that the stage learns from.
        rendering: makes rows of records.
        sift: takes of the records what the stage can learn from together; without it all.
        to_come: tokens that the model will add to each row, beside those in the data.

    Raises:
        DataError: a file that cannot be read, or holds a record of another kind than the stage's.
        ModelError: the model cannot be loaded, or could not be written as the recipe asks.
        RecipeError: a tracker is not installed, or rows are allowed to be longer than the model's context.
    """
    data, training = recipe.data, recipe.training
    require(training.trackers)
    if not processes.is_main():
        reporter = Reporter(quiet=True)
    read, learned, held_out = gather(data, kinds, given.train, given.held_out, sift)
    for name, kept in read.items():
        reporter.say(f"{name}: {kept.counts}")
    if not held_out and data.eval_fraction > 0:
        shares = {"train": 1 - data.eval_fraction, "held out": data.eval_fraction}
        learned, held_out = split(learned, shares, seed=training.seed, near=None, by_source=False).values()

    backbone = given.backbone
    if backbone is None:
        model = recipe.model
        backbone = load(
            model.name,
            adapter=model.adapter,
            dtype=model.dtype,
            device=model.device,
            full=training.method == "full",
        )
    if recipe.stage == "reward" and _leaves_merged(recipe):
        require_classifier(backbone)
    renderer = Renderer(backbone.tokenizer, data.template)
    limits = Limits(data.max_length, data.max_prompt_length, data.truncation)
    train, judge = rendering(learned, renderer, limits), rendering(held_out, renderer, limits)
    _require_fit(backbone, [*train, *judge], data.max_length, to_come)
    command = given.command
    if command is None:
        command = "" if given.has_records else resuming(recipe.stage, Path(recipe.output))
    job = Job(recipe, backbone, renderer, train, judge, reporter, command, read)
    for title, rows in (("Training rows", job.train), ("Held-out rows", job.held_out)):
        if rows.counts.read:
            cuts = f"; {rows.cuts()}" if rows.cuts() else ""
            reporter.say(f"{title}: {rows.counts}, {rows.tokens} tokens{cuts}")
    if data.quarantine is not None:
        left_out, file = job.left_out(), data.quarantine
        processes.on_main(lambda: write_quarantine(left_out, file))
        reporter.say(f"{len(left_out)} left-out rows written to {file}")
    if not job.train:
        what = f"no row is left to train on ({job.train.counts})."
        mend = "Look at them with data.quarantine=FILE, or raise data.max_length."
        raise DataError(what, where=", ".join(read) or None, mend=mend)
    return job


def resuming(stage: str, folder: Path) -> str:
    """The command that resumes what was run into `folder`."""
    return f"heedful {stage} {shlex.quote(str(folder / 'recipe.yaml'))} --resume"


def train(
    job: Job,
    stages: Callable[[], tuple[Task, Task | None]],
    *,
    resume: bool,
    finish: Callable[[], None] = lambda: None,
    roles: Callable[[], None] | None = None,
    loop: Callable[..., Loop] = Loop,
) -> Outcome:
    """Run the loop and write what comes out; of a run that the guard stops, what was learned before.

    Args:
        stages: makes the training and the held-out stage, once the run folder is open; scoring a reference
            belongs here, before the policy's adapter is put on.
        finish: called in every process between training and writing.
        roles: gives the backbone's roles what they train; by default that is one role, the stage's.
        loop: makes the loop, with the arguments of `Loop`.
    """
    recipe, backbone = job.recipe, job.backbone
    run = processes.on_main(lambda: run_folder.open_run(recipe, resume=resume))
    started = time.monotonic()
    try:
        backbone.drop_adapter()
        processes.on_main(lambda: _describe(job, run, resume=resume))
        stage, held_out = stages()
        if roles is None:
            make_trainable(backbone, recipe, stage.role)
        else:
            roles()
        run_of = loop(
            stage, held_out, backbone, recipe.training, recipe.guard, run, job.reporter, command=job.command
        )
        stopped: TrainingStopped | None = None
        try:
            outcome = run_of.fit(resume=resume)
        except TrainingStopped as error:
            outcome = run_of.fall_back()
            stopped = _with_what_is_left(error, outcome, run_of.total)
            if not outcome.steps:
                raise stopped from error
        backbone.model.eval()
        finish()
        seconds = round(time.monotonic() - started, 1)
        processes.on_main(
            lambda: _write_results(job, run, stage.role, outcome, seconds, whole=stopped is None)
        )
        if stopped is not None:
            raise stopped
    except HeedfulError as error:
        if processes.is_main():
            with suppress(OSError):  # a full disk must not hide that it is full
                run.update(status=type(error).__name__.lower(), error=str(error))
        raise
    where = run.adapter if recipe.training.method == "lora" else run.merged
    job.reporter.say(f"Done: {where}")
    return outcome


def _describe(job: Job, run: RunFolder, *, resume: bool) -> None:
    """Write down what the run starts from; a resumed run must start from the same."""
    backbone = job.backbone
    labels = _LABELS.get(job.recipe.stage, ())
    fingerprints = {
        "model.name": backbone.fingerprint(),
        "data.train": _learned(job.train, labels=labels),
        "data.eval": _learned(job.held_out, labels=labels),
    }
    if resume:
        run_folder.check_same(run, fingerprints)
    run.update(
        model={
            "name": backbone.name,
            "base": backbone.base,
            "lineage": backbone.lineage,
            "fingerprint": fingerprints["model.name"],
        },
        template=job.renderer.template,
        compute_dtype=str(backbone.compute_dtype).removeprefix("torch."),
        counts=job.counts(),
        data_fingerprint=fingerprints["data.train"],
        fingerprints=fingerprints,
    )


def _learned(rows: Rows, *, labels: Sequence[str]) -> str:
    """A hash of all that is learned from: every token, what each row weighs, and its record's `labels`."""
    parts = [rows_fingerprint(rows), ",".join(f"{row.weight!r}" for row in rows)]
    told = [_label(row.record, labels) for row in rows]
    if any(told):
        parts.append(";".join(told))
    return hashlib.blake2b(" ".join(parts).encode(), digest_size=16).hexdigest()


def _label(record: Record | None, names: Sequence[str]) -> str:
    """What a record says beside which response is the better one; empty where it says no more than that."""
    said = {name: getattr(record, name, None) for name in names}
    return ",".join(f"{name}={value!r}" for name, value in said.items() if value is not None)


def make_trainable(backbone: Backbone, recipe: Recipe, role: str) -> None:
    """Give the role that is trained what it trains: an adapter or all weights, and its head if it scores."""
    if recipe.training.method == "full":
        # The stage has its reference log-probs already, so no second copy of the weights is needed.
        backbone.train_fully(keep_reference=False)
    else:
        lora = recipe.lora
        backbone.train_lora(
            role,
            rank=lora.rank,
            alpha=lora.alpha,
            dropout=lora.dropout,
            targets=lora.targets,
            seed=recipe.training.seed,
        )
    if role == "reward":
        backbone.add_head(role, seed=recipe.training.seed)
    backbone.model.train()
    backbone.recompute(recipe.training.gradient_checkpointing)


def _with_what_is_left(error: TrainingStopped, outcome: Outcome, total: int) -> TrainingStopped:
    """The same error, which also says what of the run can be used."""
    left = "Nothing was learned: the only good weights are those that training began with."
    if outcome.steps:
        weights = f"the weights of step {outcome.steps} of {total}"
        left = f"The run is not whole, but {outcome.run} can be used: it holds {weights}."
    return TrainingStopped(f"{error.what} {left}", where=error.where, mend=error.mend)


def _write_results(
    job: Job, run: RunFolder, role: str, outcome: Outcome, seconds: float, *, whole: bool
) -> None:
    backbone, training, template = job.backbone, job.recipe.training, job.renderer.template
    if training.method == "lora":
        _write_whole(run.adapter, lambda folder: save_adapter(backbone, folder, role, template=template))
    if _leaves_merged(job.recipe):
        _write_whole(run.merged, lambda folder: save_merged(backbone, folder, role, template=template))
    run.update(seconds=seconds, steps=outcome.steps, skipped=outcome.skipped, evaluation=outcome.evaluation)
    if whole:
        run.update(status="finished", error=None)
        write_card(run)


def _leaves_merged(recipe: Recipe) -> bool:
    """Whether the whole model is written, and not only an adapter."""
    return recipe.training.method == "full" or recipe.export.merged


def _write_whole(final: Path, write: Callable[[Path], None]) -> None:
    """Have `write` fill a folder, which shows under its name when it is whole.

    Raises:
        RunError: it cannot be written.
    """
    part = final.with_name(f".{final.name}.part")
    try:
        shutil.rmtree(part, ignore_errors=True)
        write(part)
        checkpoint.put_in_place(part, final)
    except Exception as error:
        reason = checkpoint.disk_trouble(error)
        if reason is None:
            raise
        mend = "Make room, then resume: only the writing is left to do."
        raise RunError(f"the results cannot be written: {reason}.", where=str(final), mend=mend) from error


def _require_fit(backbone: Backbone, rows: Sequence[Row], max_length: int, to_come: int) -> None:
    """Refuse rows with more positions than the model has: past them it fails, or reads nonsense."""
    reach = backbone.context_length
    longest = to_come + max(
        (len(row.prompt) + max(map(len, row.responses), default=0) for row in rows), default=0
    )
    if reach is not None and longest > reach:
        what = (
            f"{max_length} tokens are allowed and a row has {longest}, but the model reads at most {reach}."
        )
        raise RecipeError(what, where="data.max_length", mend=f"Set data.max_length={reach}.")


def _counts(kept: Kept[Any]) -> dict[str, Any]:
    counts = kept.counts
    return {"read": counts.read, "kept": counts.kept, "quarantined": counts.quarantined}
