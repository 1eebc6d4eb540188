"""The options of every command that makes one preference of several people's votes, written once.

A command declares a parameter `votes: Votes` and is registered through `aggregates_votes`, which puts
`--aggregate`, `--min-votes`, `--min-agreement` and `--soft` in its place.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

from heedful.cli.data_options import option, options_for
from heedful.prepare.pair_settings import Aggregation, Method, Soft

_GROUP = "Votes of several annotators"


@dataclass(frozen=True)
class Votes:
    """What was said of how votes become preferences; None of what was not."""

    aggregate: Method | None = None
    min_votes: int | None = None
    min_agreement: float | None = None
    soft: Soft | None = None

    def given(self) -> dict[str, Any]:
        """What was said, by the names of the options."""
        return {name: value for name, value in asdict(self).items() if value is not None}

    def aggregation(self) -> Aggregation:
        """What was said, and the defaults of `Aggregation` for the rest."""
        said = self.given()
        method = {"method": said.pop("aggregate")} if self.aggregate is not None else {}
        return Aggregation(**method, **said)


def flag(name: str) -> str:
    """A parameter's name as its option is written."""
    return "--" + name.replace("_", "-")


def aggregates_votes(command: Callable[..., None], *, otherwise: str) -> Callable[..., None]:
    """The command with the options in place of its parameter `votes`.

    Args:
        otherwise: what happens where `--aggregate` is left out, for its help.
    """
    return options_for(command, "votes", _options(otherwise), Votes)


def _options(otherwise: str) -> list[inspect.Parameter]:
    own = functools.partial(option, group=_GROUP)
    return [
        own(
            "aggregate",
            Method | None,
            None,
            help=f"How the votes on a pair become one preference; left out, {otherwise}.",
        ),
        own("min_votes", int | None, None, metavar="N", min=1, help="Leave pairs with fewer votes out."),
        own(
            "min_agreement",
            float | None,
            None,
            metavar="SHARE",
            min=0,
            max=1,
            help="Leave pairs out if fewer votes gave the outcome.",
        ),
        own(
            "soft",
            Soft | None,
            None,
            help="Where the likelihood p goes; a weight is 2p - 1. Left out, it is the probability.",
        ),
    ]
