"""Numbers in words: what is called clear, and what is not."""

import math
from collections.abc import Iterable
from dataclasses import replace

import numpy as np
import pytest

from heedful.evaluation.answer_scores import AnswerScores
from heedful.intervals import wilson
from heedful.report import AccuracyRow, ReportData
from heedful.report.wording import (
    Number,
    Row,
    accuracy_groups,
    against_coin,
    behaviour_groups,
    clean,
    compare,
    percent,
    ruler_notes,
    score_groups,
)


def share(successes: int, n: int = 100) -> Number:
    return Number(successes / n, *wilson(successes, n), n, "pairs", "share")


def verdicts(rows: Iterable[Row]) -> dict[str, str]:
    return {row.stage: row.verdict.headline for row in rows if row.verdict}


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0%"),
        (0.004, "0.4%"),
        (0.0001, "0.1%"),
        (0.5, "50%"),
        (0.998, "99.8%"),
        (0.9999, "99.9%"),
        (1.0, "100%"),
    ],
)
def test_a_share_is_called_all_or_none_only_where_it_is(value: float, text: str) -> None:
    assert percent(value) == text


def test_a_number_never_stands_without_n_and_interval() -> None:
    assert share(76, 120).caption == "95% 54\u201371%, n = 120 pairs"
    assert Number(54.4, 51.2, 58.9, 1200, "answers", "words").caption == "95% 51\u201359, n = 1,200 answers"
    assert Number(3.0, math.nan, math.nan, 1, "answers", "words").caption == "95% unknown, n = 1 answer"


def test_a_difference_inside_the_interval_is_no_clear_difference() -> None:
    verdict = compare(share(55), share(50), "base", "up")
    assert verdict.headline == "no clear difference from base"
    assert verdict.detail == "+5 points (\u22129 to +18)"
    assert verdict.tone == "unclear"


def test_a_difference_outside_the_interval_is_clear_and_judged_by_its_direction() -> None:
    assert compare(share(80), share(50), "base", "up").headline == "clear rise from base"
    assert compare(share(80), share(50), "base", "up").tone == "good"
    assert compare(share(50), share(80), "base", "up").tone == "bad"
    assert compare(share(50), share(80), "base", "down").tone == "good"
    assert compare(share(50), share(80), "base", "neither").tone == "plain"
    assert compare(share(50), share(80), "base", "down").text.startswith(
        "clear fall from base: \u221230 points ("
    )


def test_the_same_number_twice_is_no_difference() -> None:
    exact = Number(64.0, 64.0, 64.0, 50, "answers", "words")
    assert compare(exact, exact, "base", "neither").text == "no clear difference from base: 0 words (0 to 0)"


def test_a_number_without_an_interval_is_never_clear() -> None:
    unknown = Number(99.0, math.nan, math.nan, 1, "answers", "words")
    verdict = compare(unknown, Number(10.0, 9.0, 11.0, 50, "answers", "words"), "base", "neither")
    assert verdict.headline == "too few to tell from base"
    assert verdict.tone == "unclear"


@pytest.mark.parametrize(("successes", "tone"), [(80, "good"), (55, "unclear"), (20, "bad")])
def test_an_accuracy_alone_is_held_against_a_coin(successes: int, tone: str) -> None:
    assert against_coin(share(successes)).tone == tone


def test_every_stage_is_compared_with_the_one_before_and_the_last_with_the_first(data: ReportData) -> None:
    rows = [
        AccuracyRow("Per token", stage, k / 100, *wilson(k, 100), 100)
        for stage, k in [("base", 45), ("SFT", 65), ("DPO", 70)]
    ]
    (group,) = accuracy_groups(replace(data, stages=["base", "SFT", "DPO"], accuracy=rows))
    assert verdicts(group.rows) == {
        "base": "no clear difference from a coin",
        "SFT": "clear rise from base",
        "DPO": "no clear difference from SFT",
    }
    assert verdicts(group.ends) == {"DPO": "clear rise from base"}


def test_where_the_road_forks_each_branch_is_compared_with_where_it_left_and_with_the_first(
    data: ReportData,
) -> None:
    measured = {
        "base": data.behaviour["base"],
        "SFT": data.behaviour["DPO"],
        "DPO": data.behaviour["base"],
        "PPO": data.behaviour["DPO"],
    }
    forked = replace(data, stages=list(measured), origins={"PPO": "SFT"}, behaviour=measured)
    ended = behaviour_groups(forked)[0]
    assert verdicts(ended.rows) == {
        "SFT": "clear rise from base",
        "DPO": "clear fall from SFT",
        "PPO": "no clear difference from SFT",
    }
    assert verdicts(ended.ends) == {"DPO": "no clear difference from base", "PPO": "clear rise from base"}


