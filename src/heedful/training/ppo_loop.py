"""PPO's iteration as a step of the one loop: sample, score, judge, then a few clipped updates.

Everything an iteration does is a function of the weights, β and the step's number, so a run that is killed
anywhere starts its last iteration again and ends with the same weights. A critic with an adapter of its own
takes its passes after the policy's: the activations of only one of them are in memory at a time.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from torch import Tensor

from heedful.errors import NotFinite, RewardError
from heedful.models.rewards import Reward
from heedful.models.roles import ActorCritic
from heedful.objectives.kl import adapted, k1
from heedful.objectives.ppo import advantages, token_rewards, whiten
from heedful.recipe import PPORecipe
from heedful.render.chat import Renderer
from heedful.render.rows import Rows
from heedful.training import checkpoint, ppo_watch
from heedful.training.guard import Decision
from heedful.training.loop import Loop, Outcome, epoch_order
from heedful.training.ppo_best import BestPolicy
from heedful.training.ppo_numbers import described, shown, table
from heedful.training.ppo_scores import Shaping
from heedful.training.ppo_updates import Undone, Updates
from heedful.training.rollout import Rollout, collect
from heedful.training.tracking import Task


class Prompts:
    """What PPO learns from: prompts, answered anew in every iteration."""

    role = "policy"

    def __init__(self, rows: Rows) -> None:
        self.rows = rows


class PPOLoop(Loop):
    """The loop of a PPO run; see `Loop`.

    Attributes:
        beta: the KL coefficient as it is now.
        shaping: what is made of the scores.
    """

    def __init__(
        self, recipe: PPORecipe, renderer: Renderer, reward: Reward, *common: Any, **options: Any
    ) -> None:
        super().__init__(*common, **options)
        self.recipe, self.renderer, self.reward = recipe, renderer, reward
        self.beta = recipe.objective.beta
        self.watch = ppo_watch.Watch(recipe.watch)
        self.shaping = Shaping(recipe.objective)
        self.best = BestPolicy(recipe.watch.best_kl)
        # Whether the held-out prompts of this step are still to be scored.
        self.owes_evaluation = False
        self.learner = ActorCritic(
            self.backbone, trunk=recipe.objective.critic == "trunk", temperature=recipe.rollout.temperature
        )
        self.learner.force_padded(self.settings.padded)
        self.updates = Updates(
            recipe, self.learner, self.parameters, self.optimizer, self.guard, where=str(self.run.path)
        )

    def _begin(self, resume: bool) -> None:
        """As `Loop._begin`; held-out prompts that a failing reward left without scores are scored now."""
        super()._begin(resume)
        if self.owes_evaluation:
            self._evaluate()

    def _advance(self, task: Task) -> bool:
        """One iteration, or what the guards make of it; whether it led on and not back."""
        started = time.perf_counter()
        rate = self.set_rate()
        members = asked(self.step, len(self.stage.rows), self.settings.batch_size, self.settings.seed)
        try:
            with self._losing_nothing():
                rollout = self._collect(members)
            numbers = self._learn_from(rollout)
        except NotFinite as error:
            return self._undo_not_finite(error, task)
        except Undone as undone:
            return self._mend(undone.decision, task)
        trouble = self.watch.judge(numbers)
        if trouble is not None:
            return self._mend(self.guard.give_way(trouble.reason, trouble.advice), task)
        self.step += 1
        numbers |= {
            "epoch": self.step * self.settings.batch_size / len(self.stage.rows),
            "learning_rate": rate,
            "beta": self.beta,
            "seconds": time.perf_counter() - started,
        }
        self._adapt(numbers["kl"], len(rollout.scores))
        self._tell(numbers, shown(rollout), task)
        task.update(
            self.step,
            f"reward {numbers['reward']:.3f}  KL {numbers['kl']:.2f}  length {numbers['length']:.0f}",
        )
        return True

    def _tell(self, numbers: dict[str, float], answers: dict[str, Any], task: Task) -> None:
        """Log an iteration, and say of it what a person should know."""
        if self._is_due(self.settings.log_every) or self.step == self.total:
            self._log("train", numbers)
            self.metrics.write("sample", self.step, answers)
        for reason in self.updates.skips:
            self._note("skip", reason, task)
        remark = self.watch.remark(numbers)
        if remark:
            self._note("warning", remark, task)
        if self._is_due(self.settings.eval_every or self.settings.checkpoint_every):
            task.say(table(self.step, answers))

    def _collect(self, members: Sequence[int]) -> Rollout:
        return collect(
            self.backbone,
            self.renderer,
            [self.stage.rows[index] for index in members],
            self.reward,
            self.recipe.rollout,
            seed=self.settings.seed * 1_000_003 + self.step,
            tokens_per_row=self.settings.tokens_per_row,
            padded=self.settings.padded,
            learner=self.learner,
        )

    @contextmanager
    def _losing_nothing(self) -> Iterator[None]:
        """A reward that fails stops the run at a checkpoint of the state before it was asked.

        Before the first iteration there is nothing to lose, and a run without a checkpoint may be started
        again by another recipe. After a bad iteration the weights may be bad, and the checkpoint before it
        stays the newest, as it does when the run is interrupted.
        """
        before = checkpoint.random_states()
        try:
            yield
        except RewardError as error:
            if self.step == 0 or not self.calm():
                raise
            checkpoint.set_random_states(before)
            self._save()
            what = f"{error.what}\n  The state after iteration {self.step} of {self.total} is saved."
            raise RewardError(what, where=error.where, mend=self.how_to_resume()) from error

    def _learn_from(self, rollout: Rollout) -> dict[str, float]:
        """The iteration's updates; its metrics."""
        objective = self.recipe.objective
        shaped, told = self.shaping(rollout.scores, rollout.ended)
        penalties = k1(rollout.logps, rollout.reference)
        rewards = token_rewards(shaped, penalties, rollout.lengths, beta=self.beta)
        if objective.whiten_rewards:
            rewards = whiten(rewards, keep_mean=True)
        gains, returns = advantages(
            rewards, rollout.values, rollout.lengths, discount=objective.discount, decay=objective.decay
        )
        numbers = described(rollout, gains, returns) | told
        clock = time.perf_counter()
        numbers |= self.updates(rollout, whiten(gains), returns, step=self.step)
        seconds = {**rollout.seconds, "update": time.perf_counter() - clock}
        tokens = int(rollout.lengths.sum())
        numbers |= {f"seconds/{phase}": value for phase, value in seconds.items()}
        numbers |= {f"tokens_per_second/{phase}": tokens / value for phase, value in seconds.items()}
        return numbers

    def _keep(self, stop: bool, task: Task) -> None:
        """As `Loop._keep`; a policy that cannot answer the held-out prompts is not kept but undone."""
        try:
            super()._keep(stop, task)
        except NotFinite as error:
            self._undo_not_finite(error, task)

    def _undo_not_finite(self, error: NotFinite, task: Task) -> bool:
        """Go back from a state whose logits are not finite; one that was saved is no state to go back to."""
        checkpoint.discard(self.run.checkpoints, self.step)
        self.owes_evaluation = False
        advice = f"{error.mend} Else start anew with a lower training.learning_rate."
        return self._mend(self.guard.give_way("the policy's logits are not finite", advice), task)

    def _mend(self, decision: Decision, task: Task) -> bool:
        """Go back to the last good checkpoint with smaller steps and a stronger pull, or stop."""
        if decision.action == "rollback":
            self.beta *= self.recipe.watch.beta_raise
        self._give_way(decision, task)
        return False

    def conceded(self) -> str:
        return f"{super().conceded()}, beta {self.beta:g}"

    def _adapt(self, kl: float, episodes: int) -> None:
        objective = self.recipe.objective
        if objective.kl_target is not None:
            self.beta = adapted(
                self.beta, kl, target=objective.kl_target, horizon=objective.kl_horizon, episodes=episodes
            )

    def _evaluate(self) -> None:
        """Held-out prompts answered and scored; the best policy so far is kept."""
        if self.held_out is None:
            return
        rows = self.held_out.rows[: self.recipe.rollout.held_out_prompts]
        self.owes_evaluation = True
        with self._losing_nothing():
            rollout = collect(
                self.backbone,
                self.renderer,
                rows,
                self.reward,
                self.recipe.rollout,
                seed=self.settings.seed,
                tokens_per_row=self.settings.tokens_per_row,
                padded=self.settings.padded,
            )
        self.owes_evaluation = False
        numbers = described(rollout)
        self.evaluation = {name: numbers[name] for name in ("reward", "kl", "length", "ended", "entropy")}
        counted, objective = self.shaping.of_held_out(rollout.scores, rollout.ended), self.recipe.objective
        if objective.missing_end is not None or objective.score_clip is not None:
            self.evaluation["reward/counted"] = counted
        self.evaluation["rows"] = float(len(rows))
        self._log("eval", self.evaluation)
        # After a bad iteration the policy may be what the guard is about to undo.
        if self.calm():
            self.best.consider(self.step, counted, numbers["kl"], self.parameters)

    def fall_back(self) -> Outcome:
        """As `Loop.fall_back`; where a best policy was seen, that one is what was learned."""
        outcome = super().fall_back()
        return replace(outcome, steps=int(outcome.evaluation.get("best/step", outcome.steps)))

    def conclude(self) -> Outcome:
        """As `Loop.conclude`; the policy becomes the best one that was seen, where any was held out."""
        outcome = super().conclude()
        numbers = self.best.numbers
        if not numbers:
            return outcome
        weights = {**self.parameters, **self.best.weights}
        self.backbone.load_trainable({name: weight.detach() for name, weight in weights.items()})
        self.reporter.say(
            f"Kept is the policy of iteration {numbers['step']:.0f}: held-out reward {numbers['reward']:.3f} "
            f"at a KL of {numbers['kl']:.1f} nats."
        )
        return replace(outcome, evaluation={**outcome.evaluation, **_prefixed("best", numbers)})

    def calm(self) -> bool:
        return super().calm() and self.watch.calm

    def _restore(self, folder: Path) -> checkpoint.Saved:
        """As `Loop._restore`; iterations that are undone leave no trace in the scale, nor the best policy."""
        saved = super()._restore(folder)
        self.shaping.load_state(saved.state["shaping"])
        self.best.load(saved.state["best"], saved)
        return saved

    def own_tensors(self) -> dict[str, Tensor]:
        return self.best.tensors()

    def own_state(self) -> dict[str, Any]:
        return {
            "beta": self.beta,
            "shaping": self.shaping.state(),
            "watch": self.watch.state(),
            "best": self.best.numbers,
            "owes_evaluation": self.owes_evaluation,
        }

    def load_own_state(self, saved: checkpoint.Saved) -> None:
        self.beta = saved.state["beta"]
        self.watch.load_state(saved.state["watch"])
        self.owes_evaluation = saved.state["owes_evaluation"]


def asked(step: int, rows: int, count: int, seed: int) -> list[int]:
    """The rows that iteration `step` asks: the next `count` of one epoch after the other, each in an order of
    its own, so that no iteration is smaller than another.
    """
    places = range(step * count, (step + 1) * count)
    orders = {epoch: epoch_order(epoch, rows, seed) for epoch in {place // rows for place in places}}
    return [orders[place // rows][place % rows] for place in places]


def _prefixed(prefix: str, numbers: dict[str, float]) -> dict[str, float]:
    return {f"{prefix}/{name}": float(value) for name, value in numbers.items()}
