"""Which items records make, by the task; what is known of each; and that nothing is left out unsaid."""

from __future__ import annotations

import pytest

from heedful.collect.answer import MOST, Answer
from heedful.collect.settings import Settings
from heedful.collect.store.model import Stage
from heedful.collect.work.making import LEFT_OUT, Made, Unit, fingerprint, make
from heedful.quarantine import Quarantined
from heedful.records import (
    Candidates,
    Demonstration,
    Feedback,
    Judgement,
    Message,
    Preference,
    Prompt,
    Ranking,
    Rating,
    Record,
    assistant,
    user,
)

ASKED = (user("Which colour?"),)
PAIRWISE, RANKING = Settings(), Settings(task="ranking")
RATING, THUMBS = Settings(task="rating"), Settings(task="thumbs")


def said(text: str) -> tuple[Message, ...]:
    return (assistant(text),)


def preference(chosen: str = "red", rejected: str = "blue", **more) -> Preference:
    return Preference(ASKED, said(chosen), said(rejected), **more)


def candidates(*texts: str, **more) -> Candidates:
    return Candidates(ASKED, tuple(map(said, texts)), **more)


def items_of(*records: Record, settings: Settings = PAIRWISE, stage: Stage = "main") -> list[Made]:
    """The items of records none of which is left out."""
    units = list(make(records, settings, stage))
    assert all(isinstance(unit, Unit) for unit in units)
    return [made for unit in units for made in unit.made]


def reasons(*records: Record, settings: Settings = PAIRWISE, stage: Stage = "main") -> list[str]:
    """Why records are left out that all are."""
    outcomes = list(make(records, settings, stage))
    assert all(isinstance(one, Quarantined) and one.detail == LEFT_OUT[one.reason] for one in outcomes)
    return [one.reason for one in outcomes]


def texts(made: Made) -> list[str]:
    return [response.turns[-1].content for response in made.responses]


def test_which_response_comes_first_says_nothing_of_which_was_chosen() -> None:
    firsts = 0
    for number in range(200):
        one, other = f"good {number}", f"bad {number}"
        (made,), (turned,) = items_of(preference(one, other)), items_of(preference(other, one))
        assert made == turned
        firsts += texts(made)[0] == one

    assert 70 < firsts < 130


def test_candidates_stand_in_the_order_they_were_sampled_in_and_keep_their_generators() -> None:
    (made,) = items_of(candidates("z", "a", metadata={"generators": ["tuned", "base"]}))

    assert [(response.turns, response.generator) for response in made.responses] == [
        (said("z"), "tuned"),
        (said("a"), "base"),
    ]


def test_the_generators_of_a_preference_go_with_their_responses() -> None:
    told = {"generator_chosen": "tuned", "generator_rejected": "base"}
    (made,) = items_of(preference(metadata=told))

    assert {response.turns: response.generator for response in made.responses} == {
        said("red"): "tuned",
        said("blue"): "base",
    }


def test_of_three_responses_come_all_pairs_with_keys_of_their_own() -> None:
    made = items_of(candidates("x", "y", "z", id="q7"))

    assert [(one.name, texts(one)) for one in made] == [
        ("q7.1-2", ["x", "y"]),
        ("q7.1-3", ["x", "z"]),
        ("q7.2-3", ["y", "z"]),
    ]
    assert len({one.fingerprint for one in made}) == 3


def test_a_ranking_task_keeps_the_responses_together() -> None:
    (made,) = items_of(candidates("x", "y", "z", id="q7"), settings=RANKING)

    assert (made.name, texts(made)) == ("q7", ["x", "y", "z"])


@pytest.mark.parametrize("settings", [PAIRWISE, RANKING])
def test_single_responses_to_one_prompt_are_put_together_where_they_are_compared(settings) -> None:
    records = (
        Feedback(ASKED, said("red"), True, id="f"),
        Prompt(ASKED, id="p"),
        Rating(ASKED, said("blue"), 3.0, id="r"),
        Demonstration((user("Another?"),), said("red"), id="d"),
    )

    outcomes = list(make(records, settings, "main"))

    (unit,) = (one for one in outcomes if isinstance(one, Unit))
    assert unit.records == [records[0], records[2]]
    assert [(one.name, sorted(texts(one))) for one in unit.made] == [("f", ["blue", "red"])]
    left = {one.where: one.reason for one in outcomes if isinstance(one, Quarantined)}
    assert left == {"p": "no_response", "d": "one_response"}


