"""The dashboard's numbers: they add up with the log, and meet what is known of people who are simulated."""

from __future__ import annotations

import dataclasses
import json
import math
from datetime import timedelta
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from sqlalchemy import func, insert, select

from heedful.checks.agreement import LowAgreement
from heedful.checks.annotators import UnreliableAnnotators
from heedful.checks.finding import Interval
from heedful.checks.position_bias import PositionBias
from heedful.collect.exchange.as_records import records_of
from heedful.collect.findings.agreeing import measured, shared, with_others
from heedful.collect.findings.alarms import watch
from heedful.collect.findings.figures import Board, Figures, Known, Measured, measure, place_of
from heedful.collect.findings.progress import pace_of
from heedful.collect.findings.questions import compared, questions
from heedful.collect.settings import Settings
from heedful.collect.store import schema
from heedful.collect.store.database import Database
from tests.collect.simulated import (
    BEGAN,
    EVERY,
    Habits,
    Vote,
    fill,
    of_many,
    right,
    tallied,
    team,
    verdicts,
)

PAIRS = Settings(overlap=3)


def figures(database: Database, settings: Settings = PAIRS, board: Board | None = None) -> Figures:
    with database.read() as connection:
        return (board or Board()).figures(connection, settings, BEGAN + timedelta(days=1))


def measured_of(
    people: list[Habits], votes: list[Vote], settings: Settings = PAIRS, **known: Any
) -> Measured:
    rest = {"calibrated": frozenset(), "gold": {}, "calibration": frozenset(), "beside": frozenset()}
    return measure(tallied(votes), Known(names(people), **(rest | known)), settings)


def names(people: list[Habits]) -> dict[int, str]:
    return {n: habits.name for n, habits in enumerate(people, 1)}


def rows_of(database: Database) -> int:
    with database.read() as connection:
        return connection.execute(select(func.count()).select_from(schema.judgements)).scalar_one()


def append(database: Database, vote: Vote, **other: Any) -> None:
    """A further row of the log, that differs from the vote's in its id and what else is named."""
    with database.write() as connection:
        last = connection.execute(select(func.max(schema.judgements.c.id))).scalar_one()
        row = vote.row() | {"id": last + 1, "uid": f"vote-{last + 1}"} | other
        connection.execute(insert(schema.judgements).values(row))


def test_what_is_counted_adds_up_with_the_log(database: Database) -> None:
    people = [*team(3), Habits("careful", skips=0.3)]
    votes = verdicts(people, items=40, overlap=3, seed=0)
    with database.write() as connection:
        fill(connection, people, votes, wanted=3)
    given = [vote for vote in votes if vote.answer["verdict"] != "skip"]
    skipped = len(votes) - len(given)

    append(database, given[0], answer={"verdict": "tie", "flags": ["broken"]})
    append(database, given[1], action="retract", answer=None)
    append(database, given[2], action="retract", answer=None)
    append(database, given[2], answer={"verdict": "skip", "reason": "The text is broken"})
    append(database, given[3], kind="adjudication")
    found = figures(database).measured

    assert found.rows == {
        "vote": len(given) - 2,
        "skip": skipped + 1,
        "adjudication": 1,
        "replaced": 3,
        "retraction": 2,
    }
    assert sum(found.rows.values()) == rows_of(database)
    assert sum(one.votes for one in found.people) == found.votes
    assert sum(one.skips for one in found.people) == sum(found.reasons.values()) == skipped + 1
    assert found.reasons == {"I cannot judge this": skipped, "The text is broken": 1}
    assert found.flags == {"broken": 1}
    assert sum(found.histogram) == found.votes


def test_rows_that_come_later_change_the_figures_as_if_all_were_read_anew(database: Database) -> None:
    people, board = team(4), Board()
    votes = verdicts(people, items=30, overlap=3, seed=1)
    with database.write() as connection:
        fill(connection, people, votes[:-1], wanted=3)
    first = figures(database, board=board).measured

    assert figures(database, board=board).measured is first  # nothing new: nothing is worked out
    append(database, votes[-1])
    append(database, votes[0], answer={"verdict": "tie"})
    again = figures(database, board=board)

    assert again.measured.votes == first.votes + 1
    assert _same(again.measured, figures(database).measured)
    assert figures(database, PAIRS.model_copy(update={"strength": 4}), board).measured is not again.measured


