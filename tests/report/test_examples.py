"""Which examples stand where, and what is said of each."""

from __future__ import annotations

import pytest

from heedful.evaluation.duels import Choice, Duel
from heedful.report.data import Example
from heedful.report.differences import MOST_WORDS, differences
from heedful.report.examples import PER_LIST, Chosen, changed, choose, ruling
from tests.report.evaluated import duel, example

WIN: tuple[Choice, Choice] = ("first", "second")
LOSS: tuple[Choice, Choice] = ("second", "first")


def judged(number: int, how: tuple[Choice | None, Choice | None], margin: float | None = None) -> Example:
    prompt = f"prompt {number}"
    found = duel(example(prompt=prompt).own.prompt, "a b", "a c", *how, margin)
    return example("a b", "a c", prompt, {"judge": found})


def numbers(found: Chosen, key: str) -> list[int]:
    return [one.number for listed in found.lists if listed.key == key for one in listed.items]


def test_the_clearest_wins_and_losses_come_by_margin() -> None:
    margins = [0.1, 3.0, 2.0, -0.5, -4.0, 0.2, 0.3, 0.4, 0.5, 0.6]
    examples = [judged(at, WIN if margin > 0 else LOSS, margin) for at, margin in enumerate(margins)]
    found = choose(examples)
    assert numbers(found, "best") == [2, 3, 10, 9, 8]
    assert numbers(found, "worst") == [5, 4]


def test_what_several_judges_agree_on_is_clearer_than_a_large_margin() -> None:
    both, one = judged(0, WIN, 0.1), judged(1, WIN, 9.0)
    both.duels["other"] = both.duels["judge"]
    one.duels["other"] = duel(one.own.prompt, "a b", "a c", *LOSS)
    assert numbers(choose([one, both]), "best") == [2]


def test_a_tie_a_changed_mind_and_no_verdict_are_neither_win_nor_loss() -> None:
    found = choose([judged(0, ("tie", "tie")), judged(1, ("first", "first")), judged(2, (None, None))])
    assert not {"best", "worst"} & {listed.key for listed in found.lists}


def test_the_most_changed_have_the_fewest_pairs_of_words_in_common() -> None:
    texts = [("a b c", "a b c"), ("a b c", "a b d"), ("a b c", "x y z")]
    found = choose([example(*pair, prompt=str(at)) for at, pair in enumerate(texts)])
    assert numbers(found, "changed") == [3, 2]


@pytest.mark.parametrize(
    ("own", "other", "share"),
    [
        ("a b c", "a b c", 0.0),
        ("a b c", "x y z", 1.0),
        ("a b", "a c", 1 - 2 / 6),
        ("", "", 0.0),
        ("", "a", 1.0),
    ],
)
def test_how_changed_a_text_is(own: str, other: str, share: float) -> None:
    assert changed(own, other) == pytest.approx(share)


def test_every_example_stands_once_and_later_lists_name_those_above() -> None:
    examples = [judged(at, WIN, float(at)) for at in range(30)]
    found = choose(examples)
    shown = [one.number for listed in found.lists for one in listed.items]
    assert sorted(shown) == list(range(1, 31))
    assert (found.shown, found.left_out) == (30, 0)
    random = next(listed for listed in found.lists if listed.key == "random")
    assert len(random.items) + len(random.above) == PER_LIST
    above = {
        one.number for listed in found.lists for one in listed.items if listed.key in ("best", "changed")
    }
    assert set(random.above) <= above


def test_random_examples_are_the_same_every_time_and_not_the_first() -> None:
    examples = [example(prompt=str(at)) for at in range(200)]
    first, again = choose(examples), choose(examples)
    assert numbers(first, "random") == numbers(again, "random")
    assert numbers(first, "random") != [1, 2, 3, 4, 5]


def test_a_page_holds_at_most_so_many_and_says_how_many_are_left_out() -> None:
    examples = [judged(at, WIN, float(at)) for at in range(50)]
    found = choose(examples, most=20)
    assert (found.shown, found.left_out) == (20, 30)
    assert sum(len(listed.items) for listed in found.lists) == 20
    assert numbers(found, "best") == [50, 49, 48, 47, 46]


def test_every_baseline_has_its_own_in_each_list() -> None:
    one = [example(prompt=str(at), baseline="one") for at in range(9)]
    other = [example("Quite another answer.", prompt=str(at), baseline="other") for at in range(9)]
    found = choose(one + other)
    listed = next(listed for listed in found.lists if listed.key == "changed")
    assert {item.example.baseline for item in listed.items} == {"one", "other"}
    assert len(listed.items) == 6


def said(how: tuple[Choice | None, Choice | None]) -> Duel:
    return duel(example().own.prompt, "a", "b", *how, -1.5, "why")


@pytest.mark.parametrize(
    ("how", "word", "orders"),
    [
        (WIN, "wins", "shown first: wins; shown second: wins"),
        (LOSS, "loses", "shown first: loses; shown second: loses"),
        (("tie", "tie"), "tie", "shown first: tie; shown second: tie"),
        (("first", "first"), "changes its mind with the order", "shown first: wins; shown second: loses"),
        (("first", None), "no verdict", "shown first: wins; shown second: no verdict"),
    ],
)
def test_a_verdict_is_the_models_in_both_orders(
    how: tuple[Choice | None, Choice | None], word: str, orders: str
) -> None:
    found = ruling("judge", said(how))
    assert (found.word, found.orders, found.margin, found.why) == (word, orders, "margin \u22121.50", "why")
    assert ruling("judge", said(how), both_orders=False).orders == ""


def test_texts_in_pieces_are_the_texts() -> None:
    own, other = "  boil it\n\nfor eight minutes \n", "boil them for\tten minutes"
    left, right = differences(own, other)
    assert ("".join(piece.text for piece in left), "".join(piece.text for piece in right)) == (own, other)
    assert [piece.text for piece in left if piece.marked] == ["it", "eight"]
    assert [piece.text for piece in right if piece.marked] == ["them", "ten"]


@pytest.mark.parametrize(
    ("own", "other"),
    [("same", "same"), ("", "a"), ("a b c d", "a x y z"), ("a " * (MOST_WORDS + 1), "a b"), (" ", "a")],
)
def test_nothing_is_marked_where_it_would_not_help(own: str, other: str) -> None:
    left, right = differences(own, other)
    assert not any(piece.marked for piece in [*left, *right])
    assert "".join(piece.text for piece in left) == own
    assert "".join(piece.text for piece in right) == other
