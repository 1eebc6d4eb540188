"""Preferences from a judge: what is made of which verdict, and counts that add up twice."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from heedful import formats
from heedful.errors import DataError
from heedful.judges import JudgeSettings, OnDone, Question, Verdict
from heedful.judges.function import FunctionJudge
from heedful.judges.scores import ScoreJudge
from heedful.labelling import LEFT_OUT, Labelled, LabelSettings, label
from heedful.models.rewards import FunctionReward
from heedful.quarantine import Kept, Quarantined
from heedful.records import (
    Candidates,
    Demonstration,
    Messages,
    Preference,
    Ranking,
    Record,
    assistant,
    user,
)


def said(*texts: str) -> tuple[Messages, ...]:
    return tuple((assistant(text),) for text in texts)


def candidates(number: int, *texts: str, **metadata: Any) -> Candidates:
    return Candidates((user(f"q{number}"),), said(*texts), f"c{number}", "src", metadata)


def longer(prompt: str, first: str, second: str) -> str:
    return "tie" if len(first) == len(second) else "first" if len(first) > len(second) else "second"


def leftmost(prompt: str, first: str, second: str) -> str:
    return "first"


def lengths(prompts: list[str], responses: list[str]) -> list[int]:
    return [len(response) for response in responses]


class Scripted:
    """Says of each answer in front what a function of the question says."""

    name = "scripted"

    def __init__(self, rule: Callable[[Question], Verdict], *, symmetric: bool = False) -> None:
        self.rule, self.symmetric = rule, symmetric
        self.asked: list[Question] = []

    def __call__(self, questions: Sequence[Question], on_done: OnDone | None = None) -> list[Verdict]:
        self.asked += questions
        return [self.rule(question) for question in questions]


def labelled(records: Sequence[Record], judge: Any, **settings: Any) -> Labelled:
    """All pairs and all records are accounted for, whatever was asked."""
    made = label(records, judge, quiet=True, **settings)
    counts = made.counts
    assert counts.read == counts.kept + sum(counts.quarantined.values())
    assert made.compared == len(made) + sum(made.left_out.values())
    assert {row.reason for row in made.quarantined} <= {*LEFT_OUT, "broken"}
    return made


def texts(made: Sequence[Preference]) -> list[tuple[str, str, str]]:
    return [(one.id, one.chosen[0].content, one.rejected[0].content) for one in made]


def test_candidates_become_preferences_that_say_who_judged() -> None:
    record = candidates(1, "a", "bb", "ccc", generators=["m1", "m2", "m3"], topic="x")
    made = labelled([record], FunctionJudge(longer))
    assert texts(made) == [("c1:1+2", "bb", "a"), ("c1:1+3", "ccc", "a"), ("c1:2+3", "ccc", "bb")]
    assert (made[0].prompt, made[0].source, made[0].margin) == ((user("q1"),), "src", None)
    assert made[0].metadata == {
        "topic": "x",
        "generator_chosen": "m2",
        "generator_rejected": "m1",
        "annotator": f"{__name__}:longer",
        "both_orders": True,
    }
    assert made.counts.kept == 1
    assert made.judge == f"{__name__}:longer"


def test_every_record_is_used_or_left_out_with_a_reason() -> None:
    records: list[Record] = [
        candidates(1, "a", "bb"),
        candidates(2, "lone"),
        candidates(3, "same", " same "),
        Demonstration((user("q"),), (assistant("a"),), id="d"),
    ]
    before = [Quarantined("file:9", "broken", "a broken line", None)]
    made = labelled(Kept(records, before), FunctionJudge(longer))
    assert made.counts.quarantined == {"broken": 1, "one_response": 1, "equal_sides": 1, "no_candidates": 1}
    assert made.counts.read == 5
    assert len(made) == made.compared == 1


def test_a_verdict_that_changes_with_the_order_is_a_tie_or_is_left_out() -> None:
    records = [candidates(1, "a", "bb"), candidates(2, "c", "d")]
    made = labelled(records, FunctionJudge(leftmost))
    assert [(one.tie, one.metadata["both_orders"]) for one in made] == [(True, False)] * 2
    assert texts(made)[0] == ("c1", "a", "bb")
    dropped = labelled(records, FunctionJudge(leftmost), inconsistent="drop")
    assert (len(dropped), dropped.left_out) == (0, Counter(inconsistent=2))
    assert dropped.counts.quarantined == {"inconsistent": 2}
    assert dropped.reliability is not None
    assert dropped.reliability.flips is not None
    assert dropped.reliability.flips.value == 1.0
    assert "verdicts that change with the order of the answers: 100.0%" in "\n".join(dropped.lines())


def test_ties_are_kept_as_such_or_left_out() -> None:
    records = [candidates(1, "a", "b", "cc")]
    made = labelled(records, FunctionJudge(longer))
    assert [(one.id, one.probability) for one in made] == [
        ("c1:1+2", 0.5),
        ("c1:1+3", None),
        ("c1:2+3", None),
    ]
    made = labelled(records, FunctionJudge(longer), ties="drop")
    assert ([one.id for one in made], made.left_out) == (["c1:1+3", "c1:2+3"], Counter(tie=1))
    assert made.counts.quarantined == {}  # the record serves two preferences all the same


def test_who_gives_no_verdict_gives_a_reason() -> None:
    def rule(question: Question) -> Verdict:
        if question.prompt == (user("q2"),) and question.first == "bb":
            return Verdict(None, why="too long", undecided="rejected")
        return Verdict("first" if question.first == "bb" else "second")

    made = labelled([candidates(1, "a", "bb"), candidates(2, "a", "bb")], Scripted(rule))
    assert (len(made), made.left_out) == (1, Counter(rejected=1))
    (row,) = made.quarantined
    assert (row.where, row.reason, row.detail) == ("c2", "rejected", "too long")
    assert made.reliability is not None
    assert made.reliability.undecided.count == 1


@pytest.mark.parametrize(("undecided", "reason"), [("", "unreadable"), ("asleep", "asleep")])
def test_a_judge_of_ones_own_may_have_its_own_reasons_or_none(undecided: str, reason: str) -> None:
    judge = Scripted(lambda question: Verdict(None, undecided=undecided))
    made = label([candidates(1, "a", "bb")], judge, quiet=True)
    assert (made.left_out, made.counts.quarantined) == (Counter([reason]), {reason: 1})


def test_a_reward_scores_each_answer_once_and_says_by_how_much() -> None:
    scored: list[str] = []

    def score(prompts: list[str], responses: list[str]) -> list[int]:
        scored.extend(responses)
        return lengths(prompts, responses)

    made = labelled([candidates(1, "a", "bbb", "cc")], ScoreJudge(FunctionReward(score)))
    assert sorted(scored) == ["a", "bbb", "cc"]
    assert [(one.chosen[0].content, one.margin) for one in made] == [("bbb", 2.0), ("cc", 1.0), ("bbb", 1.0)]
    assert (made[0].metadata["score_chosen"], made[0].metadata["score_rejected"]) == (3.0, 1.0)
    assert "both_orders" not in made[0].metadata
    assert made.reliability is not None
    assert (made.reliability.flips, made.reliability.again) == (None, None)


def test_scores_that_differ_by_little_are_left_out() -> None:
    judge = ScoreJudge(FunctionReward(lengths))
    made = labelled([candidates(1, "a", "bbb", "cc")], judge, min_margin=1.5)
    assert texts(made) == [("c1:1+2", "bbb", "a")]
    assert made.left_out == Counter(small_margin=2)
    with pytest.raises(DataError, match="this judge gives none"):
        label([], FunctionJudge(longer), min_margin=1.5)


@pytest.mark.parametrize(
    ("judge", "mode", "pairs", "asked"),
    [
        (FunctionJudge(longer), "all", ["1+2", "1+3", "1+4", "2+3", "2+4", "3+4"], 6),
        (FunctionJudge(longer), "adjacent", ["1+2", "2+3", "3+4"], 3),
        (FunctionJudge(longer), "best-worst", ["1+2"], 6),
        (ScoreJudge(FunctionReward(lengths)), "adjacent", ["1+3", "2+4", "3+4"], 6),
        (ScoreJudge(FunctionReward(lengths)), "best-worst", ["1+2"], 6),
    ],
)
def test_which_pairs_are_made(judge: Any, mode: str, pairs: list[str], asked: int) -> None:
    """By length the answers stand 1, 3, 4, 2."""
    made = labelled([candidates(1, "a", "dddd", "bb", "ccc")], judge, pairs=mode)
    assert [one.id.removeprefix("c1:") for one in made] == pairs
    assert made.compared == asked
    assert made.left_out == Counter({"not_chosen": asked - len(pairs)} if asked > len(pairs) else {})


def test_labels_are_judged_anew_and_set_beside() -> None:
    records: list[Record] = [
        Preference((user("q1"),), *said("aa", "b"), id="p1"),
        Preference((user("q2"),), *said("a", "bb"), id="p2", metadata={"annotator": "ann", "topic": "x"}),
        Preference((user("q3"),), *said("a", "bb"), id="p3", probability=0.2),
        Ranking((user("q4"),), said("ccc", "a", "bb"), (1, 3, 2), "r4"),
    ]
    made = labelled(records, FunctionJudge(longer))
    assert texts(made) == [
        ("p1", "aa", "b"),
        ("p2", "bb", "a"),
        ("p3", "bb", "a"),
        ("r4:1+2", "ccc", "a"),
        ("r4:1+3", "ccc", "bb"),
        ("r4:2+3", "bb", "a"),
    ]
    assert made[1].metadata["annotator"] == f"{__name__}:longer"
    assert made[1].metadata["topic"] == "x"
    assert made.reliability is not None
    assert made.reliability.labels is not None
    assert (made.reliability.labels.same.count, made.reliability.labels.same.of) == (5, 6)
    assert "the same as the labels of the data: 83.3%" in "\n".join(made.lines())


def test_a_side_that_metadata_name_goes_with_it() -> None:
    record = Preference((user("q"),), *said("a", "bb"), id="p", metadata={"gold": "chosen"})
    (made,) = labelled([record], FunctionJudge(longer))
    assert (made.chosen[0].content, made.metadata["gold"]) == ("bb", "rejected")


def test_responses_of_several_turns_keep_them() -> None:
    before = (assistant("which?"), user("that"))
    record = Candidates((user("q"),), ((*before, assistant("a")), (*before, assistant("bb"))), "c")
    judge = Scripted(lambda question: Verdict("first" if question.first == "bb" else "second"))
    (made,) = labelled([record], judge)
    assert judge.asked[0].prompt == (user("q"), *before)
    assert (made.prompt, made.chosen) == ((user("q"),), (*before, assistant("bb")))


def test_a_judge_is_asked_again_as_much_as_is_wished() -> None:
    records = [candidates(number, "a", "bb") for number in range(20)]
    for share, count in ((0.0, None), (0.1, 2), (1.0, 20)):
        made = labelled(records, FunctionJudge(longer), again=share)
        assert made.reliability is not None
        again = made.reliability.again
        assert (None if again is None else again.of) == count


def test_nothing_to_compare_is_no_reliability() -> None:
    made = labelled([candidates(1, "lone")], FunctionJudge(longer))
    assert (len(made), made.reliability) == (0, None)
    assert made.lines() == [f"{__name__}:longer: 0 pairs, 0 preferences made of them, 0 ties"]


def test_from_file_to_file_by_a_name(tmp_path: Path) -> None:
    """And what comes out is read by all that reads preferences."""
    (tmp_path / "judge.py").write_text(
        "def longer(p, a, b): return 'first' if len(a) > len(b) else 'second'\n"
    )
    formats.write([candidates(1, "a", "bb"), candidates(2, "ccc", "d")], tmp_path / "in.jsonl")
    name = f"{tmp_path / 'judge.py'}:longer"
    made = label(tmp_path / "in.jsonl", name, quiet=True)
    assert texts(label(tmp_path / "in.jsonl", JudgeSettings.named(name), quiet=True)) == texts(made)
    formats.write(made, tmp_path / "out.jsonl")
    found = formats.read(tmp_path / "out.jsonl")
    assert list(found) == list(made)
    assert [one.metadata["annotator"] for one in found] == [name] * 2  # type: ignore[union-attr]


@pytest.mark.parametrize(
    "wrong", [{"pairs": "some"}, {"ties": "x"}, {"inconsistent": "x"}, {"min_margin": -1.0}, {"again": 1.5}]
)
def test_settings_that_do_not_fit_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        LabelSettings(**wrong)
