"""The one training loop: accumulation, precision, clipping, schedule, checkpoints, resume, tracking and the guard.

A stage says which rows and what loss (`stage.Stage`); everything else happens here, once, for all of them. Gradients are
weighted by tokens or pairs over the whole optimiser step, so how a batch is cut into packs or spread over processes does not
change it. Accelerate carries devices and processes.
"""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any

import torch
from accelerate import Accelerator
from torch import Tensor

from heedful.errors import Interrupted, RunError, TrainingStopped
from heedful.models.backbone import Backbone, Role
from heedful.recipe import GuardSettings, TrainingSettings
from heedful.render.packing import pack
from heedful.render.rows import Rows
from heedful.training import checkpoint
from heedful.training.guard import Decision, Guard
from heedful.training.run_folder import RunFolder
from heedful.training.schedule import learning_rate, steps_per_epoch, total_steps
from heedful.training.stage import Stage
from heedful.training.tracking import MetricsLog, Reporter, Task


@dataclass(frozen=True, slots=True)
class Outcome:
    """A finished run: its folder, its steps, the guard's count, and the last evaluation (empty without one)."""

    run: Path
    steps: int
    skipped: int
    evaluation: dict[str, float] = field(default_factory=dict)


class Sums:
    """Sums and counts of metrics over packs, until they are averaged."""

    def __init__(self) -> None:
        self._sums: dict[str, float] = {}
        self._counts: dict[str, int] = {}

    def add(self, metrics: dict[str, Tensor]) -> None:
        for name, values in metrics.items():
            self._sums[name] = self._sums.get(name, 0.0) + float(values.double().sum())
            self._counts[name] = self._counts.get(name, 0) + values.numel()

    def means(self) -> dict[str, float]:
        return {name: self._sums[name] / max(self._counts[name], 1) for name in self._sums}


