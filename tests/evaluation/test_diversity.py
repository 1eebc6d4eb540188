"""Diversity of answers that were made to be diverse or collapsed, and how sure its figures are."""

import math

import numpy as np
import pytest

from heedful.errors import DataError
from heedful.evaluation.behaviour import Answer
from heedful.evaluation.diversity import DRAWN, Change, collapse_signs, diversity, is_refusal
from heedful.evaluation.ngrams import repeated_share, self_bleu, words_of
from heedful.intervals import paired_difference, share
from heedful.records import user
from tests.evaluation.coverage import assert_covers


def answer(prompt: int, text: str) -> Answer:
    return Answer((user(f"question {prompt}"),), text, True, len(text.split()))


def written(
    rng: np.random.Generator, prompts: int, *, each: int = 1, steep: float = 1.0, words: int = 30
) -> list[Answer]:
    """Answers of words drawn by Zipf's law; the steeper it is, the fewer are used."""
    chances = 1 / np.arange(1, 801) ** steep
    chances /= chances.sum()
    drawn = rng.choice(800, size=(prompts * each, words), p=chances)
    return [answer(at // each, " ".join(f"w{word}" for word in row)) for at, row in enumerate(drawn)]


def by_name(changes: tuple[Change, ...]) -> dict[str, Change]:
    return {change.name: change for change in changes}


def test_answers_by_hand() -> None:
    loop = "I will say it again and again now. " * 3
    texts = [loop, "I'm sorry, but I can't help with that.", "Yes.", "yes.", "No, it is not so."]
    found = diversity([answer(at, text) for at, text in enumerate(texts)])
    assert (found.n, found.prompts) == (5, 5)
    figures = found.figures
    assert figures["loops"].value == 1 / 5
    assert figures["refusals"].value == 1 / 5
    assert figures["refusals"].interval == share([0, 1, 0, 0, 0])
    assert figures["identical answers"].value == 2 / 5
    assert figures["repetition"].value == pytest.approx(repeated_share(words_of(loop), 4) / 5)
    assert figures["likeness between prompts"].value == pytest.approx(
        self_bleu([words_of(text) for text in texts]).mean()
    )
    assert "likeness within a prompt" not in figures
    assert math.isnan(figures["distinct-1"].value)  # fewer words than are drawn


def test_answers_to_one_prompt_are_compared_with_each_other() -> None:
    texts = ["a b c d e", "a b c d e", "f g h i j", "k l m n o"]
    found = diversity([answer(at // 2, text) for at, text in enumerate(texts)])
    assert found.figures["likeness within a prompt"].value == pytest.approx(
        (1 + self_bleu([tuple("fghij"), tuple("klmno")]).mean()) / 2
    )
    assert found.figures["identical answers"].value == 0.0  # equal answers to one prompt are not meant


def test_one_prompt_has_no_likeness_between_prompts() -> None:
    found = diversity([answer(0, "some words"), answer(0, "other words")])
    assert math.isnan(found.figures["likeness between prompts"].value)
    assert not math.isnan(found.figures["likeness within a prompt"].value)


def test_what_is_refused_stands_at_the_beginning() -> None:
    assert is_refusal("I cannot help with that.")
    assert is_refusal("I’m not able to do this")
    assert not is_refusal("Of course. " * 40 + "I cannot recommend it enough.")


def test_a_collapsed_model_shows_the_signs() -> None:
    rng = np.random.default_rng(0)
    before = written(rng, 60, each=2)
    after = [
        answer(at // 2, "As you wish, this is a very good question. " * (3 + at % 2)) for at in range(120)
    ]
    changes = by_name(collapse_signs(after, before))
    assert {name for name, change in changes.items() if change.sign} == {
        "distinct-1",
        "distinct-2",
        "distinct-3",
        "entropy",
        "likeness between prompts",
        "likeness within a prompt",
        "repetition",
        "loops",
        "identical answers",
    }
    assert changes["identical answers"].value == 1.0
    assert changes["refusals"].change.low < 0 < changes["refusals"].change.high
    backwards = by_name(collapse_signs(before, after))
    assert not any(change.sign for change in backwards.values())
    assert backwards["entropy"].change.value == pytest.approx(-changes["entropy"].change.value)


def test_a_model_against_itself_shows_no_sign() -> None:
    same = written(np.random.default_rng(1), 40)
    for change in collapse_signs(same, same):
        assert (change.change.value, change.sign) == (0.0, False)


def test_a_model_sampled_twice_seldom_shows_a_sign() -> None:
    """20 seeds: in one of 20 some figure of the nine may be clear."""
    signs = []
    for seed in range(20):
        rng = np.random.default_rng(seed)
        one, other = written(rng, 40, words=20), written(rng, 40, words=20)
        signs.append(any(change.sign for change in collapse_signs(one, other)))
    assert sum(signs) <= 2


def test_intervals_of_changes_are_wide_enough_for_all_together() -> None:
    """Nine figures: each interval is one at 1 - 5% / 9."""
    one = [answer(at, "I cannot say." if at < 8 else "Yes, it is.") for at in range(20)]
    other = [answer(at, "I cannot say." if at < 3 else "Yes, it is.") for at in range(20)]
    change = by_name(collapse_signs(one, other))["refusals"].change
    refused, before = (np.arange(20) < count for count in (8, 3))
    assert change.interval == paired_difference(refused, before, level=1 - 0.05 / 9)


def test_only_common_prompts_are_compared() -> None:
    rng = np.random.default_rng(2)
    one = written(rng, 30)
    changes = by_name(collapse_signs([*one, answer(99, "I cannot say.")], one))
    assert changes["refusals"].value == 0.0
    with pytest.raises(DataError, match="no prompt in common"):
        collapse_signs([answer(1, "a")], [answer(2, "a")])


def test_no_answers_are_refused_in_words() -> None:
    with pytest.raises(DataError, match="no answers"):
        diversity([])


def expected_distinct(words: int, steep: float = 1.0) -> float:
    """The mean number of different words among `DRAWN` of `written`'s source, over `DRAWN`."""
    chances = 1 / np.arange(1, words + 1) ** steep
    return float((1 - (1 - chances / chances.sum()) ** DRAWN).sum()) / DRAWN


def test_distinct_words_of_a_known_source_are_recovered() -> None:
    found = diversity(written(np.random.default_rng(3), 150)).figures["distinct-1"]
    assert found.value == pytest.approx(expected_distinct(800), abs=0.01)


@pytest.mark.slow
@pytest.mark.parametrize("figure", ["distinct-1", "likeness between prompts"])
def test_the_jackknife_holds_the_truth(figure: str) -> None:
    """The truth of likeness is its mean over as many answers."""
    rng = np.random.default_rng(7)
    many = [diversity(written(rng, 40)).figures["likeness between prompts"].value for _ in range(300)]
    truth = {"distinct-1": expected_distinct(800), "likeness between prompts": float(np.mean(many))}[figure]
    assert_covers(lambda rng: (diversity(written(rng, 40)).figures[figure].interval, truth), simulations=500)