def _same(one: Measured, other: Measured) -> bool:
    """Whether all figures are; NaN is NaN."""
    told, others = (
        json.dumps(dataclasses.asdict(found), default=lambda array: array.tolist()) for found in (one, other)
    )
    return told == others


def test_agreement_and_alarms_are_those_that_check_finds_in_the_export(database: Database) -> None:
    people = [
        *team(5),
        Habits("clicker", accuracy=0.5),
        Habits("lefty", left=0.95),
        Habits("hasty", fast=0.6),
    ]
    votes = verdicts(people, items=300, overlap=4, seed=2)
    with database.write() as connection:
        fill(connection, people, votes, wanted=4, gold=lambda item: right(item) if item % 5 == 0 else None)
    found = figures(database).measured
    with database.read() as connection:
        records = list(records_of(connection, PAIRS))
    checks = LowAgreement(), UnreliableAnnotators(), PositionBias()
    for index, record in enumerate(records):
        for check in checks:
            check.see(record, index)
    agreement, annotators, place = (check.outcome().figures for check in checks)

    for name, figure in found.agreement.kinds[0].figures.items():
        assert figure.value == pytest.approx(agreement[name], abs=1e-12)
        assert figure.low == pytest.approx(agreement[f"{name}_low"], abs=0.01)  # other resamples
        assert figure.high == pytest.approx(agreement[f"{name}_high"], abs=0.01)
    accused = {alarm.code: alarm.name for alarm in found.watch.alarms}
    assert {code: [name] for code, name in accused.items()} == {
        code: names for code, names in annotators.items() if isinstance(names, list) and names
    }
    assert {"one_place": "lefty", "too_fast": "hasty"}.items() <= accused.items()
    assert found.place.figure.value == place["first_chosen"]
    assert found.place.p == pytest.approx(place["p"])


@pytest.mark.parametrize(
    ("accuracy", "runs"),
    [(0.8, 20), *(pytest.param(accuracy, 60, marks=pytest.mark.slow) for accuracy in (0.65, 0.8, 0.95))],
)
def test_agreement_lies_in_its_interval_as_often_as_it_says(accuracy: float, runs: int) -> None:
    truth = {"percent": accuracy**2 + (1 - accuracy) ** 2}
    truth["fleiss"] = truth["alpha_nominal"] = 2 * truth["percent"] - 1  # by chance two agree in half
    covered = dict.fromkeys(truth, 0)
    for seed in range(runs):
        words = tallied(verdicts(team(5, accuracy), items=150, overlap=3, seed=seed)).words()
        found = measured(shared(questions(words, PAIRS)[0]), words.people)
        for name, value in truth.items():
            covered[name] += found[name].low <= value <= found[name].high

    assert min(covered.values()) >= 0.88 * runs


def test_answers_about_one_item_are_no_independent_evidence() -> None:
    def found(responses: int) -> Interval:
        settings, rng = Settings(task="thumbs"), np.random.default_rng(0)
        votes = [
            Vote(n, 1 + n % 2, n // 2, {"thumbs": [bool(up)] * responses}, tuple(range(responses)), 20.0)
            for n, up in enumerate(rng.random(200) < 0.5)
        ]
        words = tallied(votes).words()
        return measured(shared(questions(words, settings)[0]), words.people)["fleiss"]

    one, same_six_times = found(1), found(6)
    assert one.n == same_six_times.n == 100
    assert one.value == pytest.approx(same_six_times.value)
    width = same_six_times.high - same_six_times.low
    assert width == pytest.approx(one.high - one.low, rel=0.15)  # 2.4 times as narrow if they were


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "task", "name"),
    [("ranks", "ranking", "fleiss"), ("scores", "rating", "alpha_ordinal"), ("thumbs", "thumbs", "fleiss")],
)
def test_figures_of_many_responses_lie_in_their_intervals(kind: str, task: Any, name: str) -> None:
    settings = Settings(task=task, aspects=("helpful",))

    def found(items: int, seed: int) -> Interval:
        words = tallied(of_many(team(4), kind, items=items, overlap=3, seed=seed, responses=4)).words()
        return measured(shared(questions(words, settings)[0]), words.people)[name]

    truth = found(4000, seed=99).value
    covered = [one.low <= truth <= one.high for one in (found(80, seed) for seed in range(40))]

    assert sum(covered) >= 35


