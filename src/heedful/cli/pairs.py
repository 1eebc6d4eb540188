"""`heedful pairs`: preferences from ratings, rankings, thumbs and votes. No model is loaded."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from heedful.cli.data_options import Reading
from heedful.cli.data_output import Writing
from heedful.cli.vote_options import Votes, flag
from heedful.errors import DataError
from heedful.prepare.pair_settings import Aggregation, BothBad, Mode, PairSettings, Ties

_COMPARED = "What is compared"


def pairs(
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="Feedback of any kind.")],
    out: Annotated[Path, typer.Argument(metavar="OUT", help="The preferences.")],
    reading: Reading,
    votes: Votes,
    writing: Writing,
    mode: Annotated[
        Mode, typer.Option(help="Which responses to a prompt are compared.", rich_help_panel=_COMPARED)
    ] = "all",
    per_prompt: Annotated[
        int | None,
        typer.Option(
            metavar="K",
            min=1,
            help="Draw at most K pairs of a prompt's ratings, of its thumbs and of a ranking.",
            rich_help_panel=_COMPARED,
        ),
    ] = None,
    tie_epsilon: Annotated[
        float,
        typer.Option(min=0, help="Scores that differ by no more are a tie.", rich_help_panel=_COMPARED),
    ] = 0.0,
    ties: Annotated[
        Ties, typer.Option(help="Keep ties, with probability 0.5, or not.", rich_help_panel=_COMPARED)
    ] = "keep",
    both_bad: Annotated[
        BothBad,
        typer.Option(help="What a verdict of two bad responses is.", rich_help_panel=_COMPARED),
    ] = "tie",
    aspect: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Which of several aspects to compare ratings by; mean for all.",
            rich_help_panel=_COMPARED,
        ),
    ] = None,
    seed: Annotated[int, typer.Option(help="Of what is drawn.", rich_help_panel=_COMPARED)] = 0,
) -> None:
    """Make preferences of ratings, rankings, thumbs and the votes of several annotators.

    Responses are compared with others to their prompt, in all files together. Preferences go through.
    """
    settings = PairSettings(
        mode=mode,
        per_prompt=per_prompt,
        tie_epsilon=tie_epsilon,
        ties=ties,
        both_bad=both_bad,
        aspect=aspect,
        aggregate=_aggregation(votes),
        seed=seed,
    )
    writing.check([out], files)
    from heedful.prepare.pairs import make_pairs

    records = writing.read(files, reading)
    with writing.progress("making pairs") as told:
        made = make_pairs(records, settings, told)
    tied = sum(preference.tie for preference in made)
    written = writing.write(made, out)
    writing.report(made, (out, written))
    writing.say(f"{len(made)} preferences made of {made.counts.kept} records, {tied} of them ties")


def _aggregation(votes: Votes) -> Aggregation | None:
    """How votes are aggregated, if they are.

    Raises:
        DataError: they are not, and something is said about how.
    """
    if votes.aggregate is not None:
        return votes.aggregation()
    if said := votes.given():
        mend = "Add --aggregate majority, or another method."
        raise DataError("is about votes that are aggregated.", where=flag(next(iter(said))), mend=mend)
    return None
