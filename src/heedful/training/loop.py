"""The one training loop: accumulation, clipping, schedule, checkpoints, resume, tracking and the guard.

A stage says which rows and what loss (`stage.Stage`); everything else happens here, once, for all of them.
Gradients are weighted by tokens or pairs over the whole optimiser step, so how a batch is cut into packs or
spread over processes does not change it. Accelerate carries devices and processes; `processes` says who
writes.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator
from accelerate.utils import GradientAccumulationPlugin

from heedful.errors import Interrupted, RunError, TrainingStopped
from heedful.models.backbone import Backbone
from heedful.models.scoring import row_budget
from heedful.recipe import GuardSettings, TrainingSettings
from heedful.render.packing import pack
from heedful.training import checkpoint, processes
from heedful.training.averages import Sums, evaluate
from heedful.training.guard import Decision, Guard
from heedful.training.interrupt import Interrupt
from heedful.training.run_folder import RunFolder
from heedful.training.schedule import learning_rate, steps_per_epoch, total_steps
from heedful.training.stage import Stage
from heedful.training.tracking import MetricsLog, Reporter, Task

# What begins so in a checkpoint's tensors belongs to the kind of loop, and not to the model.
OWN = "own:"


@dataclass(frozen=True, slots=True)
class Outcome:
    """A finished run: its folder, its steps, the guard's count, and the last evaluation, if any."""

    run: Path
    steps: int
    skipped: int
    evaluation: dict[str, float] = field(default_factory=dict)


