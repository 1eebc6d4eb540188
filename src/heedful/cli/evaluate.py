"""`heedful quickstart` and `heedful evaluate`: run the whole pipeline, or judge a model by held-out data."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from heedful.cli.answer_options import Answering, refuse_waiting, resumable

if TYPE_CHECKING:
    from heedful.report import ReportData

QUICKSTART = Path("runs/quickstart")
EVALUATION = Path("evaluation")


def quickstart(
    output: Annotated[Path, typer.Option(metavar="FOLDER", help="Where runs and report go.")] = QUICKSTART,
) -> None:
    """Train the default model by SFT, and from there by DPO and by PPO, on data that come with Heedful, and
    write a report.
    """
    from heedful import quickstart as whole
    from heedful.training.tracking import Reporter

    folder = whole.free_folder(output)
    findings = whole.run(folder, Reporter())
    show(findings)
    page = folder / "report" / "report.html"
    typer.echo(f"\nReport: {page}\nTry it: heedful chat --model {folder / 'dpo'}")


def evaluate(
    model: Annotated[str, typer.Argument(help="A run, or whatever --model takes elsewhere.")],
    answering: Answering,
    data: Annotated[str, typer.Option(metavar="FILE", help="Held-out records to judge by.")],
    baseline: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME", help="What a policy is compared with, once or more; for a run, its own base."
        ),
    ] = None,
    judge: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            help="Who compares the answers, once or more: a reward run or classifier, FILE.py:FUNCTION, "
            "https://HOST/v1#MODEL, people:FOLDER, or a YAML file.",
        ),
    ] = None,
    demonstrations: Annotated[
        str | None,
        typer.Option(metavar="FILE", help="Held-out demonstrations that tell what was forgotten."),
    ] = None,
    output: Annotated[
        Path, typer.Option(metavar="FOLDER", help="Where page, numbers, answers and verdicts go.")
    ] = EVALUATION,
    quiet: Annotated[bool, typer.Option("--quiet", help="Say nothing but warnings and errors.")] = False,
) -> None:
    """Compare a model with baselines on held-out data, or judge a reward model by it.

    Judges are asked in both orders. Answers are kept as they come: the same command goes on where it was
    stopped, and once people have voted.
    """
    from heedful.cli.judge_options import judge_settings
    from heedful.evaluating import evaluate as compare
    from heedful.evaluating.writing import check

    check(output)
    with resumable():
        findings = compare(
            model,
            data=data,
            baseline=baseline,
            judges=[judge_settings(name) for name in judge or []],
            demonstrations=demonstrations,
            **answering.arguments,
            quiet=quiet,
        )
    folder = findings.write(output)
    if not quiet:
        show(findings.data)
        typer.echo(f"\nReport: {folder / 'report.html'}")
    refuse_waiting(findings.data.waiting, folder)


def show(data: ReportData) -> None:
    """Print the findings on stdout."""
    from rich.console import Console

    from heedful.report import summary

    summary(data, Console())
