"""Label Studio's exports, JSON and JSON-MIN: one record per vote of one annotator.

    {"id", "data": {"prompt", "answer1", "answer2"}, "annotations": [{"id", "completed_by", "lead_time",
    "result": [{"type": "pairwise", "value": {"selected": "left"}}]}]}

Which side is better: `selected` names it; `left` is the first of the two and was shown first. Of `choices`,
the words of `votes` name a side, a tie or both bad. In a `rating` more is better. A `ranker`'s list has the
best first: a bare list, or the one bucket beside `_`, which holds what was not ranked; each unranked item is
left out as `unranked`. The order of several buckets stands in the project's configuration and not in the
export, so such a ranking is `ambiguous`. A list item's text is its `body`, `text`, `html`, `content` or,
failing those, its `title`.

Field names are the project's own: those of `votes` are tried, the column options name others inside `data`.
An annotation that was cancelled or holds no vote, and a task without annotations, is `no_vote`. JSON-MIN has
one annotation a row, its results beside the data under the names of their controls; a choice is there only
text, so it is read where the column is named (`--label-column`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..records import SECONDS, Rating, Record
from .fields import (
    Fault,
    Fields,
    Origin,
    field,
    kind_of,
    number,
    provenance,
    response_of,
    text,
)
from .format import Format
from .votes import aspect_of, compared, pair_in, prompt_in, ranked, rated_in, signed, verdict, verdict_of

EXPORT = frozenset({"data", "annotations"})
MINIMAL = frozenset({"annotator", "annotation_id", "lead_time"})
LAYOUTS = (EXPORT, MINIMAL)

OLD_ANNOTATIONS = "completions"
"""What annotations were called before Label Studio 1.0."""
UNRANKED = "_"
ITEM_TEXTS = ("body", "text", "html", "content", "title")
VALUES = {"selected": "pairwise", "choices": "choices", "rating": "rating", "ranker": "ranker"}
"""The key of a result's value and the result's type."""
MINIMAL_KEYS = MINIMAL | {"created_at", "updated_at", "agreement"}


def fits(row: Fields) -> bool:
    if isinstance(row.get("data"), dict):
        return isinstance(row.get("annotations", row.get(OLD_ANNOTATIONS)), list)
    return row.keys() >= MINIMAL


def parse(row: Fields, origin: Origin) -> list[Record | Fault]:
    """The records of all annotations of a task; an annotation that cannot be used is a `Fault` of its own."""
    data, annotations = _minimal(row) if "data" not in row else _task(row)
    if not annotations:
        raise Fault("no_vote", "nobody has annotated the task")
    outcomes: list[Record | Fault] = []
    for annotation in annotations:
        try:
            outcomes += _votes(annotation, data, origin)
        except Fault as fault:
            outcomes.append(Fault(fault.reason, fault.detail, part=annotation))
    return outcomes


def _task(row: Fields) -> tuple[dict[str, Any], list[Any]]:
    """A task's data, with the task's id, and its annotations."""
    data, annotations = row["data"], row.get("annotations", row.get(OLD_ANNOTATIONS))
    if not isinstance(data, dict):
        raise Fault("wrong_type", f'"data" must be an object, not {kind_of(data)}')
    if not isinstance(annotations, list):
        raise Fault("missing_field", '"annotations" is missing or no list')
    return data | ({"id": row["id"]} if row.get("id") is not None else {}), annotations


def _minimal(row: Fields) -> tuple[dict[str, Any], list[Any]]:
    """The same of a JSON-MIN row, its results put back in the form that the full export has."""
    field(row, "annotation_id")
    results: list[dict[str, Any]] = []
    for name, values in row.items():
        for value in values if isinstance(values, list) else ():
            kinds = value.keys() & VALUES.keys() if isinstance(value, dict) else ()
            results += [{"from_name": name, "type": VALUES[kind], "value": value} for kind in kinds]
    if isinstance(row.get("label"), str):
        results.append({"from_name": "label", "type": "choices", "value": {"choices": [row["label"]]}})
    names = {result["from_name"] for result in results}
    data = {key: value for key, value in row.items() if key not in MINIMAL_KEYS | names}
    annotation = {
        "id": row["annotation_id"],
        "completed_by": row.get("annotator"),
        "result": results,
        "lead_time": row.get("lead_time"),
        "created_at": row.get("created_at"),
    }
    return data, [annotation] if row["annotation_id"] is not None else []


def _votes(annotation: Any, data: dict[str, Any], origin: Origin) -> list[Record | Fault]:
    if not isinstance(annotation, dict):
        raise Fault("wrong_type", f"an annotation must be an object, not {kind_of(annotation)}")
    if annotation.get("was_cancelled") or annotation.get("skipped"):
        raise Fault("no_vote", "the annotator skipped the task")
    results = annotation.get("result") or []
    if not isinstance(results, list) or not all(isinstance(result, dict) for result in results):
        raise Fault("wrong_type", '"result" must be a list of objects')
    typed = [result for result in results if str(result.get("type")) in READERS]
    votes = [result for result in typed if result["type"] != "choices" or _is_verdict(result, data)] or typed
    if not votes:
        raise Fault("no_vote", "the annotation holds no comparison, rating or ranking")
    others = [result for result in results if not any(result is vote for vote in votes)]
    outcomes: list[Record | Fault] = []
    for vote in votes:
        own = _own(annotation, vote, data, origin, several=len(votes) > 1)
        if others:
            own["metadata"] |= {"other_results": others}
        try:
            outcomes += READERS[vote["type"]](vote, data, own)
        except Fault as fault:
            outcomes.append(Fault(fault.reason, fault.detail, part=annotation | {"result": [vote]}))
    return outcomes


def _own(
    annotation: Fields, vote: Fields, data: dict[str, Any], origin: Origin, *, several: bool
) -> dict[str, Any]:
    """The id (of task, annotation and, where it has several votes, question), the source and the metadata."""
    own = provenance(data, origin, ())
    question = vote.get("from_name")
    parts = (own["id"], annotation.get("id"), question if several else None)
    own["id"] = ".".join(str(part) for part in parts if isinstance(part, str | int) and part != "")
    signed(own, annotation.get("completed_by"))
    seconds = annotation.get("lead_time")
    if isinstance(seconds, int | float) and not isinstance(seconds, bool):
        own["metadata"] |= {SECONDS: number(seconds, "lead_time")}
    if isinstance(question, str):
        own["metadata"] |= {"question": question}
    own["metadata"] |= {key: annotation[key] for key in ("created_at", "ground_truth") if annotation.get(key)}
    return own


def _value(vote: Fields, key: str) -> Any:
    value = field(vote, "value")
    if not isinstance(value, dict):
        raise Fault("wrong_type", f'"value" must be an object, not {kind_of(value)}')
    return field(value, key)


def _names(vote: Fields, data: Fields) -> tuple[str, str]:
    """The fields of the two responses: those the result names (`"to_name": "answer1,answer2"`), if any."""
    named = vote.get("to_name")
    names = named.split(",") if isinstance(named, str) else []
    if len(names) == 2 and all(name in data for name in names):
        return names[0], names[1]
    return pair_in(data)


def _pair(vote: Fields, data: Fields, word: Any, key: str, own: dict[str, Any]) -> list[Record | Fault]:
    asked, prompt = prompt_in(data)
    names = _names(vote, data)
    first, second = (response_of(data[name], name) for name in names)
    for name in (asked, *names):
        own["metadata"].pop(name, None)
    return [compared(prompt, first, second, verdict(text(word, key), key, *names), own)]


def _pairwise(vote: Fields, data: Fields, own: dict[str, Any]) -> list[Record | Fault]:
    return _pair(vote, data, _value(vote, "selected"), "selected", own)


def _choices(vote: Fields, data: Fields, own: dict[str, Any]) -> list[Record | Fault]:
    chosen = _value(vote, "choices")
    if not isinstance(chosen, list) or len(chosen) != 1:
        raise Fault("bad_value", '"choices" must hold exactly one choice')
    return _pair(vote, data, chosen[0], "choices", own)


def _is_verdict(vote: Fields, data: Fields) -> bool:
    """Whether a choice is about which response is better, and not about something else (a topic)."""
    value = vote.get("value")
    chosen = value.get("choices") if isinstance(value, dict) else None
    if not isinstance(chosen, list) or len(chosen) != 1 or not isinstance(chosen[0], str):
        return False
    try:
        return verdict_of(chosen[0], *_names(vote, data)) is not None
    except Fault:
        return verdict_of(chosen[0]) is not None


def _rating(vote: Fields, data: Fields, own: dict[str, Any]) -> list[Record | Fault]:
    asked, prompt = prompt_in(data)
    score = number(_value(vote, "rating"), "rating")
    question, rated = str(vote.get("from_name") or "rating"), vote.get("to_name")
    name = rated if isinstance(rated, str) and rated in data else rated_in(data, question)
    response = response_of(data[name], name)
    for used in (asked, name):
        own["metadata"].pop(used, None)
    return [Rating(prompt, response, score, aspect_of(question, name), **own)]


def _ranker(vote: Fields, data: Fields, own: dict[str, Any]) -> list[Record | Fault]:
    asked, prompt = prompt_in(data)
    listed, items = _items(vote, data)
    order = _order(_value(vote, "ranker"))
    if unknown := [name for name in order if name not in items]:
        raise Fault("bad_value", f'"{unknown[0]}" is ranked but not among the items of "{listed}"')
    if len(set(order)) < len(order):
        raise Fault("bad_value", "an item is ranked twice")
    for used in (asked, listed):
        own["metadata"].pop(used, None)
    rank = {name: place for place, name in enumerate(order, 1)}
    shown = [name for name in items if name in rank]
    responses = [response_of(items[name], f"{listed}.{name}") for name in shown]
    own["metadata"] |= {"items": shown}
    left = [name for name in items if name not in rank]
    unranked = [Fault("unranked", f'the item "{name}" was left unranked', part=name) for name in left]
    return [ranked(prompt, responses, [rank[name] for name in shown], own), *unranked]


def _order(given: Any) -> list[str]:
    """The ids of the ranked items, the best first."""
    if isinstance(given, dict):
        buckets = {name: ids for name, ids in given.items() if name != UNRANKED and ids}
        if len(buckets) > 1:
            what = f"the export does not say how the buckets {', '.join(buckets)} are ordered"
            raise Fault("ambiguous", f"{what}: rank in one bucket")
        given = next(iter(buckets.values()), [])
    if not isinstance(given, list):
        raise Fault("wrong_type", f'"ranker" must hold lists of ids, not {kind_of(given)}')
    return [str(name) if isinstance(name, int) else text(name, "ranker") for name in given]


def _items(vote: Fields, data: Fields) -> tuple[str, dict[str, Any]]:
    """The name of the list that was ranked, and its items' texts by id."""
    lists = {name: value for name, value in data.items() if _is_listed(value)}
    named = str(vote.get("to_name"))
    name = named if named in lists else "items" if "items" in lists else next(iter(lists), "")
    if not name or (len(lists) > 1 and name not in (named, "items")):
        raise Fault("ambiguous" if lists else "missing_field", "no one list of items with ids was ranked")
    texts = {str(item["id"]): _item_text(item, name) for item in lists[name]}
    if len(texts) < len(lists[name]):
        raise Fault("bad_value", f'two items of "{name}" have one id')
    return name, texts


def _is_listed(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(i, dict) and "id" in i for i in value)


def _item_text(item: Fields, name: str) -> Any:
    key = next((key for key in ITEM_TEXTS if key in item), None)
    if key is None:
        raise Fault("missing_field", f'an item of "{name}" has no text ({", ".join(ITEM_TEXTS)})')
    return item[key]


READERS: dict[str, Callable[[Fields, Fields, dict[str, Any]], list[Record | Fault]]] = {
    "pairwise": _pairwise,
    "choices": _choices,
    "rating": _rating,
    "ranker": _ranker,
}

FORMAT = Format(
    name="label-studio", about="Label Studio's annotated tasks", layouts=LAYOUTS, fits=fits, parse=parse
)