class Loop:
    """One run of one stage.

    Args:
        stage: what is learned.
        held_out: the same objective on rows that are not trained on, or none.
        command: how a person would resume this run; shown when it is interrupted.
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
        self.guard = Guard(**guard.model_dump())
        self.accelerator = Accelerator(
            cpu=backbone.device.type == "cpu", log_with=list(settings.trackers) or None, project_dir=str(run.path)
        )
        role: Role = backbone.role("policy")
        role.force_padded = settings.padded
        self.parameters = backbone.trainable()
        optimizer = torch.optim.AdamW(
            self.parameters.values(), lr=settings.learning_rate, weight_decay=settings.weight_decay
        )
        self.role, self.optimizer = self.accelerator.prepare(role, optimizer)
        self.step = 0
        self._stop_asked = False

    def fit(self, *, resume: bool) -> Outcome:
        """Train to the end.

        Raises:
            Interrupted: Ctrl-C or SIGTERM; the checkpoint is written.
            TrainingStopped: the guard gave up.
            RunError: a checkpoint could not be written or read.
        """
        torch.manual_seed(self.settings.seed)
        checkpoint.clear_parts(self.run.checkpoints)
        self.metrics = MetricsLog(self.run.metrics)
        if self.settings.trackers:
            self.accelerator.init_trackers("heedful")
        last = checkpoint.newest(self.run.checkpoints) if resume else None
        evaluation: dict[str, float] = {}
        if last is not None:
            self._restore(last, with_guard=True)
            self.reporter.say(f"Resuming at step {self.step} of {self.total}.")
        else:
            self.metrics.cut(0)
            evaluation = self._evaluate()
            self._save()
        with _on_interrupt(self._ask_to_stop), self.reporter.task("Training", self.total, self.step) as task:
            while self.step < self.total:
                self._advance(task)
                if self._is_due(self.settings.eval_every) or self.step == self.total:
                    evaluation = self._evaluate()
                if self._is_due(self.settings.checkpoint_every) or self.step == self.total or self._stop_asked:
                    self._save()
                if self._stop_asked and self.step < self.total:
                    self._interrupted()
        self.metrics.close()
        if self.settings.trackers:
            self.accelerator.end_training()
        return Outcome(self.run.path, self.step, self.guard.skipped, evaluation)

    def _advance(self, task: Task) -> None:
        """One optimiser step, or what the guard makes of it."""
        started = time.perf_counter()
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
        indices = batch(self.step, len(self.stage.rows), self.settings.batch_size, self.settings.seed)
        loss, metrics, tokens = self.backward(indices)
        norm = float(self.accelerator.clip_grad_norm_(self.parameters.values(), self.settings.max_grad_norm))
        decision = self.guard.judge(loss, norm)
        if decision.action == "go":
            self.optimizer.step()
        self.optimizer.zero_grad()
        if decision.action in ("rollback", "stop"):
            self._give_way(decision, task)
            return
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
            self.metrics.write("train", self.step, numbers)
            if self.settings.trackers:
                self.accelerator.log({f"train/{name}": value for name, value in numbers.items()}, step=self.step)
        task.update(self.step, f"loss {loss:.4f}")

    def backward(self, indices: Sequence[int]) -> tuple[float, dict[str, float], int]:
        """Gradients of one optimiser step over the rows `indices`: `(loss, metrics, tokens)`.

        Every process takes its share of the rows; the loss is divided by the whole step's weight everywhere.
        """
        processes = self.accelerator.num_processes
        # A step whose rows all weigh nothing teaches nothing, and must not divide by nothing.
        weight = sum(self.stage.weight(index) for index in indices) or 1.0
        own = indices[self.accelerator.process_index :: processes]
        packs = pack([self.stage.rows[index] for index in own], self.settings.tokens_per_row)
        loss_sum, sums, tokens = 0.0, Sums(), 0
        for number, packed in enumerate(packs, 1):
            members = [own[i] for i in packed.rows]
            last = number == len(packs)
            with nullcontext() if last else self.accelerator.no_sync(self.role):
                packed = packed.to(self.accelerator.device)
                loss, metrics = self.stage.loss(self.role(packed), packed, members)
                # Processes' gradients are averaged by DDP, and ours are parts of a sum.
                self.accelerator.backward(loss * (processes / weight))
            loss_sum += float(loss.detach())
            sums.add(metrics)
            tokens += packed.tokens
        total = self.accelerator.reduce(torch.tensor([loss_sum], dtype=torch.float64), "sum")
        return float(total) / weight, sums.means(), tokens

    def _evaluate(self) -> dict[str, float]:
        """Loss and metrics on the held-out rows, written to the log; empty without any."""
        if self.held_out is None:
            return {}
        found = evaluate(self.held_out, self.role, self.settings, self.reporter, self.backbone.device)
        self.metrics.write("eval", self.step, found)
        if self.settings.trackers:
            self.accelerator.log({f"eval/{name}": value for name, value in found.items()}, step=self.step)
        return found

    def _is_due(self, every: int | None) -> bool:
        return every is not None and self.step % every == 0

    def _save(self) -> None:
        if not self.accelerator.is_main_process:
            return
        state = {"guard": self.guard.state(), "metrics_at": self.metrics.position(), "total": self.total}
        checkpoint.save(
            self.run.checkpoints,
            self.step,
            dict(self.parameters.items()),
            self.optimizer.state_dict(),
            state,
            keep=self.settings.keep_checkpoints,
        )

    def _restore(self, folder: Path, *, with_guard: bool) -> None:
        weights, optimizer, state = checkpoint.load(folder)
        if state["total"] != self.total:
            what = f"this run had {state['total']} steps and now would have {self.total}: the data has changed."
            raise RunError(what, where=str(self.run.path), mend="Give it the data it was started with, or start anew.")
        self.backbone.load_trainable(weights)
        self.optimizer.load_state_dict(optimizer)
        self.step = state["step"]
        if with_guard:
            self.guard.load_state(state["guard"])
            self.metrics.cut(state["metrics_at"])

    def _give_way(self, decision: Decision, task: Task) -> None:
        """Go back to the last good checkpoint, or stop."""
        if decision.action == "stop":
            self._note("stop", decision.reason, task)
            last = checkpoint.newest(self.run.checkpoints)
            raise TrainingStopped(
                f"training stopped at step {self.step + 1}: {decision.reason}.",
                where=str(self.run.path),
                mend=f"The last good state is {last}. Try a lower training.learning_rate, or look at the data there.",
            )
        last = checkpoint.newest(self.run.checkpoints)
        assert last is not None  # fit writes one before the first step
        self._restore(last, with_guard=False)
        reason = f"{decision.reason}: back to step {self.step}, learning rate × {self.guard.lr_scale:g}"
        self._note("rollback", reason, task)

    def _note(self, event: str, reason: str, task: Task) -> None:
        self.metrics.write("guard", self.step, {"event": event, "reason": reason})
        task.say(f"Guard: {event} at step {self.step}: {reason}")

    def _ask_to_stop(self) -> None:
        self._stop_asked = True

    def _interrupted(self) -> None:
        self.metrics.close()
        self.run.update(status="interrupted")
        raise Interrupted(
            f"interrupted at step {self.step} of {self.total}; the checkpoint is written.",
            where=str(self.run.path),
            mend=f"Resume with: {self.command}" if self.command else "Run it again with resume.",
        )


def batch(step: int, rows: int, batch_size: int, seed: int) -> list[int]:
    """The rows of optimiser step `step`: a fresh order each epoch, a function of seed and step alone."""
    epoch, within = divmod(step, steps_per_epoch(rows, batch_size))
    generator = torch.Generator().manual_seed(seed * 1_000_003 + epoch)
    order: list[int] = torch.randperm(rows, generator=generator).tolist()
    return order[within * batch_size : (within + 1) * batch_size]


def evaluate(
    stage: Stage, role: torch.nn.Module, settings: TrainingSettings, reporter: Reporter, device: torch.device
) -> dict[str, float]:
    """The stage's mean loss and metrics over all its rows, without gradients."""
    rows: Rows = stage.rows
    weight = sum(stage.weight(index) for index in range(len(rows))) or 1.0
    loss_sum, sums, done = 0.0, Sums(), 0
    packs = pack(rows, settings.tokens_per_row)
    with torch.no_grad(), reporter.task("Evaluating", len(rows)) as task:
        for packed in packs:
            packed = packed.to(device)
            loss, metrics = stage.loss(role(packed), packed, packed.rows)
            loss_sum += float(loss)
            sums.add(metrics)
            done += len(packed.rows)
            task.update(done)
    return {"loss": loss_sum / weight, "rows": len(rows), **sums.means()}


@contextmanager
def _on_interrupt(ask: Any) -> Iterator[None]:
    """The first Ctrl-C (or SIGTERM) asks, so that the step and its checkpoint are finished; the second one insists."""

    def handle(number: int, frame: FrameType | None) -> None:
        ask()
        for name, handler in before.items():
            signal.signal(name, handler)

    before: dict[signal.Signals, Any] = {}
    try:
        for name in (signal.SIGINT, signal.SIGTERM):
            before[name] = signal.signal(name, handle)
    except ValueError:  # not in the main thread: signals are somebody else's
        before.clear()
    try:
        yield
    finally:
        for name, handler in before.items():
            signal.signal(name, handler)
