"""UltraFeedback as published: `source, instruction, models[], completions[]`, each completion rated by GPT-4.

Every rating becomes a Rating of its own: `overall_score` (1 to 10) under the aspect "overall", and each of
`annotations` (1 to 5) under its name in lower case: "helpfulness", "honesty", "instruction_following",
"truthfulness". Higher is better in all of them. An aspect is `{Rating, Rationale, ...}`, or a list of one
such object in files of the annotation scripts; both are read, and ratings are numbers or their text. "N/A"
and null say that GPT-4 did not rate: each is left out as `unrated`.

Known fault: in the release of September 2023 many completions have 10 where 1 was meant. The score is kept as
it came, with `suspect_score` in the metadata where it is 10 and the aspects' mean is at most 4. That is the
range in which the authors' own repair (December 2023) gave another score: 1 up to a mean of 2, a fresh rating
up to 4. The mean of the rated aspects stands beside every overall score, as `aspects_mean`.

Metadata: `generator` and the `principle` it was told to follow; the critique with the overall score. The
rationales and the system prompts (another for each completion, so no part of the common prompt) are not kept.
The binarised sets (`prompt, chosen, rejected, score_chosen, score_rejected`) are in the layout of `trl`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..records import GENERATOR, Messages, Rating
from .fields import Fault, Fields, Origin, field, kind_of, numeric, prompt_of, provenance, response_of, text
from .format import Format

FIELDS = frozenset({"instruction", "completions"})
LAYOUTS = (FIELDS,)

OVERALL = "overall"
NOT_RATED = ("N/A", None)
TOP = 10
DOUBTFUL_MEAN = 4.0
"""Aspects this low on average do not go with an overall score of 10."""


def fits(row: Fields) -> bool:
    return row.keys() >= FIELDS and isinstance(row["completions"], list)


def parse(row: Fields, origin: Origin) -> list[Rating | Fault]:
    """The Ratings of every completion, and a Fault for each that is not rated or cannot be used."""
    prompt = prompt_of(text(field(row, "instruction"), "instruction"), "instruction")
    completions = field(row, "completions")
    if not isinstance(completions, list):
        raise Fault("wrong_type", f'"completions" must be a list, not {kind_of(completions)}')
    if not completions:
        raise Fault("no_responses", '"completions" is empty')
    own = provenance(row, origin, FIELDS | {"models"})
    found: list[Rating | Fault] = []
    for number, completion in enumerate(completions, start=1):
        try:
            found += _ratings(completion, f"{own['id']}.{number}", prompt, own)
        except Fault as fault:
            fault.part = completion
            found.append(fault)
    return found


def _ratings(completion: Any, id: str, prompt: Messages, own: Mapping[str, Any]) -> list[Rating | Fault]:
    if not isinstance(completion, dict):
        raise Fault("wrong_type", f"a completion must be an object, not {kind_of(completion)}")
    response = response_of(text(field(completion, "response"), "response"), "response")
    scores, found = _scores(completion)
    metadata = dict(own["metadata"])
    metadata |= {GENERATOR: completion.get("model"), "principle": completion.get("principle")}
    aspects = [score for aspect, score in scores.items() if aspect != OVERALL]
    for aspect, score in scores.items():
        extra = _beside_overall(completion, score, aspects) if aspect == OVERALL else {}
        about = {name: value for name, value in (metadata | extra).items() if value is not None}
        found.append(
            Rating(prompt, response, score, aspect, id=f"{id}.{aspect}", source=own["source"], metadata=about)
        )
    return found


def _scores(completion: Fields) -> tuple[dict[str, float], list[Rating | Fault]]:
    """The completion's scores by aspect, and those that cannot be read."""
    annotations = completion.get("annotations") or {}
    if not isinstance(annotations, dict):
        raise Fault("wrong_type", f'"annotations" must be an object, not {kind_of(annotations)}')
    given = {text(aspect, "aspect").lower(): _rating_of(value) for aspect, value in annotations.items()}
    if "overall_score" in completion:
        given[OVERALL] = completion["overall_score"]
    if not given:
        raise Fault("unrated", "the completion has no rating at all")
    scores: dict[str, float] = {}
    faults: list[Rating | Fault] = []
    for aspect, value in given.items():
        part = {"model": completion.get("model"), "aspect": aspect, "rating": value}
        try:
            if value in NOT_RATED:
                raise Fault("unrated", f'"{aspect}" is not rated')
            scores[aspect] = numeric(value, aspect)
        except Fault as fault:
            fault.part = part
            faults.append(fault)
    return scores, faults


def _rating_of(annotation: Any) -> Any:
    """What stands under "Rating"; null where there is none."""
    if isinstance(annotation, list) and len(annotation) == 1:
        annotation = annotation[0]
    return annotation.get("Rating") if isinstance(annotation, dict) else annotation


def _beside_overall(completion: Fields, score: float, aspects: list[float]) -> dict[str, Any]:
    """The metadata of an overall score: what its check needs, and the critique it ends."""
    beside: dict[str, Any] = {"critique": completion.get("critique")}
    if aspects:
        beside["aspects_mean"] = sum(aspects) / len(aspects)
        if score == TOP and beside["aspects_mean"] <= DOUBTFUL_MEAN:
            beside["suspect_score"] = True
    return beside


FORMAT = Format(
    name="ultrafeedback",
    about="UltraFeedback's rated completions",
    layouts=LAYOUTS,
    fits=fits,
    parse=parse,
)
