"""The commands that train: a recipe in; a run folder out, or with `--dry-run` a plan."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from heedful.cli.evaluate import show
from heedful.errors import RecipeError

if TYPE_CHECKING:
    from heedful.recipe import Recipe, RewardRecipe, RLHFRecipe
    from heedful.training.loop import Outcome
    from heedful.training.tracking import Reporter

RECIPE_SUFFIXES = (".yaml", ".yml")
GZIP_MAGIC = b"\x1f\x8b"

Arguments = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="RECIPE | KEY=VALUE",
        help="A recipe in YAML (the defaults without one), and keys over it, such as training.epochs=2.",
        show_default=False,
    ),
]
Model = Annotated[str | None, typer.Option(metavar="NAME", help="The model to train: model.name=NAME.")]
Train = Annotated[
    list[str] | None,
    typer.Option(metavar="FILE", help="What to learn from, may be given several times: data.train=FILE."),
]
Eval = Annotated[str | None, typer.Option("--eval", metavar="FILE", help="What to judge by: data.eval=FILE.")]
Output = Annotated[str | None, typer.Option(metavar="FOLDER", help="The run folder: output=FOLDER.")]
Rewards = Annotated[
    list[str] | None,
    typer.Option(
        "--reward",
        metavar="NAME",
        help="What scores the answers: a reward run or classifier, FILE.py:FUNCTION, or a URL; "
        "several are added up: reward=[...].",
    ),
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Show the recipe and a plan; train nothing.")]
Resume = Annotated[bool, typer.Option("--resume", help="Go on with the run in the output folder.")]
Redo = Annotated[
    list[str] | None,
    typer.Option(
        metavar="STAGE",
        help="Make a stage anew, and what is built on it; what is there is set aside. May repeat.",
    ),
]
Quiet = Annotated[bool, typer.Option("--quiet", help="Say nothing but warnings and errors.")]


def sft(
    arguments: Arguments = None,
    model: Model = None,
    train: Train = None,
    eval_file: Eval = None,
    output: Output = None,
    dry_run: DryRun = False,
    resume: Resume = False,
    quiet: Quiet = False,
) -> None:
    """Fine-tune a model on demonstrations: answer as they do."""
    everyday = _everyday(model, train, eval_file, output)
    _run("sft", arguments or [], everyday, dry_run=dry_run, resume=resume, quiet=quiet)


def dpo(
    arguments: Arguments = None,
    model: Model = None,
    train: Train = None,
    eval_file: Eval = None,
    output: Output = None,
    dry_run: DryRun = False,
    resume: Resume = False,
    quiet: Quiet = False,
) -> None:
    """Train a model on preferences: the chosen response rather than the rejected one."""
    everyday = _everyday(model, train, eval_file, output)
    _run("dpo", arguments or [], everyday, dry_run=dry_run, resume=resume, quiet=quiet)


def reward(
    arguments: Arguments = None,
    model: Model = None,
    train: Train = None,
    eval_file: Eval = None,
    output: Output = None,
    dry_run: DryRun = False,
    resume: Resume = False,
    quiet: Quiet = False,
) -> None:
    """Train a reward model on preferences, rankings and ratings: one score per response."""
    everyday = _everyday(model, train, eval_file, output)
    _run("reward", arguments or [], everyday, dry_run=dry_run, resume=resume, quiet=quiet)


def ppo(
    arguments: Arguments = None,
    model: Model = None,
    train: Train = None,
    rewards: Rewards = None,
    eval_file: Eval = None,
    output: Output = None,
    dry_run: DryRun = False,
    resume: Resume = False,
    quiet: Quiet = False,
) -> None:
    """Train a model to earn a reward without moving far from where it started."""
    everyday = [*_everyday(model, train, eval_file, output), *_rewards(rewards or [])]
    _run("ppo", arguments or [], everyday, dry_run=dry_run, resume=resume, quiet=quiet)


def rlhf(
    arguments: Arguments = None,
    dry_run: DryRun = False,
    resume: Resume = False,
    redo: Redo = None,
    quiet: Quiet = False,
) -> None:
    """Go through SFT, a reward model and PPO by one recipe; what has not changed is reused."""
    from heedful.recipe import RLHFRecipe, load

    path, overrides = split_arguments(arguments or [])
    recipe = load(path, overrides, stage="rlhf")
    assert isinstance(recipe, RLHFRecipe)
    go_through(recipe, dry_run=dry_run, resume=resume, redo=redo or (), quiet=quiet)


def go_through(recipe: RLHFRecipe, *, dry_run: bool, resume: bool, redo: Sequence[str], quiet: bool) -> None:
    """RLHF by its recipe, or with `dry_run` what it would do."""
    from heedful import rlhf
    from heedful.recipe import to_yaml
    from heedful.training.tracking import Reporter

    if dry_run:
        described = rlhf.describe(recipe, resume=resume, redo=redo)
        typer.echo(to_yaml(recipe))
        typer.echo(described, err=True)
        return
    reporter = Reporter(quiet=quiet)
    outcomes = rlhf.run(recipe, resume=resume, redo=redo, reporter=reporter)
    for name, outcome in outcomes.items():
        _say_numbers(f"Held out, {name}", outcome, reporter)
    reporter.say(f"Try it: heedful chat --model {outcomes['ppo'].run}")


def _everyday(
    model: str | None, train: list[str] | None, eval_file: str | None, output: str | None
) -> list[str]:
    """The options as overrides; JSON is YAML in which no value can be taken for another type."""
    files: Any = train[0] if train and len(train) == 1 else train
    keys: Mapping[str, Any] = {
        "model.name": model,
        "data.train": files or None,
        "data.eval": eval_file,
        "output": output,
    }
    return [f"{key}={json.dumps(value)}" for key, value in keys.items() if value is not None]


def _rewards(names: Sequence[str]) -> list[str]:
    """Rewards given by name as an override; none where there are none."""
    from heedful.recipe import RewardSource

    sources = [RewardSource.named(name).model_dump(exclude_defaults=True) for name in names]
    return [f"reward={json.dumps(sources)}"] if sources else []


def _run(
    stage: str, arguments: Sequence[str], everyday: list[str], *, dry_run: bool, resume: bool, quiet: bool
) -> None:
    from heedful.recipe import Recipe, load

    path, overrides = split_arguments(arguments)
    recipe = load(path, [*everyday, *overrides], stage=stage)
    assert isinstance(recipe, Recipe)
    go(recipe, dry_run=dry_run, resume=resume, quiet=quiet)


def go(recipe: Recipe, *, dry_run: bool, resume: bool, quiet: bool) -> None:
    """Train by a recipe of one stage, or with `dry_run` show what that would do."""
    from heedful.training import run_folder
    from heedful.training.tracking import Reporter

    run_folder.check(recipe, resume=resume)  # before anything heavy is loaded
    reporter = Reporter(quiet=quiet)
    if dry_run:
        _show_plan(recipe)
    else:
        _train(recipe, resume=resume, reporter=reporter)


def _stage(recipe: Recipe) -> Any:
    """The module that trains by such a recipe."""
    from heedful.training import dpo, ppo, reward, sft

    return {"sft": sft, "reward": reward, "dpo": dpo, "ppo": ppo}[recipe.stage]


def _train(recipe: Recipe, *, resume: bool, reporter: Reporter) -> None:
    from heedful.recipe import RewardRecipe

    if isinstance(recipe, RewardRecipe):
        _train_reward(recipe, resume=resume, reporter=reporter)
        return
    outcome = _stage(recipe).run(recipe, resume=resume, reporter=reporter)
    _say_numbers("Held out", outcome, reporter)
    reporter.say(f"Try it: heedful chat --model {outcome.run}")


def _train_reward(recipe: RewardRecipe, *, resume: bool, reporter: Reporter) -> None:
    """Train, judge by the held-out rows, and show what was found."""
    from heedful import judging
    from heedful.training import processes
    from heedful.training.run_folder import RunFolder

    outcome, findings = judging.train(recipe, resume=resume, reporter=reporter)
    if findings is not None and not reporter.quiet and processes.is_main():
        show(findings)
        typer.echo(f"\nReport: {RunFolder(outcome.run).report}")
    reporter.say(f"Judge it by other data: heedful evaluate {outcome.run} --data FILE")


def _say_numbers(title: str, outcome: Outcome, reporter: Reporter) -> None:
    if outcome.evaluation:
        numbers = ", ".join(f"{name} {value:.4g}" for name, value in outcome.evaluation.items())
        reporter.say(f"{title}: {numbers}")


def _show_plan(recipe: Recipe) -> None:
    """The recipe on stdout, where it can be kept in a file; the plan on stderr."""
    from heedful.recipe import to_yaml
    from heedful.training.plan import plan
    from heedful.training.tracking import Reporter

    # The plan has all the counts.
    job = _stage(recipe).prepare(recipe, reporter=Reporter(quiet=True))
    typer.echo(to_yaml(recipe))
    typer.echo(str(plan(job)), err=True)


def split_arguments(arguments: Sequence[str]) -> tuple[str | None, list[str]]:
    """The recipe's path, where the first argument is one, and the overrides.

    Raises:
        RecipeError: an argument is a data file.
    """
    for argument in arguments:
        if not _is_override(argument) and is_data_file(Path(argument)):
            mend = f"Say data.train={argument} or --train {argument}."
            raise RecipeError("this is a data file, and a recipe is YAML.", where=argument, mend=mend)
    if arguments and not _is_override(arguments[0]):
        return arguments[0], list(arguments[1:])
    return None, list(arguments)


def _is_override(argument: str) -> bool:
    """Whether this is KEY=VALUE; `runs/beta=0.1/recipe.yaml` is a path, since no key holds a slash."""
    key, equals, _ = argument.partition("=")
    return bool(equals) and "/" not in key and os.sep not in key


def is_data_file(path: Path) -> bool:
    """Whether this is a file of JSON, plain or gzipped, by its content; what is named YAML is a recipe."""
    if path.suffix.lower() in RECIPE_SUFFIXES:
        return False
    try:
        with path.open("rb") as file:
            head = file.read(4096)
    except OSError:
        return False
    return head.startswith(GZIP_MAGIC) or head.lstrip(b"\xef\xbb\xbf \t\r\n").startswith((b"{", b"["))
