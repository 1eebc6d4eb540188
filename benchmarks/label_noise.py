"""`python -m benchmarks.label_noise`: does the estimate of label noise find what was planted in real text?

Sentences of film reviews, a positive and a negative one a pair: the positive one is the better one, which
nobody doubts. Labels are flipped at random or by length, and `checks.noise_estimate` is asked how many, from
reward models that know the flipped labels alone. The model reads the text once: a flip only swaps the sides.
Times are the processor's, so that other work on the machine does not show; run it with OMP_NUM_THREADS=1.
"""

from __future__ import annotations

import argparse
import datetime
import gzip
import random
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import mean
from typing import Any

from benchmarks import machine
from benchmarks.heedful_jobs import DTYPES
from benchmarks.label_noise_table import PLAN
from benchmarks.session import DATA, ROOT, say, write
from heedful.checks.label_noise import FOLDS, PAIRS, REPEATS
from heedful.records import Preference, assistant, user
from tests.checks.noise import Flipped, flip, flip_by_length

FILES = ("rt-polarity.pos.gz", "rt-polarity.neg.gz")
FLIPS: dict[str, Callable[..., Flipped]] = {"at random": flip, "by length": flip_by_length}


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.label_noise", description=__doc__)
    parser.add_argument("--data", type=Path, default=DATA, help=f"the folder of {' and '.join(FILES)}")
    parser.add_argument("--model", default="smollm2-135m", help="a catalog name or a model folder")
    parser.add_argument("--pairs", type=int, default=PAIRS)
    parser.add_argument("--seeds", type=int, default=5, help="of the flips and the folds")
    parser.add_argument("--max-length", type=int, default=256, help="tokens of a prompt with one response")
    parser.add_argument("--precision", choices=("auto", "bf16", "fp32"), default="auto")
    parser.add_argument("--results", type=Path, default=ROOT / "benchmarks" / "results")
    return parser.parse_args(arguments)


def pairs(folder: Path, count: int) -> list[Preference]:
    """A positive sentence against a negative one, to prompts that all differ."""
    sides = []
    for seed, name in enumerate(FILES):
        with gzip.open(folder / name, "rt", encoding="latin-1") as lines:
            sentences = [" ".join(line.split()) for line in lines]
        random.Random(seed).shuffle(sentences)
        sides.append(sentences)
    return [
        Preference(
            (user(f"What do you say of film {number}?"),),
            (assistant(good),),
            (assistant(bad),),
            id=f"pair-{number}",
        )
        for number, (good, bad) in enumerate(zip(*sides, strict=False))
    ][:count]


def trial(states: Any, gold: Sequence[Preference], kind: str, share: float, seed: int) -> dict[str, Any]:
    """Flip, cross-fit, estimate; `states` are those of the gold pairs, `[pairs, 2, hidden]`."""
    from heedful.checks.noise_estimate import estimate
    from heedful.training.cross_fit import folds_by_group, heads

    started = time.process_time()
    noisy, flipped = FLIPS[kind](gold, share, seed=seed)
    swapped = states.clone()
    members = sorted(flipped)
    swapped[members] = states[members].flip(1)
    folds = folds_by_group([pair.prompt for pair in noisy], FOLDS, REPEATS, seed=seed)
    scores = heads(swapped, noisy, folds)
    found = estimate(scores.differences, folds=scores.folds)
    against = found.mean < 0
    right = [bool(wrong) == (at in flipped) for at, wrong in enumerate(against)]
    suspects = {at for at in range(len(noisy)) if found.always[at] and found.flipped[at] > 0.5}
    return {
        "kind": kind,
        "planted": len(flipped) / len(noisy),
        "seed": seed,
        "found": None if found.share is None else found.share.value,
        "low": found.bounds[0],
        "high": found.bounds[1],
        "contradicted": found.contradicted.value,
        "accuracy": mean(right),
        "suspects": len(suspects),
        "suspects_flipped": len(suspects & flipped),
        "seconds": time.process_time() - started,
    }


def main(arguments: Sequence[str] | None = None) -> None:
    options = parse(arguments)
    import heedful
    from heedful.models.scoring import end_states
    from heedful.render.chat import Renderer
    from heedful.render.rows import render as rendered
    from heedful.render.truncate import Limits

    here = machine.describe()
    precision = machine.choose_precision(options.precision, here)
    gold = pairs(options.data, options.pairs)
    backbone = heedful.load(options.model, dtype=DTYPES[precision])
    rows = rendered(gold, Renderer(backbone.tokenizer), Limits(options.max_length))
    started = time.process_time()
    states = end_states(
        backbone.role("reference"), rows, on_done=lambda done: say(f"{done} of {len(rows)} pairs read")
    )
    reading = time.process_time() - started
    kept = [row.record for row in rows if isinstance(row.record, Preference)]
    runs = []
    for kind, share in PLAN:
        for seed in range(options.seeds):
            runs.append(trial(states, kept, kind, share, seed))
            say(str(runs[-1]))
    report = {
        "date": datetime.date.today().isoformat(),
        "machine": here,
        "precision": precision,
        "settings": {
            "model": options.model,
            "pairs": len(kept),
            "seeds": options.seeds,
            "max_length": options.max_length,
        },
        "tokens": rows.tokens,
        "reading_seconds": reading,
        "runs": runs,
    }
    say(f"written: {write(report, options.results / 'label_noise')}")


if __name__ == "__main__":
    main()
