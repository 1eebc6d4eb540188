"""`heedful advise`: which road fits these data and this model, from measurements; a recipe for it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from heedful.cli.data_options import Reading
from heedful.errors import DataError

RECIPE = Path("recipe.yaml")


def advise(
    reading: Reading,
    model: Annotated[str, typer.Option(metavar="NAME", help="The model to be trained.")],
    data: Annotated[list[Path], typer.Option(metavar="FILE", help="Of any kind of record; may repeat.")],
    reward: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="What could score answers: a model, FILE.py:FUNCTION, or a URL."),
    ] = None,
    prompts: Annotated[
        list[Path] | None, typer.Option(metavar="FILE", help="Prompts that nobody has answered; may repeat.")
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(metavar="YAML", help="The recipe; left out, recipe.yaml or the next free name."),
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="The recipe may replace a file.")] = False,
    quick: Annotated[bool, typer.Option("--quick", help="Look at less, and not at the labels.")] = False,
    seed: Annotated[int, typer.Option(min=0, help="Of what is sampled.")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object, for programs.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="No progress.")] = False,
) -> None:
    """Say which of SFT, DPO, a reward model with PPO, or several in turn fits, and why; write a recipe.

    Looks at the data, asks the model, and works out what each road takes on this machine.
    """
    path = _place(output, overwrite)

    from rich.console import Console

    from heedful.advice.measured import as_json as value_of
    from heedful.advising import advise as measure
    from heedful.report.advice_terminal import summary
    from heedful.training.tracking import Reporter

    found = measure(
        model,
        [str(file) for file in data],
        reward=reward,
        prompts=[str(file) for file in prompts or ()],
        reading=reading.arguments,
        quick=quick,
        seed=seed,
        reporter=Reporter(quiet=quiet),
    )
    _require_free([own for own, _ in found.recipes(path)], overwrite)
    written = found.save(path)
    if as_json:
        value = {
            **value_of(found.recommendation, found.facts, found.looked_at),
            "recipes": [{"path": str(own), "text": one.text} for own, one in found.recipes(path)],
        }
        typer.echo(json.dumps(value, ensure_ascii=False, allow_nan=False))
        return
    summary(found.recommendation, found.facts, found.looked_at, Console())
    if written:
        typer.echo("\nRecipe: " + ", then ".join(map(str, written)))
        for own in written:
            typer.echo(f"  heedful run {own}")


def _place(output: Path | None, overwrite: bool) -> Path:
    """Where the recipe goes, before anything is measured."""
    if output is not None:
        if output.is_dir():
            raise DataError("this is a folder.", where=str(output), mend="Name a file: --output recipe.yaml")
        _require_free([output], overwrite)
        return output
    path, number = RECIPE, 1
    while path.exists():
        number += 1
        path = RECIPE.with_name(f"{RECIPE.stem}-{number}{RECIPE.suffix}")
    return path


def _require_free(paths: list[Path], overwrite: bool) -> None:
    for path in paths:
        if path.exists() and not overwrite:
            mend = "Name another by --output, or say --overwrite."
            raise DataError("this file is there already.", where=str(path), mend=mend)
