"""`heedful compare`: several models beside each other, their checkpoints, and what a reward was worth."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from heedful.cli.answer_options import Answering, refuse_waiting, resumable

COMPARISON = Path("comparison")
_REWARD = "Reward and KL"


def compare(
    models: Annotated[list[str], typer.Argument(help="Runs, or whatever --model takes elsewhere.")],
    answering: Answering,
    data: Annotated[str, typer.Option(metavar="FILE", help="Held-out records whose prompts are answered.")],
    judge: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            help="Who compares the answers, once or more: a reward run or classifier, "
            "reward:FILE.py:FUNCTION, FILE.py:FUNCTION, https://HOST/v1#MODEL, people:FOLDER, or a YAML "
            "file.",
        ),
    ] = None,
    gold: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="A reward that nothing was trained on: shows whether the first judge's is over-optimised.",
            rich_help_panel=_REWARD,
        ),
    ] = None,
    checkpoints: Annotated[
        bool,
        typer.Option(
            "--checkpoints",
            help="Measure reward and KL of the checkpoints that runs kept, too.",
            rich_help_panel=_REWARD,
        ),
    ] = False,
    best_of: Annotated[
        int | None,
        typer.Option(
            min=2,
            help="Measure the best of 1, 2, 4, ... of so many samples of the reference, too.",
            rich_help_panel=_REWARD,
        ),
    ] = None,
    reference: Annotated[
        str | None,
        typer.Option(
            metavar="MODEL",
            help="What KL is measured from; what all were trained from when absent.",
            rich_help_panel=_REWARD,
        ),
    ] = None,
    output: Annotated[
        Path, typer.Option(metavar="FOLDER", help="Where page, numbers, answers and verdicts go.")
    ] = COMPARISON,
    quiet: Annotated[bool, typer.Option("--quiet", help="Say nothing but warnings and errors.")] = False,
) -> None:
    """Rank several models, and show what reward each earns for how much KL.

    Every two are compared, in both orders. Answers are kept as they come: the same command goes on where it
    was stopped, and once people have voted.
    """
    from rich.console import Console

    from heedful.cli.judge_options import judge_settings
    from heedful.comparing import compare as compared
    from heedful.comparing.writing import check
    from heedful.report.compare_terminal import summary

    check(output)
    with resumable():
        found = compared(
            models,
            data=data,
            judges=[judge_settings(name) for name in judge or []],
            gold=gold,
            checkpoints=checkpoints,
            best_of=best_of,
            reference=reference,
            **answering.arguments,
            quiet=quiet,
        )
    folder = found.write(output)
    if not quiet:
        summary(found.data, Console())
        typer.echo(f"\nReport: {folder / 'report.html'}")
    refuse_waiting(found.data.waiting, folder)
