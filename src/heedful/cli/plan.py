"""`heedful plan`: what a recipe takes of this machine, memory and time, before anything is trained."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated

import typer

from heedful.cli.train import Quiet, split_arguments
from heedful.errors import RecipeError

if TYPE_CHECKING:
    from heedful.planning import RecipePlan, StagePlan

_GB = 1_000_000_000
_STANDINGS = {
    "fits": "It fits.",
    "tight": "It may fit: what is left is less than a prediction may be off.",
    "too much": "It does not fit.",
    "unknown": "How much there is, the system does not tell.",
}


def plan(
    arguments: Annotated[
        list[str],
        typer.Argument(
            metavar="RECIPE [KEY=VALUE]...",
            help="A recipe in YAML, and keys over it, such as training.method=full.",
            show_default=False,
        ),
    ],
    no_time: Annotated[bool, typer.Option("--no-time", help="Memory alone; nothing is computed.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object, for programs.")] = False,
    quiet: Quiet = False,
) -> None:
    """Say how much memory a recipe needs in each phase, and how long it takes on this machine.

    Reads the data, but no weights: a model that is too large for this machine can be planned for on it. The
    time comes from about ten seconds of trying.
    """
    path, overrides = split_arguments(arguments)
    if path is None:
        raise RecipeError("there is no recipe.", mend="Name one: heedful plan recipes/sft-lora.yaml")
    from heedful.recipe import load_any

    recipe = load_any(path, overrides)

    from heedful.planning import plan_recipe
    from heedful.training.tracking import Reporter

    found = plan_recipe(recipe, time=not no_time, reporter=Reporter(quiet=quiet))
    typer.echo(json.dumps(found.to_json(), allow_nan=False) if as_json else "\n\n".join(_lines(found)))


def _lines(found: RecipePlan) -> list[str]:
    """A paragraph for each stage, and one for the whole."""
    return [*(_stage(stage, found) for stage in found.stages), _whole(found)]


def _stage(stage: StagePlan, found: RecipePlan) -> str:
    own, memory = stage.plan, stage.memory
    share = f"{own.trainable:,} of {own.parameters:,} parameters"
    lines = [
        f"Stage {stage.name}: {own.steps:,} steps over {own.train.kept:,} rows, {share}, "
        f"{own.compute_dtype} on {own.device}",
        f"  {'phase':<12}{'memory':>10}  {'time':>16}",
    ]
    times = {part.phase: f"{_time(part.seconds)} ± {part.off:.0%}" for part in stage.durations}
    for phase in memory.phases:
        mark = "  the peak" if phase is memory.peak else ""
        lines.append(
            f"  {phase.name:<12}{phase.total / _GB:>7.2f} GB  {times.pop(phase.name, ''):>16}{mark}".rstrip()
        )
    lines.append(f"  {'peak':<12}{_kinds(stage)}")
    if stage.time is not None:
        lines.append(f"  {'together':<12}{'':>10}  {_time(stage.time.seconds):>10} ± {stage.time.off:.0%}")
    if found.standing(memory.total) in ("tight", "too much"):
        lines.append("  to need less:")
        lines += [f"    {turn.setting:<38}{turn.bytes / _GB:>7.2f} GB  {turn.costs}" for turn in stage.turns]
    return "\n".join([*lines, *(f"  {note}" for note in memory.notes)])


def _kinds(stage: StagePlan) -> str:
    kinds = stage.memory.peak.by_kind()
    return ", ".join(f"{kind} {size / _GB:.2f}" for kind, size in kinds.items() if size >= _GB / 200)


def _whole(found: RecipePlan) -> str:
    most = found.peak
    needed = most.memory.total
    room = "" if found.room is None else f" of {found.room / _GB:.1f} GB"
    text = f"At most {needed / _GB:.2f} GB{room}, at {most.name}. {_STANDINGS[found.standing(needed)]}"
    if found.time is not None:
        text += f"\nAbout {_time(found.time.seconds)}, ± {found.time.off:.0%}."
    return text


def _time(seconds: float) -> str:
    """As a person would say it: two units at most."""
    if seconds < 99.5:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    if minutes < 120:
        return f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours < 48 else f"{hours / 24:.1f} days"
