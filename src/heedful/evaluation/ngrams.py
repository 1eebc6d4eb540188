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
from numpy.typing import NDArray

from heedful.evaluation.estimates import Array, Indices

# A word, a mark, or a character of a script that is written without spaces.
_WORD = re.compile(r"[\u3040-\u30ff\u3400-\u9fff]|[^\W\u3040-\u30ff\u3400-\u9fff]+|[^\w\s]")

Words = tuple[str, ...]
Mask = NDArray[np.bool_]

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
    """The entropy of how often each word occurs, nats, with Miller and Madow's correction for few words.

    nan of no words.
    """
    seen = counts[counts > 0]
    if not len(seen):
        return math.nan
    shares = seen / seen.sum()
    return float(-(shares * np.log(shares)).sum()) + (len(seen) - 1) / (2 * float(seen.sum()))


def self_bleu(texts: Sequence[Words]) -> Array:
    """How like the others each text is, `[texts]`; see `SelfBleu`."""
    return SelfBleu(texts)(np.ones(len(texts), dtype=bool))


class SelfBleu:
    """BLEU-4 of each text with all the others for references (Zhu et al. 2018), 0 to 1.

    Papineni et al. 2002: n-grams of each order that stand in a reference, counted as often as in the one that
    has them oftenest; the geometric mean over orders; times a penalty for being shorter than the reference
    nearest in length. An order without a match counts `NO_MATCH` (Chen and Cherry 2014, method 1).

    Texts of fewer words than `BLEU_ORDERS` are compared by the orders that they have; empty ones are unlike
    any. The n-grams are counted once, whatever texts are left out afterwards.
    """

    def __init__(self, texts: Sequence[Words]) -> None:
        self._lengths = np.array([len(words) for words in texts], dtype=np.intp)
        self._orders = [_counted(texts, n) for n in range(1, BLEU_ORDERS + 1)]

    def __call__(self, kept: Mask) -> Array:
        """The scores of the texts that are kept, `[kept texts]`; `kept`: `[texts]`."""
        logs, orders = np.zeros(len(kept)), np.zeros(len(kept))
        for order in self._orders:
            text, gram, times = order[:, kept[order[0]]]
            leads = np.append(True, gram[1:] != gram[:-1])[: len(gram)]
            after = np.append(np.where(leads, 0, times)[1:], 0)[
                : len(gram)
            ]  # the next most of the same n-gram
            found = np.bincount(text, np.where(leads, np.minimum(times, after), times), len(kept))
            total = np.bincount(text, times, len(kept))
            there = total > 0
            logs[there] += np.log(np.where(found > 0, found, NO_MATCH)[there] / total[there])
            orders += there
        means = np.where(orders > 0, np.exp(logs / np.maximum(orders, 1)), 0.0)
        result: Array = means[kept] * _brevity(self._lengths[kept])
        return result


def _counted(texts: Sequence[Words], n: int) -> Indices:
    """How often each n-gram stands in each text: rows of text, n-gram and times, `[3, entries]`.

    By n-gram, the text that has it oftenest first.
    """
    kinds: dict[Words, int] = {}
    entries = [
        (at, kinds.setdefault(gram, len(kinds)), times)
        for at, words in enumerate(texts)
        for gram, times in Counter(grams_of(words, n)).items()
    ]
    table = np.array(entries, dtype=np.intp).reshape(-1, 3).T
    ordered: Indices = table[:, np.lexsort((-table[2], table[1]))]
    return ordered


def _brevity(lengths: Indices) -> Array:
    """The penalty of each text for being shorter than the one of the others that is nearest in length."""
    if len(lengths) < 2:
        return np.zeros(len(lengths))
    apart = lengths[None, :] - lengths[:, None]
    distance = 2 * np.abs(apart) + (apart > 0)  # of two as near, the shorter one
    np.fill_diagonal(distance, np.iinfo(distance.dtype).max)
    nearest = lengths[distance.argmin(axis=1)]
    result: Array = np.exp(np.minimum(0.0, 1 - nearest / np.maximum(lengths, 1)))
    return result
