"""`python -m benchmarks.reward_model`: does what a reward model learned of some writers hold for another?

AlpacaEval's annotations pair a reference model's answer with another model's, to the same instructions, with
a judge's probability that either is better. The reward model learns from two such files (soft labels) and is
tested on a third, on instructions that it has not met; then on human preferences of another kind (HH). Every
accuracy stands beside rulers that have read nothing: length, and who wrote the answer.
"""

from __future__ import annotations

import argparse
import datetime
import math
import random
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from benchmarks import machine
from benchmarks.heedful_jobs import DTYPES
from benchmarks.session import ROOT, say, write
from heedful.evaluation.preference_accuracy import Accuracy
from heedful.evaluation.reward_pairs import ScoredPair, quality, scored_pairs
from heedful.intervals import paired_difference, share
from heedful.prepare.split import split as split_by_prompt
from heedful.records import Preference

DATA = ROOT.parent / "shared" / "data"
TRAIN = [DATA / f"alpaca-eval-{name}.json.gz" for name in ("gemma-7b-it", "vicuna-7b")]
TEST = DATA / "alpaca-eval-FuseChat-Llama-3.2-3B-Instruct.json.gz"
HH = DATA / "hh-harmless-test-600.jsonl.gz"
AUTHORS = ("generator_chosen", "generator_rejected")

Mask = NDArray[np.bool_]
ItemT = TypeVar("ItemT")


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.reward_model", description="a reward model on writers it has not met"
    )
    parser.add_argument("--train", type=Path, nargs="+", default=TRAIN, help="AlpacaEval annotations")
    parser.add_argument("--test", type=Path, default=TEST, help="another model's, on the same instructions")
    parser.add_argument("--hh", type=Path, default=HH, help="preferences of another kind")
    parser.add_argument("--model", default="smollm2-135m", help="a catalog name or a model folder")
    parser.add_argument("--pairs", type=int, default=192, help="pairs to train on")
    parser.add_argument("--held-out", type=float, default=0.25, help="share of the instructions to test on")
    parser.add_argument("--max-length", type=int, default=768, help="tokens of a prompt with one response")
    parser.add_argument("--precision", choices=("auto", "bf16", "fp32"), default="auto")
    parser.add_argument("--learning-rate", type=float, default=4e-4)
    parser.add_argument("--seed", type=int, default=0, help="of the split, the sample and the training")
    parser.add_argument("--output", type=Path, default=ROOT / "runs" / "reward-model", help="the run folder")
    parser.add_argument("--resume", action="store_true", help="go on with the run in the run folder")
    parser.add_argument("--results", type=Path, default=ROOT / "benchmarks" / "results")
    return parser.parse_args(arguments)


@dataclass(frozen=True, slots=True)
class Split:
    """Pairs to learn from, and two sets of pairs on other instructions.

    Attributes:
        train: of the writers in the training files.
        third: all of the third file's, on the instructions held out.
        seen: as many at most of the training files' writers, on the same instructions.
    """

    train: list[Preference]
    third: list[Preference]
    seen: list[Preference]


def split(
    two: Sequence[Preference], third: Sequence[Preference], *, held_out: float, pairs: int, seed: int
) -> Split:
    """Split by instruction, once for all files: none that is tested on is among those trained on."""
    shares = {"trained on": 1 - held_out, "tested": held_out}
    parts = split_by_prompt([*two, *third], shares, seed=seed, near=None, by_source=False)
    tested = {record.prompt for record in parts["tested"]}
    unseen = [record for record in third if record.prompt in tested]
    return Split(
        train=_sample([record for record in two if record.prompt not in tested], pairs, seed),
        third=unseen,
        seen=_sample([record for record in two if record.prompt in tested], len(unseen), seed),
    )


def _sample(items: Sequence[ItemT], count: int, seed: int) -> list[ItemT]:
    return random.Random(seed).sample(items, min(count, len(items)))


def reference(records: Sequence[Preference]) -> str:
    """The one model whose answer is in every pair.

    Raises:
        ValueError: there is none, or more than one.
    """
    common = set.intersection(*({record.metadata[key] for key in AUTHORS} for record in records))
    if len(common) != 1:
        raise ValueError(f"{len(common)} models have an answer in every pair, and one should")
    return str(common.pop())


def authorship(records: Sequence[Preference], right: Mask, author: str) -> dict[str, Any]:
    """What who wrote the answers tells: rulers that know nothing else, and the accuracy on either side.

    Args:
        records: their chosen side is the one that the judge takes for the better.
        right: whether the model scored that side strictly higher, `[records]`.
        author: of the reference's answers.
    """
    own = np.array([record.metadata["generator_chosen"] == author for record in records])
    prompts = [record.prompt for record in records]
    best = own if own.mean() >= 0.5 else ~own
    return {
        "reference_wins": accuracy(own, prompts),
        "other_wins": accuracy(~own, prompts),
        "over_best": float(right.mean() - best.mean()),
        "over_best_interval": paired_difference(right, best, groups=prompts),
        "where_reference_is_better": _of_part(own, right, prompts),
        "where_other_is_better": _of_part(~own, right, prompts),
    }


