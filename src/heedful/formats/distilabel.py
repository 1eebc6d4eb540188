"""distilabel's pairs with ratings: `prompt, chosen[], rejected[], chosen_rating, rejected_rating`.

Which side is better: `chosen`, the response that was rated highest, beats `rejected`, the one rated lowest.
The margin is the difference of the ratings. Equal ratings are a tie, `chosen` the first in name only; where
all of a prompt's responses were rated the same, distilabel's own step makes both sides the same response,
which is left out as `equal_sides`. A rating that is null leaves the row out as `unrated`.

Read are the spellings that were published: ratings as `chosen_rating`, `chosen-rating` (UltraFeedback cleaned
by Argilla) or `rating_chosen` (Capybara); the sides as `chosen` or, in older sets, `chosen_response`; text or
turns. Turns are whole conversations (system prompt, user, ..., reply): the prompt is what stands before the
last reply and must be the same on both sides. Where the sides are the replies alone it is `prompt`, or
`instruction`, under `system_prompt`. A row that names ratings of both sides is distilabel's, not TRL's or
LLaMA-Factory's.

The other generations and distilabel's record of how they were made are many times the size of the pair and
are not kept.
"""

from __future__ import annotations

from typing import Any

from ..records import EVEN, GENERATORS, SCORES, Message, Messages, Preference
from .fields import (
    Fault,
    Fields,
    Origin,
    check_response,
    conversation,
    field,
    kind_of,
    number,
    numeric,
    optional_text,
    prompt_of,
    provenance,
    response_of,
)
from .format import Format

Names = tuple[str, str]

SIDES: tuple[Names, ...] = (("chosen", "rejected"), ("chosen_response", "rejected_response"))
RATINGS: tuple[Names, ...] = (
    ("chosen_rating", "rejected_rating"),
    ("chosen-rating", "rejected-rating"),
    ("rating_chosen", "rating_rejected"),
)
MODELS: tuple[Names, ...] = (("chosen_model", "rejected_model"), ("chosen-model", "rejected-model"))
PROMPTS = ("prompt", "instruction")
LEFT_BEHIND = frozenset(
    {
        "conversation",
        "distilabel_metadata",
        "generation_prompt",
        "generations",
        "messages",
        "new_generations",
        "raw_generation_responses",
    }
)
LAYOUTS = tuple(frozenset({*sides, *ratings}) for sides in SIDES for ratings in RATINGS)


def fits(row: Fields) -> bool:
    return any(row.keys() >= layout for layout in LAYOUTS)


def parse(row: Fields, origin: Origin) -> Preference:
    """A Preference: `chosen` is better by the difference of the ratings; equal ratings are a tie."""
    sides, ratings, models = (_spelling(row, spellings) for spellings in (SIDES, RATINGS, MODELS))
    prompt, chosen, rejected = _parts(row, sides)
    better, worse = (_rating(row, name) for name in ratings)
    own = provenance(row, origin, {*sides, *ratings, *models, *PROMPTS, "system_prompt", *LEFT_BEHIND})
    own["metadata"] |= dict(zip(SCORES, (better, worse), strict=True))
    own["metadata"] |= {
        name: row[model] for name, model in zip(GENERATORS, models, strict=True) if row.get(model) is not None
    }
    margin = number(better - worse, "margin")
    tie = EVEN if better == worse else None
    return Preference(prompt, chosen, rejected, margin=margin, probability=tie, **own)


def _spelling(row: Fields, spellings: tuple[Names, ...]) -> Names:
    """The pair of names that the row has; the first, where it has none."""
    return next((names for names in spellings if row.keys() >= {*names}), spellings[0])


def _rating(row: Fields, name: str) -> float:
    if field(row, name) is None:
        raise Fault("unrated", f'"{name}" is null')
    return numeric(row[name], name)


def _parts(row: Fields, names: Names) -> tuple[Messages, Messages, Messages]:
    """The prompt and the two replies."""
    values = [field(row, name) for name in names]
    if not all(isinstance(value, list) for value in values):
        if any(isinstance(value, list) for value in values):
            kinds = " and ".join(kind_of(value) for value in values)
            raise Fault("wrong_type", f'"{names[0]}" and "{names[1]}" must be of one type, not {kinds}')
        return _prompt(row), response_of(values[0], names[0]), response_of(values[1], names[1])
    chosen, rejected = (conversation(value, name) for value, name in zip(values, names, strict=True))
    if not chosen or not rejected:
        side = "rejected" if chosen else "chosen"
        raise Fault(f"empty_{side}", f'"{side}" has no turns')
    if chosen[:-1] != rejected[:-1]:
        raise Fault("no_common_prompt", "the two sides differ before their last reply")
    prompt = chosen[:-1] or _prompt(row)
    if prompt and prompt[-1].role == "assistant":
        raise Fault("prompt_ends_with_assistant", "the assistant has answered before the last reply")
    return prompt, check_response(chosen[-1:], names[0]), check_response(rejected[-1:], names[1])


def _prompt(row: Fields) -> Messages:
    """The prompt in a column of its own."""
    name = next((name for name in PROMPTS if row.get(name) is not None), PROMPTS[0])
    prompt: Any = prompt_of(field(row, name), name)
    system = optional_text(row, "system_prompt")
    return (Message("system", system), *prompt) if system else prompt


FORMAT = Format(
    name="distilabel", about="distilabel's pairs with ratings", layouts=LAYOUTS, fits=fits, parse=parse
)
