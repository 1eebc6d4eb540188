"""What is told of PPO's iterations: a rollout in numbers, and a few of its answers for a person to read."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from heedful.objectives.kl import k1, k3
from heedful.objectives.ppo import explained_variance
from heedful.training.rollout import Rollout

# Characters of a prompt's end and of an answer's beginning that a person is shown.
_ASKED, _SHOWN = 30, 70


def described(
    rollout: Rollout, gains: Tensor | None = None, returns: Tensor | None = None
) -> dict[str, float]:
    """What is worth knowing of a rollout before anything is learned from it."""
    scores, lengths = rollout.scores, rollout.lengths.float()
    kl = rollout.by_response(k1(rollout.logps, rollout.reference))
    low, middle, high = (float(scores.quantile(share)) for share in (0.1, 0.5, 0.9))
    found = {
        "reward": float(scores.mean()),
        "reward/std": float(scores.std(correction=0)),
        "reward/q10": low,
        "reward/median": middle,
        "reward/q90": high,
        "reward/cut": float(rollout.cut),
        "kl": float(kl.mean()),
        "kl/error": float(kl.std(correction=0)) / len(kl) ** 0.5,
        "kl/k3": float(rollout.by_response(k3(rollout.logps, rollout.reference)).mean()),
        "entropy": float(-rollout.logps.mean()),
        "length": float(lengths.mean()),
        "ended": float(rollout.ended.float().mean()),
        "reward/length_correlation": _correlation(scores, lengths),
    }
    if gains is not None and returns is not None:
        found |= {
            "value/explained_variance": explained_variance(rollout.values, returns),
            "value/mean": float(rollout.values.mean()),
            "returns/mean": float(returns.mean()),
            "returns/std": float(returns.std(correction=0)),
            "advantages/std": float(gains.std(correction=0)),
        }
    return found


def shown(rollout: Rollout) -> dict[str, Any]:
    """The best, the median and the worst response of a rollout."""
    order = rollout.scores.argsort(descending=True).tolist()
    samples = len(rollout.texts) // len(rollout.rows)
    picked = {"best": order[0], "median": order[len(order) // 2], "worst": order[-1]}
    return {
        name: {
            "id": rollout.rows[index // samples].id,
            "prompt": rollout.prompts[index // samples],
            "response": rollout.texts[index],
            "score": float(rollout.scores[index]),
            "tokens": int(rollout.lengths[index]),
            "ended": bool(rollout.ended[index]),
        }
        for name, index in picked.items()
    }


def table(step: int, answers: dict[str, Any]) -> str:
    """An iteration's answers for a person: score, tokens, how each prompt ends, and how its answer begins."""
    lines = [f"Answers at iteration {step} (score, tokens, + where cut, prompt → answer)"]
    for name, one in answers.items():
        prompt, text = (" ".join(one[part].split()) for part in ("prompt", "response"))
        prompt = prompt if len(prompt) <= _ASKED else f"…{prompt[-_ASKED:]}"
        text = text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"
        tokens = f"{one['tokens']:>4}{' ' if one['ended'] else '+'}"
        lines.append(f"  {name:<6} {one['score']:>7.3f} {tokens}  {prompt} → {text}")
    return "\n".join(lines)


def _correlation(one: Tensor, other: Tensor) -> float:
    """Pearson's; 0 where either does not vary."""
    one, other = one - one.mean(), other - other.mean()
    scale = float(one.norm() * other.norm())
    return float(one @ other) / scale if scale > 0 else 0.0
