"""Evidence that an annotator votes by chance, weighed vote by vote: an e-process, valid whenever one stops.

A bet against the hypothesis that the annotator is honest. Begin with 1. At each vote on an item on which the
others have a majority, an honest annotator is with it with a probability of at least q; one who clicks at
random with 1/2. Multiply by ½ / q where the vote is with the majority and by ½ / (1 - q) where it is not. For
whoever is with it at least with probability q, whatever came before, the expected factor is

    p · ½ / q + (1 - p) · ½ / (1 - q) ≤ 1    for p ≥ q ≥ ½,

so the product is a non-negative supermartingale that begins at 1, and by Ville's inequality (1939) the
probability that it ever reaches 1 / α is at most α: however many votes there are, and however often one looks
(Ramdas, Grünwald, Vovk and Shafer 2023, "Game-theoretic statistics and safe anytime-valid inference"). With
several annotators each is given an equal part of α (Bonferroni), so that α bounds the chance to accuse any
honest one. Chatbot Arena finds anomalous users by such a test too, against others' votes on the same models
(2403.04132; `outlier_detect` in FastChat's elo_analysis.py).

How large q is follows from how often an honest annotator is right, a: where the others lead by m votes, their
majority is right with r = σ(m · logit a) if each of them is right so often too, and q = a·r + (1 - a)(1 - r).
That is a model of the others, and holds if they err independently and no more often than that. Pure numpy.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

RANDOM = 0.5


def accuracy_of(agreement: float) -> float:
    """How often each vote is right where two agree so often and err independently: a² + (1 - a)² = agreement.

    0.5, which a coin reaches, where they agree in half of the cases or fewer.
    """
    return (1 + math.sqrt(max(2 * agreement - 1, 0.0))) / 2


def honest(lead: Ints, accuracy: float) -> Floats:
    """How often someone right with `accuracy`, above 0.5 and below 1, is with a majority that leads so far.

    Args:
        lead: how many more of the others are for the majority than against it, `[votes]`, above 0.
    """
    right = 1 / (1 + ((1 - accuracy) / accuracy) ** lead)
    together: Floats = accuracy * right + (1 - accuracy) * (1 - right)
    return together


def strongest(agrees: NDArray[np.bool_], expected: Floats) -> float:
    """The logarithm of the largest value that the process has reached, 0 or more.

    Args:
        agrees: whether each vote was with the majority of the others, `[votes]`, in order.
        expected: q of each, `[votes]`, at least 0.5.
    """
    steps = np.log(np.where(agrees, RANDOM / expected, RANDOM / (1 - expected)))
    return float(max(np.cumsum(steps).max(initial=0.0), 0.0))
