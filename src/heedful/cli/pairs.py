"""`heedful pairs`: preferences from ratings, rankings, thumbs and votes. No model is loaded."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from heedful.cli.data_options import Reading
from heedful.cli.data_output import Writing
from heedful.errors import DataError
from heedful.prepare.pair_settings import Aggregation, BothBad, Method, Mode, PairSettings, Soft, Ties

_COMPARED = "What is compared"
_VOTES = "Votes of several annotators"


def pairs(
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="Feedback of any kind.")],
    out: Annotated[Path, typer.Argument(metavar="OUT", help="The preferences.")],
    reading: Reading,
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
    aggregate: Annotated[
        Method | None,
        typer.Option(help="Make one preference of all votes on a pair.", rich_help_panel=_VOTES),
    ] = None,
    min_votes: Annotated[
        int | None,
        typer.Option(metavar="N", min=1, help="Leave pairs with fewer votes out.", rich_help_panel=_VOTES),
    ] = None,
    min_agreement: Annotated[
        float | None,
        typer.Option(
            metavar="SHARE",
            min=0,
            max=1,
            help="Leave pairs out if fewer votes gave the outcome.",
            rich_help_panel=_VOTES,
        ),
    ] = None,
    soft: Annotated[
        Soft | None,
        typer.Option(
            help="Where the likelihood p goes; a weight is 2p - 1. Left out, it is the probability.",
            rich_help_panel=_VOTES,
        ),
    ] = None,
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
        aggregate=_aggregation(aggregate, min_votes=min_votes, min_agreement=min_agreement, soft=soft),
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


def _aggregation(method: Method | None, **given: Any) -> Aggregation | None:
    """How votes are aggregated, if they are.

    Raises:
        DataError: they are not, and something is said about how.
    """
    said = {name: value for name, value in given.items() if value is not None}
    if method is not None:
        return Aggregation(method=method, **said)
    if said:
        option = "--" + next(iter(said)).replace("_", "-")
        mend = "Add --aggregate majority, or another method."
        raise DataError("is about votes that are aggregated.", where=option, mend=mend)
    return None