def test_scores_are_compared_prompt_by_prompt(data: ReportData) -> None:
    scores = np.array([-4.0, -3.0, -2.0, -1.0, 0.0])
    low, high = AnswerScores(scores), AnswerScores(scores + 0.25)
    (group,) = score_groups(replace(data, scores={"Reward model": {"base": low, "DPO": high}}))
    base, trained = group.rows
    assert (base.number.text, base.number.n_text) == ("\u22122.00", "5 whole answers")
    assert trained.verdict is not None
    assert trained.verdict.text == "clear rise from base: +0.25 (+0.25 to +0.25), on 5 prompts"
    left, right = group.axis
    assert left < base.number.low
    assert right > 0
    assert score_groups(data) == []


def test_a_change_of_scores_is_judged_where_both_models_answers_ended(data: ReportData) -> None:
    cut = np.nan
    base = AnswerScores(np.array([0.0, 1.0, 2.0, 3.0, 4.0, cut, cut, cut]))
    trained = AnswerScores(np.array([-0.5, 0.5, 1.5, 2.5, 3.5, 90.0, 90.0, 90.0]))
    (group,) = score_groups(replace(data, scores={"Reward model": {"base": base, "DPO": trained}}))
    assert [row.number.n for row in group.rows] == [5, 8]
    assert group.rows[1].number.value > group.rows[0].number.value + 30
    (end,) = group.ends
    assert end.verdict is not None
    assert end.verdict.text == "clear fall from base: \u22120.50 (\u22120.50 to \u22120.50), on 5 prompts"


def test_too_few_whole_answers_show_a_dash(data: ReportData) -> None:
    cut = np.nan
    base = AnswerScores(np.array([0.0, 1.0, 2.0, 3.0, cut, cut, cut]))
    trained = AnswerScores(np.array([cut, cut, cut, 3.0, 4.0, 5.0, 6.0]) + 1)
    (group,) = score_groups(replace(data, scores={"Reward model": {"base": base, "DPO": trained}}))
    assert [row.number.text for row in group.rows] == ["\u2013", "\u2013"]
    assert group.rows[0].number.caption == "95% unknown, n = 4 whole answers"
    (end,) = group.ends
    assert end.verdict is not None
    assert end.verdict.text == "too few to tell from base: \u2013, on 1 prompt"
    assert end.verdict.tone == "unclear"
    assert group.axis == (0.0, 1.0)
    assert "fewer than 5" in group.explanation


def test_rulers_come_last_in_one_group_and_are_not_judged(data: ReportData) -> None:
    groups = accuracy_groups(data)
    assert [group.label for group in groups] == ["Implicit reward", "Per token", "Rulers"]
    assert [(row.stage, row.verdict) for row in groups[-1].rows] == [("Shorter wins", None)]
    assert groups[-1].ruler
    assert groups[-1].ends == ()


def test_an_accuracy_is_held_against_the_best_ruler(data: ReportData) -> None:
    assert ruler_notes(accuracy_groups(data)) == [
        "Implicit reward, DPO: 80%, clearly above the best ruler, \u201cShorter wins\u201d (60%).",
        "Per token, DPO: 55%, not clearly different from the best ruler, \u201cShorter wins\u201d (60%).",
    ]


def test_without_rulers_there_is_nothing_to_hold_against(data: ReportData) -> None:
    assert ruler_notes(accuracy_groups(replace(data, accuracy=data.accuracy[:3]))) == []


def test_behaviour_says_which_way_is_better(data: ReportData) -> None:
    groups = {group.label: group for group in behaviour_groups(data)}
    tones = {label: end.verdict.tone for label, group in groups.items() for end in group.ends if end.verdict}
    assert tones == {
        "Ends by itself": "good",
        "Opens with a preamble": "good",
        "Length, median": "plain",
        "Length, mean": "plain",
    }


def test_stages_keep_the_reports_order_whatever_the_dictionarys(data: ReportData) -> None:
    turned = replace(data, behaviour=dict(reversed(data.behaviour.items())))
    assert [row.stage for row in behaviour_groups(turned)[0].rows] == ["base", "DPO"]


def test_one_stage_has_numbers_but_no_change(data: ReportData) -> None:
    group = behaviour_groups(replace(data, behaviour={"DPO": data.behaviour["DPO"]}))[0]
    assert group.rows[0].number.text == "95%"
    assert group.ends == ()


def test_no_measurements_make_no_groups() -> None:
    assert behaviour_groups(ReportData("empty")) == []
    assert accuracy_groups(ReportData("empty")) == []


def test_control_characters_and_lone_surrogates_are_replaced_and_line_ends_kept() -> None:
    assert clean("a\x00b\x1b[31mc\ud800\r\nd\te\u00e9") == "a\ufffdb\ufffd[31mc\ufffd\nd\te\u00e9"
