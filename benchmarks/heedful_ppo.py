"""Heedful's side of PPO: `heedful.train.ppo` with its defaults wherever the benchmark sets nothing.

Policy, reference, reward model and critic are roles of one backbone. Iterations are read from the run's own
`metrics.jsonl`, and what they say of themselves is checked: a run that stopped early or sampled shorter
responses would look fast.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.heedful_jobs import DTYPES, deal, order, read_metrics, read_pairs, shared_settings
from benchmarks.measure import (
    INNER_EPOCHS,
    MAX_LENGTH,
    MINIBATCHES,
    PPO_BETA,
    JobResult,
    JobSpec,
    Step,
    peak_bytes,
)

NOWHERE = frozenset({-1})
# Tokens of one forward and backward pass: the batch that suits this side.
TOKENS_PER_ROW = 1024


def run_job(spec: JobSpec) -> JobResult:
    """Train `warmup + steps` iterations of `options["episodes"]` with `options["new_tokens"]` each."""
    import heedful

    pairs = read_pairs(spec.rows)
    backbone = heedful.load(spec.model, dtype=DTYPES[spec.precision])
    loaded = peak_bytes()
    steps = spec.warmup + spec.steps
    episodes, new_tokens = spec.options["episodes"], spec.options["new_tokens"]
    _sample_to_the_limit()
    with tempfile.TemporaryDirectory(prefix="heedful-") as folder:
        reward, output = Path(folder, "reward"), Path(folder, "run")
        make_reward(reward, spec.model)
        heedful.train.ppo(
            backbone,
            deal(pairs, order(len(pairs), steps, episodes)),
            reward=reward,
            output=output,
            quiet=True,
            **shared_settings("ppo", steps),
            max_length=MAX_LENGTH,
            batch_size=episodes,
            tokens_per_row=TOKENS_PER_ROW,
            max_new_tokens=new_tokens,
            beta=PPO_BETA,
            inner_epochs=INNER_EPOCHS,
            minibatches=MINIBATCHES,
            # All passes of every iteration, as on TRL's side.
            max_approx_kl=None,
        )
        lines = read_metrics(output / "metrics.jsonl")
    if "reward" not in backbone.heads:
        raise RuntimeError("the reward model was loaded beside the backbone and not as a role of it")
    return JobResult(
        side="heedful",
        job=spec.job,
        precision=spec.precision,
        warmup=spec.warmup,
        steps=iterations(lines, steps, episodes, new_tokens),
        loaded_bytes=loaded,
        peak_bytes=peak_bytes(),
        options=dict(spec.options),
        facts={"prompts": len(pairs)},
    )


def iterations(
    lines: Sequence[Mapping[str, Any]], count: int, episodes: int, new_tokens: int
) -> tuple[Step, ...]:
    """The iterations of a run's metrics. Raises RuntimeError when they are not the work asked for."""
    trained = [line for line in lines if line["kind"] == "train"]
    wanted = {"length": new_tokens, "updates": INNER_EPOCHS * MINIBATCHES}
    found = [{name: line[name] for name in wanted} for line in trained]
    if found != [wanted] * count:
        raise RuntimeError(f"{count} iterations with {wanted} were asked for, and these were made: {found}")
    return tuple(Step(line["seconds"], episodes, episodes * new_tokens) for line in trained)


def make_reward(folder: Path, model: str, *, template: str = "auto") -> None:
    """A reward run of no steps worth mentioning, in a process of its own: its peak is not this one's."""
    code = (
        "import sys, heedful; from heedful.records import Preference, assistant, user; "
        "pair = lambda n: Preference((user(f'q {n}'),), (assistant('yes'),), (assistant('no'),), id=str(n)); "
        "heedful.train.reward(sys.argv[1], [pair(n) for n in range(4)], output=sys.argv[2], max_steps=1, "
        "template=sys.argv[3], eval_fraction=0.0, quiet=True)"
    )
    subprocess.run([sys.executable, "-c", code, model, str(folder), template], check=True)


def _sample_to_the_limit() -> None:
    """From now on no token ends a response: both sides sample the same number."""
    from heedful.training import rollout

    sample = rollout.sample

    def endless(*positional: Any, stop_ids: frozenset[int], **named: Any) -> Any:
        return sample(*positional, stop_ids=NOWHERE, **named)

    rollout.sample = endless
