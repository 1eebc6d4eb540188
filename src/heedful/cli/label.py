"""`heedful label`: preferences from a judge, AI feedback."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from heedful.cli.data_options import Reading
from heedful.cli.data_output import Writing
from heedful.cli.judge_options import judge_settings
from heedful.prepare.pair_settings import Mode, Ties

if TYPE_CHECKING:
    from heedful.recipe.judges import JudgeSettings

_COMPARED = "What is compared"


def label(
    file: Annotated[
        Path,
        typer.Argument(
            metavar="FILE", help="Prompts with candidates; rankings and preferences are judged anew."
        ),
    ],
    reading: Reading,
    writing: Writing,
    judge: Annotated[
        str,
        typer.Option(
            metavar="NAME",
            help="Who judges: a reward run or classifier, FILE.py:FUNCTION, https://HOST/v1#MODEL, "
            "people:FOLDER, or a YAML file.",
        ),
    ],
    output: Annotated[Path, typer.Option(metavar="OUT", help="The preferences.")],
    overrides: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[KEY=VALUE]...",
            help="How the judge is asked, as endpoint.key_env=NAME or endpoint.max_requests=500.",
            show_default=False,
        ),
    ] = None,
    pairs: Annotated[
        Mode,
        typer.Option(help="Which responses to a prompt are compared.", rich_help_panel=_COMPARED),
    ] = "all",
    ties: Annotated[
        Ties, typer.Option(help="Keep ties, with probability 0.5, or not.", rich_help_panel=_COMPARED)
    ] = "keep",
    inconsistent: Annotated[
        Literal["tie", "drop"],
        typer.Option(
            help="What a verdict is that changes with the order of the answers.", rich_help_panel=_COMPARED
        ),
    ] = "tie",
    min_margin: Annotated[
        float,
        typer.Option(min=0, help="Leave pairs out whose scores differ by less.", rich_help_panel=_COMPARED),
    ] = 0.0,
    again: Annotated[
        float,
        typer.Option(
            metavar="SHARE",
            min=0,
            max=1,
            help="Ask about this part of the pairs again, to see whether the judge agrees with itself.",
            rich_help_panel=_COMPARED,
        ),
    ] = 0.1,
    seed: Annotated[
        int | None,
        typer.Option(
            help="Of what is drawn; a chat endpoint is asked anew with another one.",
            rich_help_panel=_COMPARED,
        ),
    ] = None,
) -> None:
    """Have a judge compare candidates and write what it prefers: AI feedback to train on.

    Judges that the order could matter to are asked in both. What a chat endpoint has answered is kept: the
    same command goes on where it was stopped, and asks nothing twice.
    """
    writing.check([output], [file])
    settings = _seeded(judge_settings(judge, overrides or []), seed)
    from heedful.judges import build
    from heedful.labelling import LabelSettings, label_records
    from heedful.training.tracking import Reporter

    how = LabelSettings(
        pairs=pairs,
        ties=ties,
        inconsistent=inconsistent,
        min_margin=min_margin,
        again=again,
        seed=seed or 0,
    )
    records = writing.read([file], reading)
    made = label_records(records, build(settings), how, Reporter(quiet=writing.quiet))
    written = writing.write(made, output)
    writing.report(made, (output, written))
    for line in made.lines():
        writing.say(line)


def _seeded(settings: JudgeSettings, seed: int | None) -> JudgeSettings:
    """The judge with a seed, where it has one and one is given."""
    if seed is None or settings.endpoint is None:
        return settings
    return settings.model_copy(update={"endpoint": settings.endpoint.model_copy(update={"seed": seed})})
