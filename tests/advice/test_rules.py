"""Made situations, each with the road that is right: the rules have to find it, and name their numbers."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from heedful.advice import rules
from heedful.advice.rule import Rule
from heedful.advice.rules import RULES, Reason, Recommendation, decide, ids
from tests.advice import made
from tests.advice.made import costs, facts, labels, reward, share
from tests.advice.situations import CAUTIONS, ROADS, UNSURE, Situation


def said_by(found: Recommendation, rule: str) -> Reason:
    """The reason or caution of a rule, which must be there."""
    (one,) = [one for one in (*found.reasons, *found.cautions) if one.rule == rule]
    return one


@pytest.mark.parametrize("situation", [*ROADS, *CAUTIONS, *UNSURE], ids=lambda one: one.name)
def test_the_right_road_is_found_and_its_reasons_name_the_numbers(situation: Situation) -> None:
    found = decide(situation.facts)
    assert found.road == situation.road
    words = said_by(found, situation.rule).words
    for number in situation.numbers:
        assert number in words


@pytest.mark.parametrize("situation", ROADS, ids=lambda one: one.name)
def test_what_is_clear_is_said_for_sure(situation: Situation) -> None:
    assert decide(situation.facts).sure


@pytest.mark.parametrize("situation", UNSURE, ids=lambda one: one.name)
def test_a_figure_too_close_to_its_threshold_is_called_that(situation: Situation) -> None:
    found = decide(situation.facts)
    assert not found.sure
    one = said_by(found, situation.rule)
    assert not one.sure
    assert "oo close to be sure" in one.words


def test_every_rule_has_a_situation_in_which_it_speaks() -> None:
    assert {one.rule for one in [*ROADS, *CAUTIONS]} == set(ids())
    assert len(ids()) == len(set(ids()))


@pytest.mark.parametrize("rule", ids())
def test_without_a_rule_a_situation_comes_out_otherwise(rule: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for kind in ("STOPPING", "AIMING", "STARTING", "CAUTIONS"):
        known: Sequence[Rule] = getattr(rules, kind)
        monkeypatch.setattr(rules, kind, tuple(one for one in known if one.id != rule))
    if rule == rules.TOO_LARGE.id:
        monkeypatch.setattr(rules, "TOO_LARGE", replace(rules.TOO_LARGE, says=lambda facts, ready: None))
    assert any(not _comes_out(one) for one in [*ROADS, *CAUTIONS])


def _comes_out(situation: Situation) -> bool:
    try:
        found = decide(situation.facts)
    except (AssertionError, StopIteration):
        return False
    said = [one.rule for one in (*found.reasons, *found.cautions)]
    return found.road == situation.road and situation.rule in said


def test_every_rule_names_a_source() -> None:
    assert all(rule.source for rule in RULES)


def test_a_reason_to_stop_outweighs_all_others() -> None:
    """Pairs, a reward, memory: and yet the labels are wrong."""
    found = decide(facts(labels=labels(0.45), reward=reward()))
    assert (found.road, found.stages, [one.rule for one in found.reasons]) == (
        "clean",
        (),
        ["labels_flipped"],
    )


def test_demonstrations_are_imitated_before_chosen_responses_are() -> None:
    both = facts(data=made.data(demonstrations=200, records={"demonstration": 200}), model=made.UNABLE)
    assert "the 200 demonstrations" in said_by(decide(both), "not_ready").words
    few = facts(data=made.data(demonstrations=10), model=made.UNABLE)
    assert "the chosen responses of the 500 pairs" in said_by(decide(few), "not_ready").words


def test_titles_say_the_road_in_words() -> None:
    assert decide(facts()).title == "DPO"
    assert decide(facts(model=made.UNABLE)).title == "SFT, then DPO"
    assert decide(facts(data=made.demonstrations(400), labels=None)).title == "SFT only"
    assert decide(facts(labels=labels(0.45))).title == "Clean the data first"


def test_lone_thumbs_are_no_ratings() -> None:
    """No stage learns from a thumb without a pair."""
    thumbs = made.no_pairs(records={"feedback": 3000}, unpaired=3000, prompts=3000)
    assert decide(facts(data=thumbs, labels=None)).road == "collect"


def test_memory_that_is_not_there_closes_every_road_through_ppo() -> None:
    small = costs(16, sft=10, dpo=12, ppo=30, dpo_ppo=30)
    many = replace(made.data(pairs=5000, prompts=5000), unlabelled=3000)
    assert decide(facts(data=many, costs=small)).road == "dpo"
    assert decide(facts(reward=reward(), costs=small)).road == "dpo"
    exact = facts(data=made.demonstrations(300), task=made.EXACT, labels=None, reward=reward(), costs=small)
    assert decide(exact).road == "sft"


SHARES = st.floats(0, 1).map(share)
COUNTS = st.sampled_from([0, 1, 60, 99, 100, 1500, 2000, 30_000])


@settings(max_examples=300, deadline=None)
@given(
    pairs=COUNTS,
    demonstrations=COUNTS,
    unpaired=COUNTS,
    unlabelled=COUNTS,
    exact=SHARES,
    same=st.none() | SHARES,
    ended=SHARES,
    correct=st.none() | SHARES,
    agrees=st.none() | SHARES,
    has_reward=st.booleans(),
    flipped=st.none() | st.floats(0, 0.5),
    room=st.sampled_from([8, 16, 64]),
)
def test_every_situation_has_an_answer_with_reasons(
    pairs: int,
    demonstrations: int,
    unpaired: int,
    unlabelled: int,
    has_reward: bool,
    room: int,
    **shares: object,
) -> None:
    found = decide(
        facts(
            data=made.data(
                pairs=pairs,
                demonstrations=demonstrations,
                unpaired=unpaired,
                unlabelled=unlabelled,
                records={"rating": unpaired},
                prompts=max(pairs, demonstrations, unpaired),
            ),
            task=made.TaskFacts(shares["exact"], shares["same"]),  # type: ignore[arg-type]
            model=replace(made.READY, ended=shares["ended"], correct=shares["correct"]),  # type: ignore[arg-type]
            labels=labels(shares["flipped"]),  # type: ignore[arg-type]
            reward=replace(reward(), agrees=shares["agrees"]) if has_reward else None,  # type: ignore[arg-type]
            costs=costs(room, sft=12, dpo=14, ppo=30, dpo_ppo=30),
        )
    )
    assert found.reasons
    assert bool(found.stages) == (found.first is None)
    if found.stages:
        assert found.stages[-1] != "reward"
        assert "ppo" not in found.stages or "reward" in found.stages or has_reward
        assert "sft" not in found.stages[1:]


def test_the_page_tells_every_rule_with_its_sources() -> None:
    page = (Path(__file__).resolve().parents[2] / "docs/advice.md").read_text(encoding="utf-8")
    rows = {row.split("`")[1]: row for row in page.splitlines() if row.startswith("| `")}
    for rule in RULES:
        assert rule.id in rows
        named = set(re.findall(r"[A-Z]\w+(?= et al\.)|\d{4}\.\d{5}", rule.source))
        for source in named:
            assert source in page, f"{rule.id}: {source}"
        authors = {name for name in named if name.isalpha()}
        assert all(name in rows[rule.id] for name in authors), f"{rule.id}: {authors}"
