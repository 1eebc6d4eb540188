"""`heedful plan`: what a recipe takes of this machine, memory and time, before anything is trained."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated

import typer

from heedful.cli.train import Quiet, split_arguments
from heedful.errors import RecipeError

if TYPE_CHECKING:
    from heedful.planning import RecipePlan, StagePlan
    from heedful.training.duration import Duration

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
    times = {part.phase: _duration(part) for part in stage.durations}
    rows = [
        (phase.name, f"{phase.total / _GB:.2f} GB", times.get(phase.name, ""), phase is memory.peak)
        for phase in memory.phases
    ]
    lines = [
        f"Stage {stage.name}: {own.steps:,} steps over {own.train.kept:,} rows, {share}, "
        f"{own.compute_dtype} on {own.device}",
        *(
            f"  {name:<11}{size:>10}  {time:>14}{'  peak' if most else ''}".rstrip()
            for name, size, time, most in rows
        ),
    ]
    if stage.time is not None:
        lines.append(f"  {'together':<11}{'':>10}  {_duration(stage.time):>14}")
    lines.append(f"  at the peak: {_kinds(stage)} GB")
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
    return text if found.time is None else f"{text}\nAbout {_duration(found.time)}."


def _duration(found: Duration) -> str:
    return f"{_time(found.seconds)} ± {found.off:.0%}"


def _time(seconds: float) -> str:
    """As a person would say it: two units at most."""
    if seconds < 99.5:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    if minutes < 120:
        return f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours < 48 else f"{hours / 24:.1f} days"
