"""NVIDIA's HelpSteer sets: ratings of single responses, and preferences between two.

HelpSteer and HelpSteer2: `prompt, response, helpfulness, correctness, coherence, complexity, verbosity`, each
from 0 to 4. A row becomes five Ratings. Higher is better in the first three; complexity and verbosity say how
much, not how good. Rows of one prompt need not follow each other: nothing here depends on their order. In the
"disagreements" files an attribute is the list of its annotators' scores: the Rating is their mean, with the
list as `votes` in the metadata.

HelpSteer2 preference: `prompt, response_1, response_2, preference_strength`; HelpSteer3: `context` (turns),
`response1, response2, overall_preference`. In both, *negative prefers response 1*, -3 to 3, and the size is
the margin; 0 is a tie. -100 is how an annotator said that neither response is valid: published for single
votes, and left out as `neither_valid` where a row's own figure is it. Response 1 was shown first. The share
of the single votes that went to the chosen side is the metadata's `agreement`; votes of -100 went to neither.

A prompt of several turns is written in one text,
"...\\n<extra_id_1>Assistant\\n...\\n<extra_id_1>User\\n...", and is taken apart into its turns.
"""

from __future__ import annotations

import re
from typing import Any

from ..records import AGREEMENT, EVEN, SHOWN_FIRST, Messages, Preference, Rating, assistant, user
from .fields import (
    Fault,
    Fields,
    Origin,
    conversation,
    field,
    number,
    numeric,
    provenance,
    response_of,
    text,
)
from .format import Format

ATTRIBUTES = ("helpfulness", "correctness", "coherence", "complexity", "verbosity")
RATED = frozenset({"prompt", "response", *ATTRIBUTES})
PREFERENCE_2 = frozenset({"prompt", "response_1", "response_2", "preference_strength"})
PREFERENCE_3 = frozenset({"context", "response1", "response2", "overall_preference"})
LAYOUTS = (RATED, PREFERENCE_2, PREFERENCE_3)

STRONGEST = 3
NEITHER = -100
VOTES = {"all_preferences_unprocessed": "strength", "individual_preference": "score"}
"""The columns of single votes, of HelpSteer2 and of HelpSteer3, and where in a vote its strength stands."""

TURN = re.compile(r"\n*<extra_id_1>(User|Assistant)\n")


def fits(row: Fields) -> bool:
    return any(row.keys() >= layout for layout in LAYOUTS)


def parse(row: Fields, origin: Origin) -> Preference | list[Rating | Fault]:
    """A Preference where the row compares two responses, else a Rating for each attribute."""
    if "preference_strength" in row:
        return _preference(row, origin, _prompt(row), ("response_1", "response_2"), "preference_strength")
    if "overall_preference" in row:
        context = conversation(field(row, "context"), "context")
        if context and context[-1].role == "assistant":
            raise Fault("prompt_ends_with_assistant", '"context" must end with the user')
        return _preference(row, origin, context, ("response1", "response2"), "overall_preference")
    return _ratings(row, origin)


def _prompt(row: Fields) -> Messages:
    first, *more = TURN.split(text(field(row, "prompt"), "prompt"))
    later = zip(more[::2], more[1::2], strict=True)
    turns = (user(first), *(user(said) if who == "User" else assistant(said) for who, said in later))
    if turns[-1].role == "assistant":
        raise Fault("prompt_ends_with_assistant", '"prompt" must end with the user')
    return turns


def _ratings(row: Fields, origin: Origin) -> list[Rating | Fault]:
    prompt = _prompt(row)
    response = response_of(text(field(row, "response"), "response"), "response")
    own = provenance(row, origin, RATED)
    found: list[Rating | Fault] = []
    for aspect in ATTRIBUTES:
        given = field(row, aspect)
        try:
            score = _score(given, aspect)
        except Fault as fault:
            fault.part = {aspect: given}
            found.append(fault)
            continue
        metadata = own["metadata"] | ({"votes": given} if isinstance(given, list) else {})
        id = f"{own['id']}.{aspect}"
        found.append(Rating(prompt, response, score, aspect, id=id, source=own["source"], metadata=metadata))
    return found


def _score(given: Any, aspect: str) -> float:
    if given is None or given == []:
        raise Fault("unrated", f'"{aspect}" is not rated')
    votes = given if isinstance(given, list) else [given]
    return number(sum(numeric(vote, aspect) for vote in votes) / len(votes), aspect)


def _preference(
    row: Fields, origin: Origin, prompt: Messages, names: tuple[str, str], figure: str
) -> Preference:
    responses = [response_of(text(field(row, name), name), name) for name in names]
    strength = numeric(field(row, figure), figure)
    if strength == NEITHER:
        raise Fault("neither_valid", f'"{figure}" is {NEITHER}: neither response is valid')
    if abs(strength) > STRONGEST:
        raise Fault("bad_value", f'"{figure}" must be from -{STRONGEST} to {STRONGEST}, and is {strength:g}')
    second = strength > 0
    own = provenance(row, origin, {"prompt", "context", *names, figure})
    own["metadata"] |= {SHOWN_FIRST: "rejected" if second else "chosen"} | _agreement(row, strength)
    return Preference(
        prompt,
        responses[second],
        responses[not second],
        margin=abs(strength),
        probability=EVEN if strength == 0 else None,
        **own,
    )


def _agreement(row: Fields, strength: float) -> dict[str, float]:
    """The share of the single votes for the side that `strength` names; none for a tie or without votes."""
    for column, key in VOTES.items():
        votes = row.get(column)
        if not isinstance(votes, list):
            continue
        cast = [vote[key] for vote in votes if isinstance(vote, dict) and isinstance(vote.get(key), int)]
        if cast and strength:
            with_it = sum((vote > 0) == (strength > 0) for vote in cast if vote not in (0, NEITHER))
            return {AGREEMENT: with_it / len(cast)}
    return {}


FORMAT = Format(
    name="helpsteer",
    about="HelpSteer's ratings and preferences",
    layouts=LAYOUTS,
    fits=fits,
    parse=parse,
)
