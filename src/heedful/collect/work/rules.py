"""Whether an answer fits what is asked: the task, the item, and the project's settings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from heedful.collect.answer import Answer
from heedful.collect.settings import Settings, Task
from heedful.collect.store.model import Item

STRONGEST = {4: 4, 7: 3}
"""The most that a winner's strength can be, by the scale's number of steps."""

_ASKED: dict[Task, tuple[str, ...]] = {
    "pairwise": ("verdict", "strength"),
    "ranking": ("ranks",),
    "rating": ("scores",),
    "thumbs": ("thumbs",),
}
_ANSWERS = ("verdict", "strength", "ranks", "scores", "thumbs")


class Refused(ValueError):
    """An answer that does not fit what is asked; its message is a sentence for the person who gave it."""


def check(answer: Answer, item: Item, settings: Settings) -> Answer:
    """The answer, if it fits the task and the settings, as it is kept.

    Flags come in the settings' order, ranks without gaps, a rationale without spaces around it, and a tie
    on the scale of 7 with its strength of 0. It makes no difference to this whether the answer speaks of
    what was shown or of the item.

    Raises:
        Refused: it does not fit.
    """
    for flag in answer.flags:
        if flag not in settings.flags:
            raise Refused(f'There is no flag "{flag}" here.')
    rationale = answer.rationale.strip()
    flags = tuple(flag for flag in settings.flags if flag in answer.flags)
    tidy = answer.model_copy(update={"flags": flags, "rationale": rationale})
    if tidy.skipped:
        return _skip(tidy, settings)
    if tidy.reason:
        raise Refused("A reason is for skipping an item, and this one was judged.")
    if rationale and settings.rationale == "off":
        raise Refused("No rationale is asked for here.")
    if not rationale and settings.rationale == "required":
        raise Refused("Say in a few words why.")
    _only(tidy, _ASKED[settings.task])
    if settings.task == "pairwise":
        return _pair(tidy, len(item.responses), settings)
    if settings.task == "ranking":
        return tidy.model_copy(update={"ranks": _dense(tidy.ranks, len(item.responses))})
    if settings.task == "rating":
        return _rating(tidy, len(item.responses), settings)
    if tidy.thumbs is None or len(tidy.thumbs) != len(item.responses):
        raise Refused("Give every response a thumb up or down.")
    return tidy


def _only(answer: Answer, asked: Sequence[str]) -> None:
    for name in _ANSWERS:
        if name not in asked and getattr(answer, name) is not None:
            raise Refused(f"No {name} can be given here: the task asks for {' and '.join(asked)}.")


def _skip(answer: Answer, settings: Settings) -> Answer:
    if any(getattr(answer, name) is not None for name in _ANSWERS[1:]):
        raise Refused("An item that is skipped is not judged as well.")
    if answer.reason and answer.reason not in settings.skip_reasons:
        raise Refused("Choose one of the reasons for skipping, or say why in your own words.")
    if not answer.reason and not answer.rationale:
        raise Refused("Say why you skip this item.")
    return answer


def _pair(answer: Answer, responses: int, settings: Settings) -> Answer:
    if responses != len("ab"):
        raise Refused(f"This item has {responses} responses, and only two can be compared.")
    if answer.verdict is None:
        raise Refused("Say which response is better.")
    if answer.verdict == "tie" and not settings.tie:
        raise Refused("Ties are not allowed here: say which response is better.")
    if answer.verdict == "both_bad" and not settings.both_bad:
        raise Refused("Both cannot be called bad here: say which response is better.")
    if settings.strength == 7 and answer.verdict == "tie":
        if answer.strength:
            raise Refused("A tie has no strength.")
        return answer.model_copy(update={"strength": 0})
    if settings.strength is None or answer.verdict in ("tie", "both_bad"):
        if answer.strength is not None:
            raise Refused("No strength is asked for with this answer.")
        return answer
    most = STRONGEST[settings.strength]
    if answer.strength is None or not 1 <= answer.strength <= most:
        raise Refused(f"Say how much better it is, from 1 to {most}.")
    return answer


def _dense(ranks: tuple[int, ...] | None, responses: int) -> tuple[int, ...]:
    """Ranks without gaps, of ranks that have none or skip a place for each tie (1, 1, 3)."""
    if ranks is None or len(ranks) != responses:
        raise Refused("Give every response a rank.")
    places = sorted(set(ranks))
    dense = tuple(places.index(rank) + 1 for rank in ranks)
    skipping = tuple(1 + sum(other < rank for other in ranks) for rank in ranks)
    if ranks not in (dense, skipping):
        raise Refused("Ranks begin with 1 and leave no number out.")
    return dense


def _rating(answer: Answer, responses: int, settings: Settings) -> Answer:
    if answer.scores is None or len(answer.scores) != responses:
        raise Refused("Rate every response.")
    for scores in answer.scores:
        _aspects(scores, settings)
    in_order = tuple({aspect: scores[aspect] for aspect in settings.aspects} for scores in answer.scores)
    return answer.model_copy(update={"scores": in_order})


def _aspects(scores: Mapping[str, int], settings: Settings) -> None:
    for aspect in scores:
        if aspect not in settings.aspects:
            raise Refused(f'Nothing is rated by "{aspect}" here.')
    for aspect in settings.aspects:
        if aspect not in scores:
            raise Refused(f'Rate every response by "{aspect}".')
        if not 1 <= scores[aspect] <= settings.points:
            raise Refused(f"Scores go from 1 to {settings.points}.")
