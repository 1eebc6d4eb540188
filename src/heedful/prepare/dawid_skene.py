"""Who is right when annotators disagree: Dawid and Skene's model of annotators with error rates of their own.

A. P. Dawid and A. M. Skene 1979, "Maximum likelihood estimation of observer error-rates using the EM
algorithm", Applied Statistics 28(1). Each item has one true class; an annotator says class l of an item of
class j with a probability of their own. Neither is known, and EM finds both. Arrays only: knows nothing of
preferences.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from heedful.agreement import count_votes

Floats = NDArray[np.float64]

ROUNDS = 1000
TOLERANCE = 1e-6
PRIOR_VOTES = 1.0
TINY = 1e-300  # has a logarithm


@dataclass(frozen=True, slots=True)
class Fit:
    """What the model found.

    Attributes:
        classes: how likely each item is of each class, `[items, classes]`.
        shares: how often each class occurs, `[classes]`.
        errors: how often an annotator says a class (last) of items of a class (middle),
            `[annotators, classes, classes]`.
        rounds: of EM; `ROUNDS` where it had not settled by then.
    """

    classes: Floats
    shares: Floats
    errors: Floats
    rounds: int


def dawid_skene(
    items: ArrayLike,
    annotators: ArrayLike,
    labels: ArrayLike,
    n_classes: int,
    *,
    prior_votes: float = PRIOR_VOTES,
) -> Fit:
    """Fit the model by EM, begun from the shares of each item's votes (their eq. 3.1): no chance is involved.

    Args:
        items, annotators, labels: of each vote, `[votes]`, whole numbers from 0. An annotator may vote on an
            item more than once.
        n_classes: how many labels there are.
        prior_votes: how many votes of an average annotator are added to each row of everyone's errors, so
            that nobody is taken to be infallible after three votes; 0 is the paper's maximum likelihood.
    """
    item, annotator, label = (np.asarray(part, dtype=np.int64) for part in (items, annotators, labels))
    n_items, n_annotators = (int(part.max(initial=-1)) + 1 for part in (item, annotator))
    said = annotator * n_classes + label

    def confusions(classes: Floats) -> Floats:
        """Votes by annotator, the item's class and what was said, `[annotators, classes, classes]`."""
        found = np.empty((n_annotators, n_classes, n_classes))
        for true in range(n_classes):
            counts = np.bincount(said, classes[item, true], n_annotators * n_classes)
            found[:, true] = counts.reshape(n_annotators, n_classes)
        return found

    def likelihoods(shares: Floats, errors: Floats) -> Floats:
        """Eq. 2.5: how likely each item is of each class, `[items, classes]`; summed as logarithms."""
        logs = np.tile(np.log(np.maximum(shares, TINY)), (n_items, 1))
        evidence = np.log(np.maximum(errors, TINY))[annotator, :, label]
        for true in range(n_classes):
            logs[:, true] += np.bincount(item, evidence[:, true], n_items)
        return _shares(np.exp(logs - logs.max(axis=1, keepdims=True)))

    classes = _shares(count_votes(item, label, n_classes).astype(np.float64))
    average = prior_votes * _shares(confusions(classes).sum(axis=0))
    rounds, settled = 0, False
    while not settled and rounds < ROUNDS:
        shares = classes.mean(axis=0)  # eq. 2.4
        errors = _shares(confusions(classes) + average)  # eq. 2.3
        moved = likelihoods(shares, errors)
        settled = bool(np.abs(moved - classes).max(initial=0.0) < TOLERANCE)
        classes = moved
        rounds += 1
    return Fit(classes, shares, errors, rounds)


def _shares(counts: Floats) -> Floats:
    """Counts as shares of their last axis; all 0 where there are none."""
    totals = counts.sum(axis=-1, keepdims=True)
    shares: Floats = np.divide(counts, totals, out=np.zeros_like(counts), where=totals > 0)
    return shares
