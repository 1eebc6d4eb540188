"""Scored responses: rows of `prompt, response, score`, or of `prompt, responses[{response, score, name}]`.

Higher scores are better. Each scored response becomes a Rating under its `aspect` ("overall" where none is
named); scores are kept as they are, numbers or their text. `prompt` and `response` are text or turns. In a
list, `name` says who wrote the response and becomes the metadata's `generator`; one without a score is left
out as `unrated`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..records import GENERATOR, Messages, Rating
from .fields import Fault, Fields, Origin, field, kind_of, numeric, prompt_of, provenance, response_of, text
from .format import Format

ONE = frozenset({"prompt", "response", "score"})
SEVERAL = frozenset({"prompt", "responses"})
LAYOUTS = (ONE, SEVERAL)
SCORED = frozenset({"response", "score"})
OVERALL = "overall"


def fits(row: Fields) -> bool:
    if row.keys() >= ONE:
        return isinstance(row["prompt"], str | list) and isinstance(row["response"], str | list)
    responses = row.get("responses")
    if "prompt" not in row or not isinstance(responses, list) or not responses:
        return False
    return isinstance(responses[0], dict) and responses[0].keys() >= SCORED


def parse(row: Fields, origin: Origin) -> Rating | list[Rating | Fault]:
    """A Rating, or those of a list of responses with a Fault for each that has none."""
    prompt = prompt_of(field(row, "prompt"), "prompt")
    if "responses" not in row:
        return _rating(row, prompt, provenance(row, origin, ONE | {"aspect"}))
    responses = row["responses"]
    if not isinstance(responses, list):
        raise Fault("wrong_type", f'"responses" must be a list, not {kind_of(responses)}')
    if not responses:
        raise Fault("no_responses", '"responses" is empty')
    own = provenance(row, origin, SEVERAL | {"aspect"})
    found: list[Rating | Fault] = []
    for number, entry in enumerate(responses, start=1):
        try:
            if not isinstance(entry, dict):
                raise Fault("wrong_type", f"a response must be an object, not {kind_of(entry)}")
            entry_own = _of_entry(entry, own, number)
            found.append(_rating(entry, prompt, entry_own, row.get("aspect")))
        except Fault as fault:
            fault.part = entry
            found.append(fault)
    return found


def _of_entry(entry: Fields, own: Mapping[str, Any], number: int) -> dict[str, Any]:
    """Where a response of a list comes from: the row's own, and what the entry says besides."""
    beside = {key: value for key, value in entry.items() if key not in SCORED | {"aspect", "name"}}
    if entry.get("name") is not None:
        beside[GENERATOR] = entry["name"]
    return {"id": f"{own['id']}.{number}", "source": own["source"], "metadata": own["metadata"] | beside}


def _rating(entry: Fields, prompt: Messages, own: Mapping[str, Any], usual_aspect: Any = None) -> Rating:
    response = response_of(field(entry, "response"), "response")
    if field(entry, "score") is None:
        raise Fault("unrated", "the response has no score")
    named = (aspect for aspect in (entry.get("aspect"), usual_aspect) if aspect is not None)
    aspect = text(next(named, OVERALL), "aspect")
    return Rating(prompt, response, numeric(entry["score"], "score"), aspect, **own)


FORMAT = Format(name="scored", about="responses with scores", layouts=LAYOUTS, fits=fits, parse=parse)