def test_two_people_are_measured_by_cohen_too() -> None:
    votes = verdicts(team(2, 0.9), items=200, overlap=2, seed=0)
    found = measured_of(team(2), votes).agreement.kinds[0].figures

    said = np.array(
        [["ab".index(vote.answer["verdict"]) for vote in votes if vote.item == n] for n in range(1, 201)]
    )
    agreed = float((said[:, 0] == said[:, 1]).mean())
    assert found["percent"].value == pytest.approx(agreed)
    assert found["cohen"].value == pytest.approx(2 * agreed - 1)
    assert found["cohen"].low < found["cohen"].value < found["cohen"].high
    assert (
        "cohen"
        not in measured_of(team(3), verdicts(team(3), items=50, overlap=2, seed=0)).agreement.kinds[0].figures
    )


def test_strengths_are_steps_from_one_side_to_the_other() -> None:
    settings = Settings(strength=4)
    close = [("a", 1), ("b", 1)], [("a", 4), ("a", 3)]
    far = [("a", 4), ("b", 4)], [("a", 1), ("a", 4)]

    def alpha(items: Any) -> float:
        answers = [
            ({"verdict": verdict, "strength": n}, item)
            for item in range(40)
            for verdict, n in items[item % 2]
        ]
        votes = [Vote(n, 1 + n % 2, item, said, (0, 1), 20.0) for n, (said, item) in enumerate(answers)]
        kinds = {kind.name: kind.figures for kind in measured_of(team(2), votes, settings).agreement.kinds}
        assert set(kinds) == {"verdict", "strength"}
        return kinds["strength"]["alpha_ordinal"].value

    assert alpha(close) > 0.5 > 0 > alpha(far)


def test_each_is_compared_with_the_others_and_time_is_cut_into_equal_parts() -> None:
    people = [*team(4, 0.9), Habits("clicker", accuracy=0.5)]
    votes = verdicts(people, items=300, overlap=5, seed=3)
    better = verdicts([Habits(one.name, 1.0) for one in people], items=300, overlap=5, seed=3)
    later = [*votes[:750], *better[750:]]  # from the middle on all are right
    found = measured_of(people, later)

    agreed = {one.name: one.agreement for one in measured_of(people, votes).people}
    expected = 0.9 * 0.94 + 0.1 * 0.06  # the majority of the four others is right about so often
    assert agreed["annotator 1"].low < expected < agreed["annotator 1"].high
    assert agreed["clicker"].low < 0.5 < agreed["clicker"].high
    windows = found.agreement.windows
    assert [window.figure.n for window in windows] == [25] * 12
    assert all(one.end <= other.begin for one, other in pairwise(windows))
    assert max(window.figure.value for window in windows[:6]) < 0.7
    assert [window.figure.value for window in windows[6:]] == [1.0] * 6


def test_scores_agree_within_a_point_of_the_others_mean() -> None:
    settings = Settings(task="rating", aspects=("helpful",))
    given = {1: (4, 4, 1), 2: (5, 4, 4)}
    votes = [
        Vote(len(given) * item + n, n + 1, item, {"scores": [{"helpful": score}]}, (0,), 20.0)
        for item, scores in given.items()
        for n, score in enumerate(scores)
    ]
    words = tallied(votes).words()
    found = with_others(questions(words, settings)[0], words.people)

    # Of the first item the others' means are 2.5, 2.5 and 4; of the second 4, 4.5 and 4.5.
    assert [found[person].value for person in (1, 2, 3)] == [0.5, 0.5, 0.5]


@pytest.mark.parametrize("left", [0.0, 0.2, 0.6])
def test_the_place_is_found_for_what_left_lovers_do(left: float) -> None:
    people, expected, covered = [*team(2), Habits("lefty", left=left)], left + (1 - left) / 2, 0
    for seed in range(40):
        votes = compared(
            tallied(verdicts(people, items=120, overlap=3, seed=seed)).words(), {}, names(people)
        )
        lefty = place_of(votes.shown[votes.annotators == 2])
        covered += lefty.figure.low <= expected <= lefty.figure.high
        assert place_of(votes.shown[votes.annotators < 2]).p > 1e-4

    assert covered >= 35
    assert lefty.figure.n == 120
    assert (lefty.p < 0.01) == (left > 0.1)


