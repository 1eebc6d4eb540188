"""Argilla 2's records, as `Record.to_dict` and `to_json` give them: one record per vote of one user.

    {"id", "fields": {"prompt", "response1", "response2"}, "metadata": {}, "suggestions": {},
    "responses": {"preference": [{"value": "response1", "user_id"}]}}

Which side is better: a label names it, by the field's name or in the words of `votes` (a tie and both bad
too). In a rating more is better; its question names the response it rates (`response1_helpfulness`), where
there are several. A ranking has the best first. Argilla's people may rank two responses alike, but its SDK
exports the names alone, in order: **ties are lost**, and the metadata of a record read from such a list say
so (`"ties_lost": true`). Values of `{value, rank}`, as the server has them, keep their ties (1 is best, null
is `unranked`). A ranking of two becomes a pair, of more a Ranking.

Field names are the user's own: those of `votes` are tried, the column options name others inside `fields`. An
answer that names a renamed field by its old name is `bad_value`, so where the responses are the only fields
beside the prompt, name the prompt alone.

The server's own form of `responses`, a list of `{"values": {question: {"value"}}, "user_id", "status"}`, is
read as well. Answers of status `draft` or `discarded` are `no_vote`, as is a record that nobody has answered;
`to_dict` leaves the status out, so filter there before exporting. A user's other answers (comments, spans)
become the metadata `answers`; vectors are not kept.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from ..records import Messages, Rating, Record
from .fields import Fault, Fields, Origin, field, kind_of, number, provenance, response_of, text
from .format import Format
from .votes import aspect_of, compared, pair_in, prompt_in, ranked, rated_in, responses_in, signed, verdict_of

LAYOUTS = (frozenset({"fields", "responses"}),)
UNSENT = frozenset({"draft", "discarded"})
INNER = frozenset({"fields", "responses", "metadata", "vectors"})
"""Keys whose contents are taken apart, or (vectors) left behind; the others become metadata."""


class _User(NamedTuple):
    """Who answered, as the row has it, and what, by question."""

    annotator: Any
    values: dict[str, Any]


def fits(row: Fields) -> bool:
    return isinstance(row.get("fields"), dict) and isinstance(row.get("responses"), dict | list)


def parse(row: Fields, origin: Origin) -> list[Record | Fault]:
    """The votes of all users; what of a user's answers cannot be used is a `Fault` of its own."""
    given = field(row, "fields")
    if not isinstance(given, dict):
        raise Fault("wrong_type", f'"fields" must be an object, not {kind_of(given)}')
    users, outcomes = _users(field(row, "responses"))
    if not users and not outcomes:
        raise Fault("no_vote", "nobody has answered")
    for user in users:
        try:
            outcomes += _votes(user, given, row, origin)
        except Fault as fault:
            outcomes.append(Fault(fault.reason, fault.detail, part=_raw(user)))
    return outcomes


def _users(responses: Any) -> tuple[list[_User], list[Record | Fault]]:
    """The users who answered, in order, and the answers that are none."""
    users: dict[str, _User] = {}
    faults: list[Record | Fault] = []
    for place, (question, answer) in enumerate(_flat(responses)):
        if not isinstance(answer, dict) or "value" not in answer:
            what = f'an answer to "{question}" must be an object with a value, not {kind_of(answer)}'
            faults.append(Fault("wrong_type", what, part=answer))
        elif answer.get("status") in UNSENT or answer["value"] is None:
            what = f'the answer to "{question}" is {answer.get("status") or "empty"}'
            faults.append(Fault("no_vote", what, part=answer))
        else:
            name = answer.get("user_id")
            user = users.setdefault(str(place if name is None else name), _User(name, {}))
            user.values[question] = answer["value"]
    return list(users.values()), faults


def _flat(responses: Any) -> list[tuple[str, Any]]:
    """Every answer with its question, of either form."""
    if isinstance(responses, dict):
        return [
            (question, answer)
            for question, answers in responses.items()
            for answer in (answers if isinstance(answers, list) else [answers])
        ]
    if not isinstance(responses, list):
        raise Fault("no_vote" if responses is None else "wrong_type", f'"responses" is {kind_of(responses)}')
    flat: list[tuple[str, Any]] = []
    for response in responses:
        values = response.get("values") if isinstance(response, dict) else None
        if not isinstance(values, dict) or not values:
            unsent = isinstance(response, dict) and response.get("status") in UNSENT
            flat.append(("", {"value": None} | response if unsent else response))
            continue
        who = {key: response[key] for key in ("user_id", "status") if key in response}
        flat += [(name, value | who if isinstance(value, dict) else value) for name, value in values.items()]
    return flat


