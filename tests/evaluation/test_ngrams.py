"""Words, n-grams and what is counted of them, by hand and by going through all draws."""

import math
from itertools import combinations

import numpy as np
import pytest

from heedful.evaluation.ngrams import (
    NO_MATCH,
    distinct_share,
    entropy,
    grams_of,
    most_repeats,
    repeated_share,
    self_bleu,
    words_of,
)


def test_words_are_words_and_marks_in_lower_case() -> None:
    assert words_of("Don't STOP, x2!") == ("don", "'", "t", "stop", ",", "x2", "!")
    assert words_of("你好 world") == ("你", "好", "world")
    assert words_of("abc你") == ("abc", "你")
    assert words_of(" \n") == ()


def test_grams_stand_in_their_order() -> None:
    assert grams_of(["a", "b", "c"], 2) == [("a", "b"), ("b", "c")]
    assert grams_of(["a"], 2) == []


def test_a_repeat_is_counted_from_the_second_time() -> None:
    """Of a b, b a, a b, b a two stood there before."""
    assert repeated_share(["a", "b", "a", "b", "a"], 2) == 0.5
    assert repeated_share(["a", "b", "c"], 2) == 0.0
    assert repeated_share(["a"], 2) == 0.0
    assert most_repeats(["a", "b", "a", "b", "a"], 2) == 2
    assert most_repeats([], 2) == 0


def test_distinct_ones_are_the_mean_over_all_draws() -> None:
    pool = "aaabbc"
    counts = np.array([3, 2, 1])
    for drawn in (1, 2, 4, 6):
        by_hand = np.mean([len(set(draw)) / drawn for draw in combinations(pool, drawn)])
        assert distinct_share(counts, drawn) == pytest.approx(by_hand)
    assert distinct_share(np.array([3, 0, 2, 1]), 2) == pytest.approx(distinct_share(counts, 2))
    assert math.isnan(distinct_share(counts, 7))


def test_distinct_ones_do_not_fall_as_texts_get_longer() -> None:
    """Plain distinct-1 of the same source falls from 0.52 to 0.18."""
    rng = np.random.default_rng(0)
    chances = 1 / np.arange(1, 1001)
    shares, plain = [], []
    for words in (600, 6_000):
        counts = np.bincount(rng.choice(1000, size=words, p=chances / chances.sum()))
        shares.append(distinct_share(counts, 500))
        plain.append((counts > 0).mean() * len(counts) / words)
    assert shares[0] == pytest.approx(shares[1], abs=0.03)
    assert plain[0] > 2.5 * plain[1]


def test_entropy_by_hand() -> None:
    """Four equally common words are log 4, and 3/8 for the few that were seen."""
    assert entropy(np.array([1, 1, 1, 1])) == pytest.approx(math.log(4) + 3 / 8)
    assert entropy(np.array([5, 0])) == 0.0
    assert math.isnan(entropy(np.array([], dtype=int)))


def test_equal_texts_are_wholly_alike_and_texts_without_common_words_not() -> None:
    assert self_bleu([tuple("abcde")] * 3) == pytest.approx([1, 1, 1])
    apart = self_bleu([tuple("abcde"), tuple("fghij")])
    assert apart == pytest.approx([NO_MATCH / math.prod([5, 4, 3, 2]) ** 0.25] * 2)


def test_bleu_by_hand() -> None:
    """a b c d e against a b c x y z: 3/5 words, 2/4 pairs, 1/3 triples, no four (0.1 of 2); shorter."""
    score = self_bleu([tuple("abcde"), tuple("abcxyz")])[0]
    assert score == pytest.approx((3 / 5 * 2 / 4 * 1 / 3 * 0.1 / 2) ** 0.25 * math.exp(1 - 6 / 5))


def test_words_count_as_often_as_in_the_text_that_has_them_oftenest() -> None:
    """ "a a a b" against "a a" and "a b": two of three a's, the b, and a a once, a b once."""
    score = self_bleu([tuple("aaab"), tuple("aa"), tuple("ab")])[0]
    assert score == pytest.approx((3 / 4 * 2 / 3 * 0.1 / 2 * 0.1 / 1) ** 0.25)


def test_short_texts_are_compared_by_the_orders_they_have() -> None:
    assert self_bleu([("yes",), ("yes",), ()]) == pytest.approx([1, 1, 0])
    assert self_bleu([("yes",)]) == pytest.approx([0])


def test_of_two_texts_as_near_in_length_the_shorter_counts() -> None:
    """Four words between six and two: no penalty, for the nearest is the shorter one."""
    score = self_bleu([tuple("abcd"), tuple("abcdef"), tuple("xy")])[0]
    assert score == pytest.approx(1.0)