def test_of_several_responses_the_first_and_the_last_are_compared_where_they_stood() -> None:
    ranked = [
        ({"ranks": [1, 2, 3]}, (2, 1, 0)),  # the better of the two, 0, stood behind
        ({"ranks": [3, 2, 1]}, (2, 0, 1)),  # 2 is better, and stood before 0
        ({"ranks": [1, 2, 1]}, (0, 1, 2)),  # neither
        ({"ranks": [1, 2, 3]}, ()),  # imported: nobody knows
    ]
    votes = [Vote(n, 1, n, said, shown, 20.0) for n, (said, shown) in enumerate(ranked, 1)]

    place = measured_of(team(1), votes, Settings(task="ranking")).place.figure
    assert (place.value, place.n) == (0.5, 2)


def test_nobody_reliable_is_accused_and_everybody_unreliable_is() -> None:
    honest = [Habits(f"honest {n}", accuracy) for n, accuracy in enumerate((0.75, 0.75, 0.8, 0.85, 0.9))]
    bad = {
        "random_votes": Habits("clicker", accuracy=0.5),
        "one_place": Habits("lefty", left=0.95),
        "too_fast": Habits("hasty", fast=0.5),
    }
    people = [*honest, *bad.values()]
    accused = 0
    for seed in range(20):
        words = tallied(verdicts(people, items=400, overlap=6, seed=seed)).words()
        found = {(alarm.code, alarm.name) for alarm in watch(compared(words, {}, names(people))).alarms}
        assert {(code, one.name) for code, one in bad.items()} <= found
        accused += any(name.startswith("honest") for _, name in found)

    assert accused == 0  # one in twenty projects may


def test_of_few_votes_nothing_is_said() -> None:
    people = [*team(2), Habits("hasty", fast=1.0)]
    few = measured_of(people, verdicts(people, items=9, overlap=3, seed=0)).watch
    more = measured_of(people, verdicts(people, items=10, overlap=3, seed=0)).watch

    assert (few.judged, few.few, few.alarms) == (0, ("annotator 1", "annotator 2", "hasty"), ())
    assert (more.judged, [alarm.name for alarm in more.alarms]) == (3, ["hasty"])
    assert not measured_of(team(2), verdicts(team(2), items=40, overlap=1, seed=0)).watch.compared


def test_known_answers_are_met_by_what_was_said_first(database: Database) -> None:
    people = [Habits("ann", accuracy=1.0), Habits("bob", accuracy=0.0)]
    votes = verdicts(people, items=20, overlap=2, seed=0)
    with database.write() as connection:
        fill(connection, people, votes, wanted=2, gold=lambda item: right(item) if item <= 12 else None)
    for vote in votes:
        if vote.person == 2:  # who was told, and changed their mind
            append(database, vote, answer=right(vote.item))
    found = figures(database).measured

    gold = {one.name: (one.gold.value, one.gold.n) for one in found.people}
    assert gold == {"ann": (1.0, 12), "bob": (0.0, 12)}
    assert (found.gold.value, found.gold.n) == (0.5, 24)
    assert [(alarm.name, alarm.code) for alarm in found.watch.alarms] == [("bob", "fails_gold")]


def test_the_calibration_round_is_told_of_everybody(database: Database) -> None:
    settings = Settings(overlap=3, calibration=10, calibration_pass=0.8)
    people = [Habits("ann", accuracy=1.0), Habits("bob", accuracy=0.0), Habits("cas", accuracy=0.0)]
    votes = [
        vote for vote in verdicts(people, items=10, overlap=3, seed=0) if vote.person < 3 or vote.item < 5
    ]
    with database.write() as connection:
        fill(connection, people, votes, wanted=3, gold=right)
        connection.execute(schema.items.update().values(stage="calibration", open=True))
    found = figures(database, settings)

    told = {one.name: one.calibration for one in found.measured.people}
    assert {name: (one.judged, one.of, one.passed) for name, one in told.items() if one} == {
        "ann": (10, 10, True),
        "bob": (10, 10, False),
        "cas": (4, 10, None),
    }
    assert len(found.measured.began) == 0  # the pace is of what the project is about
    with database.write() as connection:
        connection.execute(
            schema.people.update().where(schema.people.c.name == "bob").values(calibrated=True)
        )
    bob = next(one for one in figures(database, settings).measured.people if one.name == "bob")
    assert bob.calibration is not None
    assert bob.calibration.passed


