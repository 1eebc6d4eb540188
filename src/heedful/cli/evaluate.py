"""`heedful quickstart` and `heedful evaluate`: run the whole pipeline, or judge a model by held-out data."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from heedful.errors import RunError

if TYPE_CHECKING:
    from heedful.report import ReportData

QUICKSTART = Path("runs/quickstart")
REPORT = Path("report.html")


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
    show(findings.data)
    typer.echo(f"\nReport: {folder / 'report.html'}\nTry it: heedful chat --model {folder / 'dpo'}")


def evaluate(
    model: Annotated[str, typer.Argument(help="A run, or whatever --model takes elsewhere.")],
    data: Annotated[str, typer.Option(metavar="FILE", help="Held-out records to judge by.")],
    baseline: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="What a policy is compared with; for a run, its own base."),
    ] = None,
    output: Annotated[Path, typer.Option(metavar="HTML", help="The report.")] = REPORT,
) -> None:
    """Compare a model with a baseline on held-out data, or judge a reward model by it; write a report."""
    if output.is_dir():
        raise RunError("this is a folder.", where=str(output), mend="Name a file: --output report.html")

    from heedful.evaluating import evaluate as compare

    findings = compare(model, baseline=baseline, data=data)
    show(findings.data)
    typer.echo(f"\nReport: {findings.save(output)}")


def show(data: ReportData) -> None:
    """Print the findings on stdout."""
    from rich.console import Console

    from heedful.report import summary

    summary(data, Console())
