"""OpenAssistant's trees: every prompter message is ranked or says why not, and nothing is lost."""

from __future__ import annotations

from collections import Counter
from itertools import count
from typing import Any

import pytest

from heedful.errors import DataError
from heedful.formats import read
from heedful.formats.fields import Fault, Origin
from heedful.formats.oasst import FORMAT
from heedful.records import Ranking, assistant, user


def node(text: str, *replies: dict[str, Any], role: str = "assistant", **more: Any) -> dict[str, Any]:
    message = {"message_id": f"id {text}", "text": text, "role": role, "lang": "en", "deleted": False}
    return message | {"synthetic": False, "rank": None, "replies": list(replies)} | more


def ask(text: str, *replies: dict[str, Any], **more: Any) -> dict[str, Any]:
    return node(text, *replies, role="prompter", **more)


def tree(prompt: dict[str, Any], state: str | None = "ready_for_export") -> dict[str, Any]:
    return {"message_tree_id": prompt["message_id"], "tree_state": state, "prompt": prompt}


def rankings(kept) -> list[Ranking]:
    return [record for record in kept if isinstance(record, Ranking)]


TWO = ask("Why?", node("Best.", rank=0), node("Worse.", rank=1))


def test_a_prompter_message_ranks_its_replies_from_1(jsonl) -> None:
    (ranking,) = rankings(read(jsonl([tree(ask("Why?", node("Worse.", rank=1), node("Best.", rank=0)))])))

    assert ranking.prompt == (user("Why?"),)
    assert ranking.responses == ((assistant("Worse."),), (assistant("Best."),))
    assert ranking.ranks == (2, 1)
    assert (ranking.id, ranking.metadata) == ("id Why?", {"tree": "id Why?", "language": "en"})


def test_equal_ranks_are_ties(jsonl) -> None:
    replies = [node("a", rank=0), node("b", rank=0), node("c", rank=2.0)]
    (ranking,) = rankings(read(jsonl([tree(ask("Why?", *replies))])))

    assert ranking.ranks == (1, 1, 3)


def test_the_conversation_so_far_is_the_prompt(jsonl) -> None:
    later = ask("And?", node("x", rank=1), node("y", rank=0), lang="de")
    root = ask("Why?", node("Best.", later, rank=0), node("Worse.", rank=1))
    first, second = rankings(read(jsonl([tree(root)])))

    assert first.prompt == (user("Why?"),)
    assert second.prompt == (user("Why?"), assistant("Best."), user("And?"))
    assert second.metadata["language"] == "de"


def test_a_tree_is_gone_through_depth_first_in_the_order_of_its_replies(jsonl) -> None:
    def pair(text: str, *below: dict[str, Any]) -> dict[str, Any]:
        return ask(text, node(f"{text} a", *below, rank=0), node(f"{text} b", rank=1))

    root = ask("1", node("a", pair("2", pair("3")), pair("4"), rank=0), node("b", pair("5"), rank=1))

    assert [r.prompt[-1].content for r in rankings(read(jsonl([tree(root)])))] == ["1", "2", "3", "4", "5"]


def test_every_prompter_message_and_every_reply_left_out_is_counted_by_hand(jsonl) -> None:
    root = ask(
        "Why?",
        node("0", ask("no reply"), ask("one reply", node("alone", rank=0)), rank=0),
        node("1", ask("two unranked", node("u"), node("v")), rank=1),
        node("no rank"),
        node("deleted", ask("below", node("p", rank=0), node("q", rank=1)), rank=2, deleted=True),
        node("spam", rank=3, review_result=False),
        node("synthetic", rank=4, synthetic=True, model_name="m"),
        ask("wrong role"),
    )
    kept = read(jsonl([tree(root)]))

    assert [r.ranks for r in rankings(kept)] == [(1, 2)]
    assert kept.counts.quarantined == {
        "too_few_ranked": 3,  # no reply, one reply, two unranked
        "unranked": 1,  # not those of "two unranked": they are part of that message's outcome
        "deleted": 1,  # with the ranked replies below it
        "spam": 1,
        "synthetic": 1,
        "bad_role": 1,
    }
    assert kept.counts.read == 1 + 8
    raws = {(row.reason, row.raw["text"]): row.raw for row in kept.quarantined}
    assert raws["deleted", "deleted"]["replies"][0]["text"] == "below"
    assert "replies" not in raws["too_few_ranked", "no reply"]
    assert ("unranked", "no rank") in raws


def test_what_models_wrote_is_read_when_asked_for(jsonl) -> None:
    replies = [node("human", rank=1), node("machine", rank=0, synthetic=True, model_name="m")]
    path = jsonl([tree(ask("Why?", *replies))])

    plain = read(path)
    assert (len(plain), plain.counts.quarantined) == (0, {"synthetic": 1, "too_few_ranked": 1})
    (ranking,) = rankings(read(path, format="oasst-synthetic"))
    assert (ranking.ranks, ranking.metadata["generators"]) == ((2, 1), [None, "m"])


@pytest.mark.parametrize("state", ["prompt_lottery_waiting", "aborted_low_grade", None])
def test_a_tree_that_is_not_ready_is_left_out_whole(jsonl, state: str | None) -> None:
    kept = read(jsonl([tree(TWO), tree(TWO, state)]))

    assert (len(kept), kept.counts.quarantined) == (1, {"tree_not_ready": 1})


@pytest.mark.parametrize(
    ("root", "reason"),
    [
        (ask("x", deleted=True), "deleted"),
        (node("x"), "bad_role"),
        (ask("x", node("a", rank=0), node("b", rank=-1), node("c", rank=1)), "bad_value"),
        (ask("x", node("a", rank=0), node("b", rank=1), "text"), "wrong_type"),  # type: ignore[arg-type]
        (TWO | {"text": None}, "wrong_type"),
        (ask("x", node("a", rank=0, replies=3), node("b", rank=1)), "wrong_type"),
        (ask("x", node("a", rank=0), node(" ", rank=1)), "empty_response"),
    ],
)
def test_a_message_that_cannot_be_used_is_counted(jsonl, root: dict[str, Any], reason: str) -> None:
    assert read(jsonl([tree(TWO), tree(root)])).counts.quarantined == {reason: 1}


def test_a_tree_deeper_than_the_stack_is_read(jsonl) -> None:
    depth = 3_000
    numbers = count()
    root = here = ask("q")
    for _ in range(depth):
        following = ask(f"q{next(numbers)}")
        here["replies"] = [node("a", following, rank=0), node("b", rank=1)]
        here = following
    outcomes = FORMAT.parse(tree(root), Origin("here", "x:1", "x"))

    assert isinstance(outcomes, list)
    kinds = Counter(o.reason if isinstance(o, Fault) else type(o).__name__ for o in outcomes)
    assert kinds == {"Ranking": depth, "too_few_ranked": 1}
    deepest = [o for o in outcomes if isinstance(o, Ranking)][-1]
    assert len(deepest.prompt) == 2 * depth - 1


def test_a_table_of_single_messages_is_told_from_trees(jsonl) -> None:
    flat = {"message_id": "1", "parent_id": None, "text": "Why?", "role": "prompter", "message_tree_id": "1"}
    path = jsonl([flat | {"tree_state": "ready_for_export", "rank": None}])

    with pytest.raises(DataError, match="not recognised"):
        read(path)
    with pytest.raises(
        DataError, match="a table of single messages is another layout: read the file of trees"
    ):
        read(path, format="oasst")
