"""Dawid and Skene's model: the paper's own example, known error rates recovered, and few votes."""

from __future__ import annotations

import numpy as np
import pytest

from heedful.intervals import wilson
from heedful.prepare.dawid_skene import ROUNDS, Fit, dawid_skene

# Table 1 of the paper: what five anaesthetists said of 45 patients, the first of them three times.
ANAESTHETISTS = """
111 1 1 1 1|333 4 3 3 4|112 2 1 2 2|222 3 1 2 1|222 3 2 2 2|222 3 3 2 2|122 2 1 1 1|333 3 4 3 3|222 2 2 2 3|
232 2 2 2 3|444 4 4 4 4|222 3 3 4 3|111 1 1 1 1|222 3 2 1 2|121 1 1 1 1|111 2 1 1 1|111 1 1 1 1|111 1 1 1 1|
222 2 2 2 1|222 1 3 2 2|222 2 2 2 2|222 2 2 2 1|222 3 2 2 2|221 2 2 2 2|111 1 1 1 1|111 1 1 1 1|232 2 2 2 2|
111 1 1 1 1|111 1 1 1 1|112 1 1 2 1|111 1 1 1 1|333 3 2 3 3|111 1 1 1 1|222 2 2 2 2|222 3 2 3 2|433 4 3 4 3|
221 2 2 3 2|232 3 2 3 3|333 3 4 3 2|111 1 1 1 1|111 1 1 1 1|121 2 1 1 1|232 2 2 2 2|121 1 1 1 1|222 2 2 2 2
"""


def test_the_papers_patients_come_out_as_in_the_paper() -> None:
    rows = "".join(ANAESTHETISTS.split("\n")).split("|")
    votes = [
        (patient, who, int(said) - 1)
        for patient, row in enumerate(rows)
        for who, repeats in enumerate(row.split())
        for said in repeats
    ]
    assert (len(rows), len(votes)) == (45, 315)

    fit = dawid_skene(*zip(*votes, strict=True), 4, prior_votes=0)

    assert fit.shares.round(2).tolist() == [0.40, 0.42, 0.11, 0.07]
    assert fit.errors[0].round(2).tolist() == [
        [0.89, 0.11, 0, 0],
        [0.07, 0.88, 0.05, 0],
        [0, 0.34, 0.66, 0],
        [0, 0, 0.56, 0.44],
    ]
    assert fit.rounds < ROUNDS


def simulated(seed: int, right: list[float], items: int = 400) -> tuple[np.ndarray, Fit, np.ndarray]:
    """The true classes, the fit, and the votes `[annotators, items]` of annotators right that often."""
    rng = np.random.default_rng(seed)
    truth = rng.integers(2, size=items)
    said = np.array([np.where(rng.random(items) < often, truth, 1 - truth) for often in right])
    who, which = np.meshgrid(range(len(right)), range(items), indexing="ij")
    return truth, dawid_skene(which.ravel(), who.ravel(), said.ravel(), 2), said


@pytest.mark.parametrize("seed", range(3))
def test_known_error_rates_are_recovered_within_their_intervals(seed: int) -> None:
    right = [0.9, 0.8, 0.7, 0.6, 0.3]
    _, fit, _ = simulated(seed, right, items=1500)

    for annotator, often in enumerate(right):
        for true in (0, 1):
            # What an interval would be if the classes were known, at 99.9%: there are thirty of them here.
            low, high = wilson(often * 750, 750, level=0.999)
            assert low - 0.01 < fit.errors[annotator, true, true] < high + 0.01


@pytest.mark.parametrize("seed", range(5))
def test_it_beats_the_majority_where_an_annotator_is_adversarial(seed: int) -> None:
    truth, fit, said = simulated(seed, [0.8, 0.75, 0.7, 0.05, 0.55])

    majority = (said.mean(axis=0) > 0.5).astype(int)
    found = fit.classes.argmax(axis=1)
    assert (found == truth).mean() > (majority == truth).mean() + 0.1
    assert fit.errors[3, 0, 0] < 0.15


def test_the_same_votes_give_the_same_fit_in_any_order() -> None:
    rng = np.random.default_rng(1)
    items, who = rng.integers(40, size=200), rng.integers(6, size=200)
    said = rng.integers(3, size=200)
    order = rng.permutation(200)

    once, again = dawid_skene(items, who, said, 3), dawid_skene(items, who, said, 3)
    shuffled = dawid_skene(items[order], who[order], said[order], 3)

    assert (once.classes == again.classes).all()
    assert shuffled.classes == pytest.approx(once.classes, abs=1e-6)


def test_nobody_is_infallible_after_a_few_votes() -> None:
    # Annotator 2 voted once and was with the others; annotators 0 and 1 disagree now and then.
    items, who, said = [0, 0, 0, 1, 1, 2, 2, 3, 3], [0, 1, 2, 0, 1, 0, 1, 0, 1], [0, 0, 0, 0, 1, 1, 1, 1, 1]

    cautious, certain = dawid_skene(items, who, said, 2), dawid_skene(items, who, said, 2, prior_votes=0)

    assert certain.errors[2, 0, 0] == pytest.approx(1)
    assert 0.7 < cautious.errors[2, 0, 0] < 0.99


def test_a_class_that_nobody_names_is_never_the_answer() -> None:
    fit = dawid_skene([0, 0, 1, 1], [0, 1, 0, 1], [0, 0, 1, 0], 3)

    assert fit.classes[:, 2].tolist() == pytest.approx([0, 0], abs=1e-12)
    assert fit.classes.sum(axis=1).tolist() == pytest.approx([1, 1])
