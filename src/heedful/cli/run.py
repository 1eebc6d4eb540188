"""`heedful run`: whatever a recipe asks for, the whole pipeline as a rule; called again, it goes on."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from heedful.cli import train
from heedful.cli.evaluate import show
from heedful.errors import RecipeError

if TYPE_CHECKING:
    from heedful.recipe import PipelineRecipe, Recipe


def run(
    arguments: Annotated[
        list[str],
        typer.Argument(
            metavar="RECIPE [KEY=VALUE]...",
            help="A recipe in YAML, and keys over it, such as sft.training.epochs=2.",
            show_default=False,
        ),
    ],
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show the stages and what they cost; write nothing.")
    ] = False,
    redo: train.Redo = None,
    quiet: train.Quiet = False,
) -> None:
    """Go through the pipeline of a recipe: import, check, split, SFT, DPO, reward model and PPO, report.

    What is finished and has not changed is reused, and what was begun goes on.
    """
    path, overrides = train.split_arguments(arguments)
    if path is None:
        raise RecipeError("there is no recipe.", mend="Name one: heedful run recipes/quickstart.yaml")
    from heedful.recipe import PipelineRecipe, Recipe, RLHFRecipe, load_any

    recipe = load_any(path, overrides)
    if isinstance(recipe, PipelineRecipe):
        if dry_run:
            _show(recipe, redo or (), f"heedful plan {shlex.join(arguments)}", quiet=quiet)
        else:
            _go(recipe, redo or (), quiet=quiet)
    elif isinstance(recipe, RLHFRecipe):
        train.go_through(recipe, dry_run=dry_run, resume=False, redo=redo or (), quiet=quiet)
    elif isinstance(recipe, Recipe):
        if redo:
            mend = "Choose another output=FOLDER, or move its folder away."
            raise RecipeError(f"a recipe of {recipe.stage} has one stage.", where="--redo", mend=mend)
        train.go(recipe, dry_run=dry_run, resume=_is_begun(recipe), quiet=quiet)


def _show(recipe: PipelineRecipe, redo: Sequence[str], time: str, *, quiet: bool) -> None:
    """The recipe on stdout, where it can be kept in a file; on stderr the stages, and which command tells
    their `time`.
    """
    from heedful import pipeline
    from heedful.recipe import to_yaml
    from heedful.training.tracking import Reporter

    described = pipeline.describe(recipe, redo=redo, reporter=Reporter(quiet=quiet))
    typer.echo(to_yaml(recipe))
    typer.echo(f"{described}\nHow long they take on this machine: {time}", err=True)


def _go(recipe: PipelineRecipe, redo: Sequence[str], *, quiet: bool) -> None:
    from heedful import pipeline
    from heedful.training.tracking import Reporter

    pipeline.run(recipe, redo=redo, reporter=Reporter(quiet=quiet))
    if not quiet:
        show(pipeline.findings_of(recipe))
        typer.echo(f"\nReport: {pipeline.report_of(recipe)}")


def _is_begun(recipe: Recipe) -> bool:
    """Whether the run folder holds something to go on with; the same for every process of a launch."""
    from heedful.training import processes, run_folder

    run = run_folder.RunFolder(Path(recipe.output))
    return processes.on_main(lambda: (run.path / "run.json").exists() and not run_folder.never_began(run))
