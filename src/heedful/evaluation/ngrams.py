"""Words and n-grams of texts: how many are distinct, how alike texts are, how often one repeats itself.

Pure functions of texts, so that each can be checked by hand; `diversity` says what they mean for a model.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Sequence
from itertools import islice

import numpy as np

from heedful.evaluation.estimates import Array, Indices

# A word, a mark, or a character of a script that is written without spaces.
_WORD = re.compile(r"[\u3040-\u30ff\u3400-\u9fff]|[^\W\u3040-\u30ff\u3400-\u9fff]+|[^\w\s]")

Words = tuple[str, ...]
Grams = Counter[Words]

BLEU_ORDERS = 4
NO_MATCH = 0.1  # counted instead of no match, so that one order without any does not make the product 0


def words_of(text: str) -> Words:
    """The words and marks of a text, in lower case."""
    return tuple(_WORD.findall(text.lower()))


def grams_of(words: Sequence[str], n: int) -> list[Words]:
    """The n-grams in their order; none where there are fewer words."""
    return list(zip(*(islice(words, start, None) for start in range(n)), strict=False))


def repeated_share(words: Sequence[str], n: int) -> float:
    """The share of a text's n-grams that stood in it before, 0 to 1 (Welleck et al. 2020, "seq-rep-n")."""
    grams = grams_of(words, n)
    return 1 - len(set(grams)) / len(grams) if grams else 0.0


def most_repeats(words: Sequence[str], n: int) -> int:
    """How often the commonest n-gram of a text stands in it; 0 where it has none."""
    return max(Counter(grams_of(words, n)).values(), default=0)


def distinct_share(counts: Indices, drawn: int) -> float:
    """How many different ones are among `drawn` n-grams drawn from all, in the mean, over `drawn`.

    Plain distinct-n (Li et al. 2016) falls as texts get longer, whatever they say. Drawing equally many from
    every model takes that away, and the mean over all draws needs none (Hurlbert 1971, rarefaction).

    Args:
        counts: how often each n-gram occurs, `[kinds]`; zeros do no harm.
        drawn: at most their sum, else the result is nan.
    """
    total = int(counts.sum())
    if total < drawn:
        return math.nan
    times, kinds = np.unique(counts[counts > 0], return_counts=True)
    missed = [math.exp(_log_chance_missed(total, int(time), drawn)) for time in times]
    return float((kinds * (1 - np.array(missed))).sum()) / drawn


def _log_chance_missed(total: int, times: int, drawn: int) -> float:
    """log of C(total - times, drawn) / C(total, drawn)."""
    if total - times < drawn:
        return -math.inf
    return (
        math.lgamma(total - times + 1)
        - math.lgamma(total - times - drawn + 1)
        - math.lgamma(total + 1)
        + math.lgamma(total - drawn + 1)
    )


def entropy(counts: Indices) -> float:
    """The entropy of how often each word occurs, nats, with Miller and Madow's correction for few words."""
    seen = counts[counts > 0]
    shares = seen / seen.sum()
    return float(-(shares * np.log(shares)).sum()) + (len(seen) - 1) / (2 * float(seen.sum()))


def self_bleu(texts: Sequence[Words]) -> Array:
    """BLEU-4 of each text with all the others for references (Zhu et al. 2018), 0 to 1, `[texts]`.

    Papineni et al. 2002: n-grams of each order that stand in a reference, counted as often as in the one that
    has them oftenest; the geometric mean over orders; times a penalty for being shorter than the reference
    nearest in length. An order without a match counts `NO_MATCH` (Chen and Cherry 2014, method 1).

    Texts of fewer words than `BLEU_ORDERS` are compared by the orders that they have; empty ones are unlike
    any.
    """
    lengths = [len(words) for words in texts]
    logs = np.zeros(len(texts))
    orders = np.zeros(len(texts))
    for n in range(1, BLEU_ORDERS + 1):
        grams = [Counter(grams_of(words, n)) for words in texts]
        most = _two_largest(grams)
        for at, own in enumerate(grams):
            total = own.total()
            if not total:
                continue
            matches = sum(min(times, _of_others(most[gram], times)) for gram, times in own.items())
            logs[at] += math.log((matches or NO_MATCH) / total)
            orders[at] += 1
    means = np.exp(logs / np.maximum(orders, 1))
    return np.where(orders > 0, means * [_brevity(lengths, at) for at in range(len(texts))], 0.0)


def _two_largest(grams: Sequence[Grams]) -> dict[Words, tuple[int, int]]:
    """Of each n-gram, how often it stands in the text that has it oftenest and in the next."""
    most: dict[Words, tuple[int, int]] = {}
    for own in grams:
        for gram, times in own.items():
            first, second = most.get(gram, (0, 0))
            most[gram] = (times, first) if times > first else (first, max(second, times))
    return most


def _of_others(most: tuple[int, int], times: int) -> int:
    """The most in any other text than one that has it `times` times."""
    return most[1] if times == most[0] else most[0]


def _brevity(lengths: Sequence[int], at: int) -> float:
    own = lengths[at]
    others = [length for other, length in enumerate(lengths) if other != at]
    if not own or not others:
        return 0.0
    nearest = min(others, key=lambda length: (abs(length - own), length))
    return 1.0 if own >= nearest else math.exp(1 - nearest / own)