@pytest.mark.parametrize("settings", [RATING, THUMBS])
def test_single_responses_are_items_by_themselves_where_each_is_judged_alone(settings) -> None:
    made = items_of(
        Feedback(ASKED, said("red"), True, id="f"),
        Demonstration(ASKED, said("blue"), id="d"),
        preference("green", "grey", id="p"),
        settings=settings,
    )

    assert [(one.name, sorted(texts(one))) for one in made] == [
        ("p", ["green", "grey"]),
        ("f", ["red"]),
        ("d", ["blue"]),
    ]


def test_what_makes_no_item_is_left_out_and_says_why() -> None:
    half = "\ud800"

    assert reasons(Prompt(ASKED, id="p"), Judgement("x", "ann", "a")) == ["no_response", "judgement"]
    assert reasons(candidates("x")) == reasons(Feedback(ASKED, said("x"), True)) == ["one_response"]
    assert reasons(preference("red ", "red")) == reasons(candidates("x", "x")) == ["equal_responses"]
    assert reasons(candidates("x", half)) == reasons(preference(f"{half}", "x")) == ["broken_text"]
    assert reasons(candidates(*map(str, range(MOST + 1))), settings=RANKING) == ["too_many_responses"]
    assert reasons(candidates("x", "y"), stage="gold") == ["no_gold"]
    assert "heedful collect candidates" in LEFT_OUT["no_response"]


def test_repeated_responses_count_once() -> None:
    (made,) = items_of(candidates("x", "y", " x", "y\n", id="q"))

    assert (made.name, texts(made)) == ("q", ["x", "y"])


def test_the_fingerprint_is_of_roles_and_texts_in_any_order_of_the_responses() -> None:
    mark = fingerprint(ASKED, [said("x"), said("y")])

    assert mark == fingerprint(ASKED, [said("y"), said("x")])
    others = [
        fingerprint((user("Which color?"),), [said("x"), said("y")]),
        fingerprint((Message("system", "Which colour?"),), [said("x"), said("y")]),
        fingerprint(ASKED, [said("x"), said("y ")]),
        fingerprint(ASKED, [said("x"), said("y"), said("y")]),
        fingerprint((*ASKED, *said("x")), [said("y")]),
        fingerprint((user("Which"), user(" colour?")), [said("x"), said("y")]),
    ]
    assert len({mark, *others}) == len(others) + 1


def right(*records: Record, settings: Settings = PAIRWISE, stage: Stage = "gold") -> object:
    """The known answer of the one item of records, by response; a word where it is no single one."""
    (made,) = items_of(*records, settings=settings, stage=stage)
    gold = made.gold
    if gold is None:
        return None
    if gold.verdict is not None:
        return {"a": texts(made)[0], "b": texts(made)[1]}.get(gold.verdict, gold.verdict)
    given = gold.ranks or gold.thumbs or gold.scores
    assert given is not None
    return dict(zip(texts(made), given, strict=True))


@pytest.mark.parametrize(("chosen", "rejected"), [("red", "blue"), ("blue", "red")])
def test_in_a_gold_file_chosen_is_right_whichever_response_comes_first(chosen: str, rejected: str) -> None:
    assert right(preference(chosen, rejected)) == chosen
    assert right(preference(chosen, rejected, probability=0.4)) == rejected
    assert right(preference(chosen, rejected, metadata={"gold": "rejected"})) == rejected
    assert right(preference(chosen, rejected), settings=RANKING) == {chosen: 1, rejected: 2}


def test_in_a_gold_file_a_tie_is_right_where_it_can_be_given() -> None:
    tie = preference(probability=0.5)
    bad = preference(probability=0.5, metadata={"verdict": "both_bad"})

    assert (right(tie), right(bad)) == ("tie", "both_bad")
    assert right(tie, settings=RANKING) == {"red": 1, "blue": 1}
    assert reasons(tie, settings=Settings(tie=False), stage="gold") == ["no_gold"]
    assert reasons(bad, settings=Settings(both_bad=False), stage="gold") == ["no_gold"]


