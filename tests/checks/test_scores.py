"""Score bugs: scales by hand, overall against aspects, ties, margins and scores against the label."""

from __future__ import annotations

import math

import pytest

from heedful.checks.score_scales import scale_of
from heedful.checks.scores import ScoreBugs
from heedful.records import Ranking, assistant, user
from tests.checks.planted import CLEAN, codes, left_out, only, outcome, pair, rating


@pytest.mark.parametrize(
    ("scores", "scale"),
    [
        ([1, 2, 3, 4, 5] * 20, (1, 5)),
        ([0, 1, 2, 3, 4] * 20, (0, 4)),
        ([3, 4] * 50, (0, 4)),
        ([0] + [1, 2, 3, 4] * 50, (0, 4)),
        ([1, 2, 3, 4] * 50 + [5], (1, 5)),
        ([1, 2, 3, 4, 5] * 40 + [10], (1, 5)),
        ([1, 5, 10] * 20, (1, 10)),
        ([0.1, 0.5, 0.93] * 20, (0, 1)),
        ([-3, 0, 3] * 20, None),
        ([1, 2, 3], None),
        ([250] * 60, None),
    ],
)
def test_the_smallest_usual_scale_that_fits_is_taken(scores, scale) -> None:
    counts = {score: scores.count(score) for score in scores}

    assert scale_of(counts, 0.99) == scale


def ratings(scores, aspect: str = "helpfulness"):
    return [rating(s, aspect, prompt=f"q{n}", text=f"a{n}", id=f"r{n}") for n, s in enumerate(scores)]


def test_a_score_outside_the_scale_of_the_others_is_found() -> None:
    found = outcome(ScoreBugs(), ratings([1, 2, 3, 4, 5] * 40 + [10, 10]))
    finding = only(found)

    assert (finding.code, finding.severity, finding.count, finding.of) == (
        "score_out_of_range",
        "error",
        2,
        202,
    )
    assert finding.removes == {200, 201}
    assert [example.id for example in finding.examples] == ["r200", "r201"]
    assert finding.examples[0].text == "helpfulness is 10, and the scale 1 to 5"
    assert found.tables[0].rows == (("helpfulness", 202, 1, (600 + 20) / 202, 10, "1 to 5"),)


def test_a_rare_end_of_a_scale_is_no_bug() -> None:
    assert outcome(ScoreBugs(), ratings([1, 2, 3, 4, 5] * 40 + [0])).findings == []
    assert codes(outcome(ScoreBugs(scale=(1, 5)), ratings([1, 2, 3, 4, 5] * 40 + [0]))) == [
        "score_out_of_range"
    ]


def test_each_aspect_has_a_scale_of_its_own() -> None:
    both = ratings([1, 2, 3, 4, 5] * 40) + ratings([1, 5, 10] * 40, "overall")

    assert outcome(ScoreBugs(), both).findings == []
    assert outcome(ScoreBugs(), both).figures["scales"] == {"helpfulness": [1, 5], "overall": [1, 10]}


def test_a_score_that_is_no_number_is_outside() -> None:
    assert codes(outcome(ScoreBugs(), ratings([*[1, 2, 3, 4, 5] * 40, math.nan]))) == ["score_out_of_range"]


def test_ten_that_was_meant_for_one_is_found_by_the_mean_of_the_row() -> None:
    def row(n: int, overall: float, mean: float):
        return rating(overall, prompt=f"q{n}", text=f"a{n}", id=f"r{n}", metadata={"aspects_mean": mean})

    good = [row(n, 1 + n % 10, 1 + 4 * (n % 10) / 9) for n in range(200)]
    finding = only(outcome(ScoreBugs(), [*good, row(200, 10, 1.25), row(201, 8, 4)]))

    assert (finding.code, finding.severity, finding.count, finding.of) == (
        "overall_against_aspects",
        "error",
        1,
        202,
    )
    assert finding.removes == {200}
    assert (finding.examples[0].id, finding.examples[0].text) == (
        "r200",
        "overall 10, mean of the aspects 1.25",
    )
    assert outcome(ScoreBugs(), good).findings == []


def test_ten_that_was_meant_for_one_is_found_by_the_aspects_beside_it() -> None:
    records = []
    for n in range(101):
        level = n % 5 + 1 if n < 100 else 1
        for aspect, score in (("honesty", level), ("overall", 2 * level), ("truth", level)):
            score = 10 if (n, aspect) == (100, "overall") else score
            records.append(rating(score, aspect, prompt=f"q{n}", text=f"a{n}", id=f"r{n}"))
    finding = only(outcome(ScoreBugs(), records))

    assert (finding.code, finding.count, finding.of, finding.removes) == (
        "overall_against_aspects",
        1,
        101,
        {301},
    )
    assert finding.examples[0].id == "r100"
    assert outcome(ScoreBugs(), records[:300]).findings == []


def test_prompts_whose_responses_all_have_one_score_are_counted() -> None:
    def prompt(n: int, scores):
        return [rating(score, prompt=f"q{n}", text=f"a{n}{i}") for i, score in enumerate(scores)]

    records = [
        *prompt(0, [3, 3, 3]),
        *prompt(1, [3, 4]),
        *prompt(2, [2, 2]),
        *prompt(3, [5]),
        *prompt(4, [1, 2, 1]),
    ]
    found = outcome(ScoreBugs(), records)

    assert (found.figures["prompts"], found.figures["tied_prompts"]) == (4, 2)
    assert (only(found).code, only(found).count, only(found).of) == ("all_tied", 2, 4)
    assert outcome(ScoreBugs(tied=0.5), records).findings == []


def test_rankings_can_be_all_tied_too() -> None:
    def ranking(*ranks: int) -> Ranking:
        return Ranking((user("Why?"),), tuple((assistant(f"a{n}"),) for n in range(len(ranks))), ranks)

    assert codes(outcome(ScoreBugs(), [ranking(1, 1), ranking(1, 2)])) == ["all_tied"]
    assert outcome(ScoreBugs(), [ranking(1), *[ranking(1, 2)] * 9, ranking(1, 1)]).findings == []


def test_a_margin_below_zero_contradicts_the_label() -> None:
    margins = [pair("a", "b", margin=margin, id=f"m{margin}") for margin in (0.5, -0.5, 0.0, 2)]
    finding = only(outcome(ScoreBugs(), [*CLEAN, *margins]))

    assert (finding.code, finding.count, finding.of, finding.removes) == ("negative_margin", 1, 4, {201})
    assert finding.examples[0].text == "margin -0.5"


def test_scores_that_contradict_the_label_and_scores_that_say_nothing_are_told_apart() -> None:
    def scored(chosen: float, rejected: float, **more):
        return pair("a", "b", metadata={"score_chosen": chosen, "score_rejected": rejected}, **more)

    records = [scored(4, 2), scored(2, 4), scored(3, 3), scored(3, 3, probability=0.5), scored(5, 5)]
    found = {finding.code: finding for finding in outcome(ScoreBugs(), records).findings}

    assert (found["scores_against_label"].count, found["scores_against_label"].severity) == (1, "error")
    assert (found["equal_scores"].count, found["equal_scores"].severity) == (2, "warning")
    assert (found["scores_against_label"].removes, found["equal_scores"].removes) == ({1}, {2, 4})
    assert outcome(ScoreBugs(), [scored(4, 2)]).findings == []


def test_pairs_without_scores_are_nothing_to_look_at() -> None:
    assert (
        outcome(ScoreBugs(), [*CLEAN, left_out("tie")]).skipped == "no record has a score, a margin or ranks"
    )
