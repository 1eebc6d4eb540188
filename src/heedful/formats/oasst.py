"""OpenAssistant's conversation trees, one a row: `{message_tree_id, tree_state, prompt: node}`.

A node is `message_id, text, role (prompter or assistant), lang, rank, deleted, synthetic, replies[]`, as in
oasst_data's `ExportMessageNode`. Which reply is better: rank 0 is best; Heedful ranks from 1, and equal ranks
are ties. A reply's rank is kept plus one even where a better one was left out, so ranks may have gaps.

Every prompter message that is reached comes to one outcome: a Ranking of its ranked replies, the conversation
so far as the prompt, or, with fewer than two of them, the Fault `too_few_ranked`. A reply without a rank
beside two that have one is a Fault of its own (`unranked`). Deleted messages, those that reviewers rejected
(`review_result` false: the project's word for spam), and, unless the format is "oasst-synthetic", those that
a model wrote are left out with all that was said below them: one Fault each. A tree in any state but
`ready_for_export` is left out whole.

The table of single messages (`message_id, parent_id, text, role` in each row) is another layout, not read.
"""

from __future__ import annotations

from functools import partial
from typing import Any, NamedTuple

from ..records import LANGUAGE, Message, Messages, Ranking, assistant, user
from .fields import Fault, Fields, Origin, field, kind_of, number, provenance, text
from .format import Format

TREE = frozenset({"message_tree_id", "prompt"})
LAYOUTS = (TREE,)
READY = "ready_for_export"
ANSWERS = {"prompter": "assistant", "assistant": "prompter"}
"""Which role replies to which."""

FEWEST = 2


class _Reply(NamedTuple):
    """A message that can be used, with its own text as the last of the conversation."""

    node: Fields
    turns: Messages
    rank: int | None


def fits(row: Fields) -> bool:
    return row.keys() >= TREE and isinstance(row["prompt"], dict)


def _parse(row: Fields, origin: Origin, *, synthetic: bool) -> list[Ranking | Fault]:
    """The Rankings of a tree, and the Faults of what is left out, depth first."""
    if "prompt" not in row:
        what = '"prompt" is missing'
        if "parent_id" in row:
            what += (
                "; a table of single messages is another layout: read the file of trees (*.trees.jsonl.gz)"
            )
        raise Fault("missing_field", what)
    if row.get("tree_state") != READY:
        raise Fault("tree_not_ready", f'"tree_state" is {row.get("tree_state")!r}, not "{READY}"')
    own = provenance(row, origin, TREE | {"tree_state"})
    own["metadata"]["tree"] = row.get("message_tree_id")
    found: list[Ranking | Fault] = []
    waiting = _usable([row["prompt"]], (), "prompter", synthetic, found)
    while waiting:  # a loop, as trees may be deeper than Python's stack
        here = waiting.pop()
        role = here.node["role"]
        replies = _usable(_replies(here.node, found), here.turns, ANSWERS[role], synthetic, found)
        if role == "prompter":
            found += _ranking(here, replies, own)
        waiting += reversed(replies)
    return found


def _usable(
    nodes: list[Any], before: Messages, role: str, synthetic: bool, found: list[Ranking | Fault]
) -> list[_Reply]:
    """The messages among `nodes` that can be used; `found` gets a Fault for each other."""
    usable = []
    for node in nodes:
        try:
            said = _message(node, role, synthetic)
            usable.append(_Reply(node, (*before, said), _rank(node) if role == "assistant" else None))
        except Fault as fault:
            fault.part = node
            found.append(fault)
    return usable


def _message(node: Any, role: str, synthetic: bool) -> Message:
    if not isinstance(node, dict):
        raise Fault("wrong_type", f"a message must be an object, not {kind_of(node)}")
    if node.get("deleted"):
        raise Fault("deleted", "the message was deleted")
    if node.get("review_result") is False:
        raise Fault("spam", "reviewers rejected the message")
    if node.get("synthetic") and not synthetic:
        raise Fault("synthetic", "a model wrote the message; --format oasst-synthetic keeps such ones")
    if field(node, "role") != role:
        raise Fault("bad_role", f'"role" is {node["role"]!r} where the {role} has the turn')
    said = text(field(node, "text"), "text")
    return user(said) if role == "prompter" else assistant(said)


def _rank(node: Fields) -> int | None:
    if node.get("rank") is None:
        return None
    rank = number(node["rank"], "rank")
    if rank < 0 or rank != int(rank):
        raise Fault("bad_value", f'"rank" must be a whole number from 0, and is {rank:g}')
    return int(rank)


def _replies(node: Fields, found: list[Ranking | Fault]) -> list[Any]:
    replies = node.get("replies")
    if replies is None or isinstance(replies, list):
        return replies or []
    what = f'"replies" must be a list, not {kind_of(replies)}'
    found.append(Fault("wrong_type", what, part=node))
    return []


def _ranking(here: _Reply, replies: list[_Reply], own: Fields) -> list[Ranking | Fault]:
    """The Ranking of a prompter's replies, with the Faults of those without a rank."""
    ranked = [(reply, reply.rank) for reply in replies if reply.rank is not None]
    if len(ranked) < FEWEST:
        what = f"{len(ranked)} of {len(replies)} replies are ranked, and a ranking takes {FEWEST}"
        return [Fault("too_few_ranked", what, part=_alone(here.node))]
    metadata = dict(own["metadata"])
    if here.node.get("lang") is not None:
        metadata[LANGUAGE] = here.node["lang"]
    if any(reply.node.get("synthetic") for reply, _ in ranked):
        metadata["generators"] = [reply.node.get("model_name") for reply, _ in ranked]
    name = here.node.get("message_id")
    ranking = Ranking(
        here.turns,
        tuple(reply.turns[-1:] for reply, _ in ranked),
        tuple(rank + 1 for _, rank in ranked),
        id=name if isinstance(name, str) and name else own["id"],
        source=own["source"],
        metadata=metadata,
    )
    unranked = (reply for reply in replies if reply.rank is None)
    return [ranking, *(Fault("unranked", "the reply has no rank", part=_alone(r.node)) for r in unranked)]


def _alone(node: Fields) -> dict[str, Any]:
    """A message without what was said below it, which has outcomes of its own."""
    return {key: value for key, value in node.items() if key != "replies"}


FORMAT = Format(
    name="oasst",
    about="OpenAssistant's conversation trees",
    layouts=LAYOUTS,
    fits=fits,
    parse=partial(_parse, synthetic=False),
)
SYNTHETIC = Format(
    name="oasst-synthetic",
    about="OpenAssistant's conversation trees, with what models wrote",
    layouts=(),  # the same rows: it is only read by name
    fits=lambda row: False,
    parse=partial(_parse, synthetic=True),
)