def _raw(user: _User) -> dict[str, Any]:
    return {"user_id": user.annotator, "values": user.values}


def _votes(user: _User, given: Fields, row: Fields, origin: Origin) -> list[Record | Fault]:
    votes = [question for question, value in user.values.items() if _is_vote(value, given)]
    if not votes:
        raise Fault("no_vote", f"{', '.join(user.values)}: no answer names a side, rates or ranks")
    others = {question: value for question, value in user.values.items() if question not in votes}
    outcomes: list[Record | Fault] = []
    for question in votes:
        own = _own(user, question, given, row, origin, several=len(votes) > 1)
        if others:
            own["metadata"] |= {"answers": others}
        try:
            outcomes += _read(question, user.values[question], given, own)
        except Fault as fault:
            part = {"user_id": user.annotator, "values": {question: user.values[question]}}
            outcomes.append(Fault(fault.reason, fault.detail, part=part))
    return outcomes


def _own(
    user: _User, question: str, given: Fields, row: Fields, origin: Origin, *, several: bool
) -> dict[str, Any]:
    """The id (of record, user and, where a user has several votes, question), the source and the metadata."""
    metadata = row.get("metadata")
    columns = dict(metadata) if isinstance(metadata, dict) else {}
    columns |= given
    columns |= {key: value for key, value in row.items() if key not in INNER and value not in ({}, None)}
    own = provenance(columns, origin, ())
    parts = (own["id"], user.annotator, question if several else None)
    own["id"] = ".".join(str(part) for part in parts if part not in (None, ""))
    signed(own, user.annotator)
    own["metadata"] |= {"question": question}
    return own


def _is_vote(value: Any, given: Fields) -> bool:
    if isinstance(value, list):
        names = [entry.get("value") if isinstance(entry, dict) else entry for entry in value]
        return bool(names) and all(isinstance(name, str) and name in given for name in names)
    if isinstance(value, str):
        return value in responses_in(given) or verdict_of(value) is not None
    return isinstance(value, int | float) and not isinstance(value, bool)


def _read(question: str, value: Any, given: Fields, own: dict[str, Any]) -> list[Record | Fault]:
    asked, prompt = prompt_in(given)
    own["metadata"].pop(asked, None)

    def taken(name: str) -> Messages:
        own["metadata"].pop(name, None)
        return response_of(given[name], name)

    if isinstance(value, list):
        return _ranking(value, given, prompt, own)
    if isinstance(value, str):
        names = pair_in(given)
        said = verdict_of(text(value, question), *names)
        if said is None:
            raise Fault("ambiguous", f'"{value}" is one of several responses, and not of two')
        return [compared(prompt, taken(names[0]), taken(names[1]), said, own)]
    name = rated_in(given, question)
    return [Rating(prompt, taken(name), number(value, question), aspect_of(question, name), **own)]


def _ranking(value: list[Any], given: Fields, prompt: Messages, own: dict[str, Any]) -> list[Record | Fault]:
    """A ranking by names in order, or by `{value, rank}`."""
    ranks: dict[str, int] = {}
    unranked: list[Record | Fault] = []
    for place, entry in enumerate(value, 1):
        name, rank = (entry["value"], entry.get("rank")) if isinstance(entry, dict) else (entry, place)
        if name in ranks:
            raise Fault("bad_value", f'"{name}" is ranked twice')
        if rank is None:
            unranked.append(Fault("unranked", f'"{name}" was left unranked', part=entry))
        elif isinstance(rank, bool) or not isinstance(rank, int) or rank < 1:
            raise Fault("bad_value", f'the rank of "{name}" must be a whole number from 1')
        else:
            ranks[name] = rank
    if not any(isinstance(entry, dict) for entry in value):
        own["metadata"] |= {"ties_lost": True}
    shown = [name for name in given if name in ranks]
    own["metadata"] = {key: kept for key, kept in own["metadata"].items() if key not in shown}
    own["metadata"] |= {"items": shown}
    responses = [response_of(given[name], name) for name in shown]
    return [ranked(prompt, responses, [ranks[name] for name in shown], own), *unranked]


FORMAT = Format(name="argilla", about="Argilla 2's records", layouts=LAYOUTS, fits=fits, parse=parse)