def accuracy(right: Mask, prompts: Sequence[Any]) -> Accuracy:
    """The share of pairs got right; pairs of one prompt are taken to be alike."""
    return Accuracy(float(right.mean()), *share(right, groups=prompts), len(right))


def _of_part(part: Mask, right: Mask, prompts: Sequence[Any]) -> Accuracy | None:
    """The accuracy on a part of the pairs; None where that is empty."""
    if not part.any():
        return None
    return accuracy(right[part], [prompt for prompt, inside in zip(prompts, part, strict=True) if inside])


class Judge:
    """Scores pairs by a trained reward model, cut for it as in training, and says how good it is at them."""

    def __init__(self, backbone: Any, max_length: int) -> None:
        from heedful.render.chat import Renderer
        from heedful.render.truncate import Limits

        self.role = backbone.role("reward")
        self.renderer = Renderer(backbone.tokenizer)
        self.limits = Limits(max_length)

    def __call__(self, records: Sequence[Preference], author: str | None, tell: str) -> dict[str, Any]:
        """The findings of one set of pairs, ready for JSON; `author` where a reference wrote one side."""
        from heedful.models.scoring import score
        from heedful.render.rows import render

        rows = render(records, self.renderer, self.limits)
        scores = score(self.role, rows, on_done=lambda done: say(f"{tell}: {done} of {len(rows)} scored"))
        kept = [row.record for row in rows if isinstance(row.record, Preference)]
        pairs, _ = scored_pairs(rows, scores.tolist())
        right = np.array([pair.chosen.score > pair.rejected.score for pair in pairs])
        whole = np.array([not row.uncut for row in rows])
        prompts = [record.prompt for record in kept]
        return {
            "counts": asdict(rows.counts),
            "prompts_cut": rows.prompts_cut,
            "responses_cut": rows.responses_cut,
            "quality": _plain(pairs),
            "responses_whole": _json(_of_part(whole, right, prompts)),
            "authorship": None if author is None else _json(authorship(kept, right, author)),
        }


def _plain(pairs: Sequence[ScoredPair]) -> dict[str, Any]:
    """The quality as JSON holds it; which pairs were mistaken is left out, as it names rows of no file."""
    found = asdict(quality(pairs))
    del found["mistakes"]
    return dict(_json(found))


def _json(value: Any) -> Any:
    """Plain dictionaries and lists, and None for what is no finite number (an infinite temperature)."""
    if isinstance(value, Accuracy):
        return asdict(value)
    if isinstance(value, dict):
        return {key: _json(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_json(inner) for inner in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def main(arguments: Sequence[str] | None = None) -> None:
    options = parse(arguments)
    import heedful
    from heedful.training.reading import without_ties

    *two_models, third, hh = without_ties(*map(heedful.read, (*options.train, options.test, options.hh)))
    two = [record for records in two_models for record in records]
    author = reference([*two, *third])
    parts = split(two, third, held_out=options.held_out, pairs=options.pairs, seed=options.seed)
    here = machine.describe()
    precision = machine.choose_precision(options.precision, here)
    backbone = heedful.load(options.model, dtype=DTYPES[precision])
    outcome = heedful.train.reward(
        backbone,
        parts.train,
        output=options.output,
        resume=options.resume,
        eval_fraction=0.0,
        max_length=options.max_length,
        learning_rate=options.learning_rate,
        seed=options.seed,
        checkpoint_every=5,
    )
    judge = Judge(backbone, options.max_length)
    sets = {"third": (parts.third, author), "seen": (parts.seen, author), "hh": (list(hh), None)}
    report = {
        "date": datetime.date.today().isoformat(),
        "machine": here,
        "precision": precision,
        "settings": {
            **{key: getattr(options, key) for key in ("model", "held_out", "max_length", "learning_rate")},
            "seed": options.seed,
            "steps": outcome.steps,
            "pairs": len(parts.train),
            "train": [path.name for path in options.train],
            "test": options.test.name,
            "hh": options.hh.name,
            "reference": author,
        },
        "instructions": {
            "train": len({record.prompt for record in parts.train}),
            "test": len({record.prompt for record in parts.third}),
        },
        "read": {"third": asdict(third.counts), "hh": asdict(hh.counts)},
        "sets": {name: judge(records, who, name) for name, (records, who) in sets.items()},
    }
    say(f"written: {write(report, options.results / 'reward_model')}")


if __name__ == "__main__":
    main()
