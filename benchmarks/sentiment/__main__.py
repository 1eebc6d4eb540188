"""`python -m benchmarks.sentiment STEP`: one step of the study, and what it needs where that is missing.

Steps that are done are left alone. `--betas` and `--seeds` name several runs; any number of processes may be
started on the same ones, and each takes what no other has taken.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from benchmarks.sentiment import task, training
from benchmarks.sentiment.study import Study


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--work", type=Path, default=Path("runs/sentiment"))
    common.add_argument("--data", type=Path, default=task.DATA, help="the folder of the sentences' files")
    common.add_argument("--model", default="smollm2-135m", help="a catalog name or a model folder")
    for part, count in task.SIZES.items():
        common.add_argument(f"--{part}-size", type=int, default=count, help=f"sentences of the part {part}")
    runs = argparse.ArgumentParser(add_help=False)
    runs.add_argument("--seeds", type=int, nargs="+", default=[0])
    runs.add_argument("--betas", type=float, nargs="+", default=[None], help="the method's own without it")
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.sentiment", description="controlled sentiment"
    )
    steps = parser.add_subparsers(dest="step", required=True)
    steps.add_parser("sft", parents=[common], help="the model that everything starts from")
    ppo = steps.add_parser("ppo", parents=[common, runs], help="PPO")
    ppo.add_argument("--iterations", type=int, help=f"instead of {task.PPO['max_steps']}")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> None:
    options = parse(arguments)
    sizes = {part: getattr(options, f"{part}_size") for part in task.SIZES}
    study = Study(options.work.absolute(), options.data, options.model, sizes)
    if options.step == "sft":
        training.sft(study)
    elif options.step == "ppo":
        for beta in options.betas:
            for seed in options.seeds:
                training.ppo(study, seed=seed, beta=beta, iterations=options.iterations)


if __name__ == "__main__":
    main()