def test_known_answers_come_of_rankings_thumbs_and_ratings_too() -> None:
    ranking = Ranking(ASKED, (said("x"), said("y"), said("z")), (2, 1, 1))
    up, down = Feedback(ASKED, said("x"), True), Feedback(ASKED, said("y"), False)
    scored = Rating(ASKED, said("x"), 4.0, "helpful")
    honest = Rating(ASKED, said("x"), 2.0, "honest")

    assert right(ranking, settings=RANKING) == {"x": 2, "y": 1, "z": 1}
    assert right(up, down) == "x"
    assert right(up, settings=THUMBS) == {"x": True}
    assert right(scored, Rating(ASKED, said("y"), 5.0, "helpful")) == "y"
    assert right(scored, honest, settings=RATING) == {"x": {"helpful": 4, "honest": 2}}


def test_what_records_contradict_each_other_about_is_not_known() -> None:
    up, down = Feedback(ASKED, said("x"), True), Feedback(ASKED, said("x"), False)
    four, two = Rating(ASKED, said("x"), 4.0, "tone"), Rating(ASKED, said("x"), 2.0, "tone")
    of_another = Rating(ASKED, said("y"), 5.0, "helpful")

    assert reasons(up, down, settings=THUMBS, stage="gold") == ["no_gold"] * 2
    assert reasons(four, two, settings=RATING, stage="gold") == ["no_gold"] * 2
    assert reasons(four, of_another, stage="gold") == ["no_gold"] * 2


@pytest.mark.parametrize("score", [0.0, 6.0, 3.5])
def test_a_score_that_cannot_be_given_here_is_no_known_answer(score: float) -> None:
    assert reasons(Rating(ASKED, said("x"), score, "tone"), settings=RATING, stage="gold") == ["no_gold"]
    assert reasons(Rating(ASKED, said("x"), 3.0, "wit"), settings=RATING, stage="gold") == ["no_gold"]


def test_calibration_needs_no_known_answer_but_keeps_one() -> None:
    assert right(candidates("x", "y"), stage="calibration") is None
    assert right(preference(), stage="calibration") == "red"


def test_in_the_main_stage_only_the_mark_of_gold_makes_an_answer_known() -> None:
    marked = preference(metadata={"gold": "chosen"})
    mixing = Settings(gold_every=10)

    (plain,), (known,) = items_of(preference()), items_of(marked)
    assert (plain.gold, plain.stage) == (None, "main")
    assert (right(marked, stage="main"), known.stage) == ("red", "main")
    assert [one.stage for one in items_of(marked, preference("x", "y"), settings=mixing)] == ["gold", "main"]


def test_items_carry_no_metadata_of_a_vote_or_a_side() -> None:
    of_a_vote = {
        "annotator": "bob",
        "shown_first": "chosen",
        "seconds": 4,
        "rationale": "shorter",
        "at": "noon",
    }
    of_a_side = {"generator_chosen": "x", "score_rejected": 3, "gold": "chosen", "agreement": 0.8}
    (made,) = items_of(preference(metadata=of_a_vote | of_a_side | {"language": "de"}))

    assert made.metadata == {"language": "de"}


def test_metadata_are_kept_as_json_has_them() -> None:
    (made,) = items_of(preference(metadata={"nan": float("nan"), "set": {1}, "pair": (1, 2), 3: None}))

    assert made.metadata == {"nan": None, "set": "{1}", "pair": [1, 2], "3": None}


def test_what_records_put_together_do_not_say_alike_is_not_of_the_item() -> None:
    one = Feedback(ASKED, said("x"), True, metadata={"language": "de", "run": 1})
    other = Feedback(ASKED, said("y"), True, metadata={"language": "de", "run": 2})
    (made,) = items_of(one, other)

    assert made.metadata == {"language": "de"}


def test_the_answer_of_a_known_item_is_in_its_own_terms() -> None:
    (made,) = items_of(preference(), stage="gold")

    assert made.gold == Answer(verdict="a" if texts(made)[0] == "red" else "b")