class Loop:
    """One run of one stage.

    Args:
        stage: what is learned.
        held_out: the same objective on rows that are not trained on, or none.
        command: how a person would resume this run; shown when it is interrupted. Empty where only Python
            can.
    """

    def __init__(
        self,
        stage: Stage,
        held_out: Stage | None,
        backbone: Backbone,
        settings: TrainingSettings,
        guard: GuardSettings,
        run: RunFolder,
        reporter: Reporter,
        *,
        command: str = "",
    ) -> None:
        self.stage, self.held_out, self.settings, self.run = stage, held_out, settings, run
        self.backbone, self.reporter, self.command = backbone, reporter, command
        self.total = total_steps(len(stage.rows), settings.batch_size, settings.epochs, settings.max_steps)
        self.guard = Guard(harmless=settings.max_grad_norm, **guard.model_dump())
        self.accelerator = Accelerator(
            # One process computes where its backbone is; several are dealt one device each.
            device_placement=processes.count() > 1,
            # The recipe decides on precision and accumulation, not the launcher's environment.
            mixed_precision="no",
            gradient_accumulation_plugin=GradientAccumulationPlugin(num_steps=1),
            log_with=list(settings.trackers) or None,
            project_dir=str(run.path),
        )
        self.scorer = backbone.role(stage.role)
        self.scorer.force_padded = settings.padded
        self.parameters = backbone.trainable()
        optimizer = torch.optim.AdamW(
            self.parameters.values(),
            lr=settings.learning_rate,
            weight_decay=settings.weight_decay,
            eps=settings.adam_epsilon,
        )
        self.role, self.optimizer = self.accelerator.prepare(self.scorer, optimizer)
        self.step = 0
        self.evaluation: dict[str, float] = {}

    def fit(self, *, resume: bool) -> Outcome:
        """Train to the end.

        Raises:
            Interrupted: Ctrl-C or SIGTERM; a checkpoint is written.
            TrainingStopped: the guard gave up; see `fall_back`.
            RunError: a checkpoint could not be written or read.
        """
        # Each process draws its own dropout.
        torch.manual_seed(self.settings.seed + processes.index())
        self.metrics = MetricsLog(self.run.metrics)
        try:
            if self.settings.trackers:
                self.accelerator.init_trackers("heedful")
            self._begin(resume)
            with Interrupt() as interrupt, self.reporter.task("Training", self.total, self.step) as task:
                while self.step < self.total:
                    moved = self._advance(task)
                    stop = any(processes.gather(interrupt.asked))
                    if moved:
                        self._keep(stop, task)
                    if stop and self.step < self.total:
                        self._interrupted()
        finally:
            self.metrics.close()
            # Not `end_training`: it would part the processes, and there are results to write.
            for tracker in self.accelerator.trackers:
                tracker.finish()
        return self.conclude()

    def fall_back(self) -> Outcome:
        """Go back to the last good checkpoint: what a stopped run came to, in so many `steps`."""
        saved = self._restore(self._newest())
        # The last evaluation before a checkpoint may be of other weights.
        self.evaluation = saved.state["evaluation"] if self._is_due(self.settings.eval_every) else {}
        return self.conclude()

    def conclude(self) -> Outcome:
        """Make the state as it is the run's result."""
        return Outcome(self.run.path, self.step, self.guard.skipped, self.evaluation)

    def _newest(self) -> Path:
        last = checkpoint.newest(self.run.checkpoints)
        assert last is not None  # fit writes one before the first step
        return last

    def _begin(self, resume: bool) -> None:
        """Start from the newest checkpoint, or judge and keep the state before the first step."""
        processes.on_main(lambda: checkpoint.clear_parts(self.run.checkpoints))
        last = checkpoint.newest(self.run.checkpoints) if resume else None
        if last is None:
            processes.on_main(lambda: self.metrics.cut(0))
            self._evaluate()
            self._save()
            return
        saved = self._restore(last)
        state = saved.state
        self.guard.load_state(state["guard"])
        self.evaluation = state["evaluation"]
        self.load_own_state(saved)
        processes.on_main(lambda: self.metrics.cut(state["metrics_at"]))
        self.reporter.say(f"Resuming at step {self.step} of {self.total}.")

    def _keep(self, stop: bool, task: Task) -> None:
        """Judge and save the state after a step of `task`, where it is time for that."""
        done = self.step == self.total
        if done or self._is_due(self.settings.eval_every):
            self._evaluate()
        # In a row of bad steps the weights themselves may be bad: no state to go back to.
        if done or (self.calm() and (stop or self._is_due(self.settings.checkpoint_every))):
            self._save()

    def _advance(self, task: Task) -> bool:
        """One optimiser step, or what the guard makes of it; whether it led on and not back."""
        started = time.perf_counter()
        rate = self.set_rate()
        indices = batch(self.step, len(self.stage.rows), self.settings.batch_size, self.settings.seed)
        loss, metrics, tokens = self.backward(indices)
        norm = float(self.accelerator.clip_grad_norm_(self.parameters.values(), self.settings.max_grad_norm))
        decision = self.guard.judge(loss, norm)
        if decision.action == "go":
            self.optimizer.step()
        self.optimizer.zero_grad()
        if decision.action in ("rollback", "stop"):
            self._give_way(decision, task)
            return False
        self.step += 1
        seconds = time.perf_counter() - started
        if decision.action == "skip":
            self._note("skip", decision.reason, task)
        elif self._is_due(self.settings.log_every) or self.step == self.total:
            numbers = {
                "epoch": self.step / steps_per_epoch(len(self.stage.rows), self.settings.batch_size),
                "loss": loss,
                "learning_rate": rate,
                "grad_norm": norm,
                "rows": len(indices),
                "tokens": tokens,
                "seconds": seconds,
                "tokens_per_second": tokens / seconds,
                **metrics,
            }
            self._log("train", numbers)
        task.update(self.step, f"loss {loss:.4f}")
        return True

    def set_rate(self) -> float:
        """Give the optimiser this step's learning rate."""
        rate = self.guard.lr_scale * learning_rate(
            self.step,
            self.total,
            peak=self.settings.learning_rate,
            schedule=self.settings.schedule,
            warmup_ratio=self.settings.warmup_ratio,
            min_lr_ratio=self.settings.min_lr_ratio,
        )
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        return rate

    def backward(self, indices: Sequence[int]) -> tuple[float, dict[str, float], int]:
        """Gradients of one optimiser step over the rows `indices`: `(loss, metrics, tokens)`.

        Every process takes its share of the rows; the loss is divided by the whole step's weight everywhere.
        """
        # A step whose rows all weigh nothing teaches nothing, and must not divide by nothing.
        weight = sum(self.stage.weight(index) for index in indices) or 1.0
        # DDP averages the processes' gradients, and ours are parts of a sum.
        scale = processes.count() / weight
        own = processes.share(indices)
        if not own:
            # The others wait for this process's gradients: it gives them nothing, but it gives.
            own, scale = indices[:1], 0.0
        budget = row_budget(self.settings.tokens_per_row, self.backbone.device)
        packs = pack([self.stage.rows[index] for index in own], budget)
        sums = Sums()
        for number, packed in enumerate(packs, 1):
            packed = packed.to(self.backbone.device)
            members = [own[i] for i in packed.rows]
            with nullcontext() if number == len(packs) else self.accelerator.no_sync(self.role):
                loss, metrics = self.stage.loss(self.role(packed), packed, members)
                self.accelerator.backward(loss * scale)
            if scale:
                sums.add(loss, metrics, packed.tokens)
        return sums.average(weight)

    def _evaluate(self) -> None:
        """Loss and metrics on the held-out rows, written to the log; nothing without any."""
        if self.held_out is not None:
            self.evaluation = evaluate(
                self.held_out, self.scorer, self.settings, self.reporter, self.backbone.device
            )
            self._log("eval", self.evaluation)

    def _log(self, kind: str, numbers: Mapping[str, Any]) -> None:
        if processes.is_main():
            self.metrics.write(kind, self.step, numbers)
        if self.settings.trackers and kind != "guard":
            self.accelerator.log({f"{kind}/{name}": value for name, value in numbers.items()}, step=self.step)

    def _is_due(self, every: int | None) -> bool:
        return every is not None and self.step % every == 0

    def _save(self) -> None:
        randomness = processes.gather(checkpoint.random_states())

        def write() -> None:
            state = {
                "total": self.total,
                "guard": self.guard.state(),
                "evaluation": self.evaluation,
                "metrics_at": self.metrics.position(),
                **self.own_state(),
            }
            weights = self.parameters | self.own_tensors()
            saved = checkpoint.Saved(weights, self.optimizer.state_dict(), randomness, state)
            checkpoint.save(self.run.checkpoints, self.step, saved, keep=self.settings.keep_checkpoints)

        processes.on_main(write)

    def conceded(self) -> str:
        """What going back has changed so far, in words."""
        return f"learning rate × {self.guard.lr_scale:g}"

    def calm(self) -> bool:
        """Whether the last step was good."""
        return self.guard.calm

    def own_tensors(self) -> dict[str, torch.Tensor]:
        """What a checkpoint of this kind of loop keeps beside the weights; names begin with `OWN`."""
        return {}

    def own_state(self) -> dict[str, Any]:
        """What a checkpoint of this kind of loop holds beside what all of them do."""
        return {}

    def load_own_state(self, saved: checkpoint.Saved) -> None:
        """Put both back; called when a run is resumed, not when it goes back to a good state."""

    def _restore(self, folder: Path) -> checkpoint.Saved:
        """Weights, optimiser, randomness and step as they were; returns all that the checkpoint holds."""
        saved = checkpoint.load(folder)
        if saved.state["total"] != self.total:
            what = f"this run had {saved.state['total']} steps and now would have {self.total}."
            raise RunError(
                what, where=str(self.run.path), mend="Give it the data it was started with, or start anew."
            )
        self.backbone.load_trainable(
            {name: weight for name, weight in saved.weights.items() if not name.startswith(OWN)}
        )
        self.optimizer.load_state_dict(saved.optimizer)
        # A run may go on with more processes than it had; those draw anew.
        if processes.index() < len(saved.randomness):
            checkpoint.set_random_states(saved.randomness[processes.index()])
        self.step = int(saved.state["step"])
        return saved

    def _give_way(self, decision: Decision, task: Task) -> None:
        """Go back to the last good checkpoint, or stop."""
        if decision.action == "stop":
            self._note("stop", decision.reason, task)
            raise TrainingStopped(
                f"training stopped at step {self.step + 1}: {decision.reason}.",
                where=str(self.run.path),
                mend=decision.advice,
            )
        self._restore(self._newest())
        reason = f"{decision.reason}: back to step {self.step}, {self.conceded()}"
        self._note("rollback", reason, task)

    def _note(self, event: str, reason: str, task: Task) -> None:
        self._log("guard", {"event": event, "reason": reason})
        task.say(f"Guard: {event} at step {self.step}: {reason}")

    def _interrupted(self) -> None:
        what, kept = "the checkpoint is written", checkpoint.step_of(self._newest())
        if kept != self.step:  # `_keep` writes none after a bad step
            what = f"the newest checkpoint is that of step {kept}"
        raise Interrupted(
            f"interrupted at step {self.step} of {self.total}; {what}.",
            where=str(self.run.path),
            mend=self.how_to_resume(),
        )

    def how_to_resume(self) -> str:
        """What a person is told to do when a run ends before its time."""
        return f"Resume with: {self.command}" if self.command else "Run it again with resume=True."


def visited(rows: int, settings: TrainingSettings) -> list[int]:
    """The rows that a run over `rows` of them comes to, in their own order: all, unless it ends before."""
    steps = total_steps(rows, settings.batch_size, settings.epochs, settings.max_steps)
    if steps >= steps_per_epoch(rows, settings.batch_size):
        return list(range(rows))
    return sorted({i for step in range(steps) for i in batch(step, rows, settings.batch_size, settings.seed)})


def batch(step: int, rows: int, batch_size: int, seed: int) -> list[int]:
    """The rows of optimiser step `step`: a fresh order each epoch, a function of seed and step alone."""
    epoch, within = divmod(step, steps_per_epoch(rows, batch_size))
    return epoch_order(epoch, rows, seed)[within * batch_size : (within + 1) * batch_size]


def epoch_order(epoch: int, rows: int, seed: int) -> list[int]:
    generator = torch.Generator().manual_seed(seed * 1_000_003 + epoch)
    order: list[int] = torch.randperm(rows, generator=generator).tolist()
    return order