def test_items_are_done_in_hand_or_waiting_and_votes_beyond_what_is_wanted_are_not_progress(
    database: Database,
) -> None:
    people = team(4)
    votes = verdicts(people, items=7, overlap=4, seed=0)
    with database.write() as connection:
        fill(connection, people, [vote for vote in votes if vote.item <= 4 or vote.person == 1], wanted=3)
        held = {"kind": "vote", "shown": [0, 1], "opened_at": BEGAN}
        for item, person, hours in (
            (5, 2, 48),
            (5, 3, 48),
            (6, 2, 48),
            (7, 2, 1),
        ):  # the last was left behind
            until = {"expires_at": BEGAN + timedelta(hours=hours), "token": f"{item} {person}"}
            connection.execute(
                insert(schema.assignments).values(held | until | {"item": item, "person": person})
            )
    (main,) = figures(database).progress.stages

    assert (main.done, main.in_hand, main.waiting, main.items) == (4, 2, 1, 7)
    assert (main.wanted, main.given, main.left, main.votes) == (21, 15, 6, 19)


def test_the_end_is_told_from_the_pace_of_the_last_week(database: Database) -> None:
    people = team(2)
    votes = verdicts(people, items=60, overlap=1, seed=0)
    with database.write() as connection:
        fill(connection, people, votes, wanted=2)
    found = figures(database)

    over = timedelta(days=1)  # since the first vote
    assert (found.progress.main.left, found.pace.over) == (60, over)
    assert found.pace.per_day == pytest.approx(60)
    assert found.pace.done_at == found.at + timedelta(days=1)
    assert sum(found.pace.counts) == 60
    assert found.pace.counts[0] == 60  # a vote every half minute, and a bar an hour
    with database.read() as connection:
        weeks_later = Board().figures(connection, PAIRS, BEGAN + timedelta(days=30))
    assert math.isnan(weeks_later.pace.per_day)
    assert weeks_later.pace.done_at is None
    assert sum(weeks_later.pace.counts) == 60


def test_the_pace_is_that_of_the_last_week() -> None:
    days = np.array([0.0] * 100 + [15.0] * 7 + [19.0] * 7) * 86400
    now = BEGAN + timedelta(days=20)

    pace = pace_of(BEGAN.timestamp() + days, 28, now)
    assert (pace.per_day, pace.done_at) == (2.0, now + timedelta(days=14))
    assert (sum(pace.counts), pace.step) == (114, 86400)
    assert pace_of(BEGAN.timestamp() + days, 28, now + timedelta(days=5)).per_day == 1.0
    assert math.isnan(pace_of(BEGAN.timestamp() + days, 28, now + timedelta(days=9)).per_day)
    assert pace_of(BEGAN.timestamp() + days, 0, now).done_at is None


def test_a_project_without_votes_and_one_with_a_single_vote_have_figures(database: Database) -> None:
    nothing = figures(database)
    assert (nothing.measured.votes, nothing.progress.stages, nothing.pace.counts) == (0, (), ())
    assert nothing.measured.watch.judged == 0

    with database.write() as connection:
        fill(connection, team(1), verdicts(team(1), items=1, overlap=1, seed=0), wanted=2)
    one = figures(database)
    assert (one.measured.votes, one.progress.main.left, one.measured.agreement.items) == (1, 1, 0)
    assert math.isnan(one.measured.agreement.figure.value)
    assert one.measured.people[0].votes == 1


def test_imported_votes_count_for_agreement_but_not_for_the_pace(database: Database) -> None:
    people = team(2)
    votes = verdicts(people, items=20, overlap=2, seed=0)
    with database.write() as connection:
        fill(connection, people, votes[:1], wanted=2)
        rest = [
            vote.row() | {"kind": "import", "seconds": None, "shown": []} for vote in votes if vote.item == 1
        ]
        connection.execute(insert(schema.judgements), rest[1:])
    found = figures(database).measured

    assert (found.votes, len(found.began), found.agreement.items, found.seconds.n) == (2, 1, 1, 1)
    assert found.place.figure.n == 1


def test_a_vote_takes_as_long_as_it_took_before_anybody_changed_their_mind(database: Database) -> None:
    vote = verdicts(team(1), items=1, overlap=1, seed=0)[0]
    with database.write() as connection:
        fill(connection, team(1), [vote])
    append(database, vote, answer={"verdict": "tie"}, seconds=0.5, at=vote.at + EVERY)

    assert figures(database).measured.seconds.median == pytest.approx(vote.seconds)
