"""`python -m benchmarks.sentiment STEP`: one step of the study, and what it needs where that is missing.

Steps that are done are left alone. Any number of processes may be started, on the same runs too: each takes
what no other has taken. `all` goes through the whole study.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

from benchmarks import table
from benchmarks.sentiment import task
from benchmarks.sentiment.study import Study
from benchmarks.session import ROOT, say, write

_RESULTS = table.RESULTS / "sentiment"
_BEYOND = table.RESULTS / "over_optimisation"
_PAGE = ROOT / "docs" / "sentiment.md"


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
    iterations = argparse.ArgumentParser(add_help=False)
    iterations.add_argument("--iterations", type=int, default=task.PPO["max_steps"], help="of PPO")
    parser = argparse.ArgumentParser(prog="python -m benchmarks.sentiment", description=__doc__)
    steps = parser.add_subparsers(dest="step", required=True, metavar="STEP")
    steps.add_parser("sft", parents=[common], help="the model that everything starts from")
    steps.add_parser("pairs", parents=[common], help="its responses, two by two, labelled by the gold reward")
    steps.add_parser("reward", parents=[common], help="a reward model of the pairs")
    ppo = steps.add_parser("ppo", parents=[common, runs, iterations], help="PPO")
    ppo.add_argument("--reward", choices=("gold", "learned"), default="gold")
    steps.add_parser("dpo", parents=[common, runs], help="DPO on the pairs")
    steps.add_parser("trl-dpo", parents=[common, runs], help="TRL's DPO on the pairs")
    steps.add_parser("measure", parents=[common], help="answers of every policy to the test prompts")
    report = steps.add_parser("report", parents=[common], help="results as JSON, figure and page")
    whole = steps.add_parser("all", parents=[common, iterations], help="the whole study")
    beyond = steps.add_parser(
        "over-optimisation", parents=[common], help="PPO on few, noisy labels until the gold reward turns"
    )
    for parser_of, results in ((report, _RESULTS), (whole, _RESULTS), (beyond, _BEYOND)):
        parser_of.add_argument("--results", type=Path, default=results)
        parser_of.add_argument("--page", type=Path, default=_PAGE)
    for parser_of in (report, whole):
        parser_of.add_argument("--onto", type=Path, help="an earlier report (JSON) that runs are added to")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> None:
    options = parse(arguments)
    sizes = {part: getattr(options, f"{part}_size") for part in task.SIZES}
    study = Study(options.work.absolute(), options.data, options.model, sizes)
    # After parsing, so that --help need not wait for torch.
    from benchmarks.sentiment import measure, over_optimisation, training

    match options.step:
        case "sft":
            training.sft(study)
        case "pairs":
            training.preferences(study)
        case "reward":
            training.reward(study)
        case "measure":
            measure.measure(study)
        case "report":
            report(study, options.results, options.page, options.onto)
        case "all":
            for method, betas, seeds in task.PLAN:
                runs(study, method, betas, seeds, options.iterations)
            measure.measure(study)
            report(study, options.results, options.page, options.onto)
        case "over-optimisation":
            over_optimisation.make(study)
            found = over_optimisation.collect(study)
            say(f"written: {write(found, options.results)}")
            put(options.page, over_optimisation.render(found), over_optimisation.MARKERS)
        case "ppo":
            runs(study, f"ppo-{options.reward}", options.betas, options.seeds, options.iterations)
        case method:
            runs(study, method, options.betas, options.seeds)


def runs(
    study: Study,
    method: str,
    betas: Sequence[float | None],
    seeds: Sequence[int],
    iterations: int = task.PPO["max_steps"],
) -> None:
    """Runs of one method, each of them unless it is done or another process is at it."""
    from benchmarks.sentiment import peer, training

    for beta in betas:
        for seed in seeds:
            if method == peer.METHOD:
                peer.dpo(study, seed=seed, beta=beta)
            elif method == "dpo":
                training.dpo(study, seed=seed, beta=beta)
            else:
                training.ppo(study, method, seed=seed, beta=beta, iterations=iterations)


def report(study: Study, results_folder: Path, page: Path, onto: Path | None = None) -> None:
    """Write what there is, with an earlier report's runs, as JSON, as a figure beside the page, and into the
    page.
    """
    from benchmarks.sentiment import figure, results, tables

    found = results.collect(study)
    if onto is not None:
        found = results.joined(json.loads(onto.read_text("utf-8")), found)
    say(f"written: {write(found, results_folder)}")
    figure.draw(found, page.parent / tables.IMAGE)
    put(page, tables.render(found), tables.MARKERS)


def put(page: Path, text: str, markers: tuple[str, str]) -> None:
    """Set what stands between a page's markers."""
    page.write_text(table.splice(page.read_text("utf-8"), text, *markers), encoding="utf-8")


if __name__ == "__main__":
    main()
