"""The check for flipped labels: what it asks of a model, and what it says of the answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from heedful.checks.finding import Outcome
from heedful.checks.label_noise import LabelNoise
from heedful.checks.model_scores import CrossFit, Losses
from heedful.records import Preference, Prompt, assistant, user
from tests.checks.noise import flip


class Judge:
    """Scores the word "good" above the word "bad", with noise; remembers what it was asked."""

    def __init__(self, noise: float = 0.6) -> None:
        self.noise = noise
        self.asked: list[Preference] = []

    def cross_fit(self, pairs: Sequence[Preference], *, folds: int, repeats: int) -> CrossFit:
        self.asked, self.cut = list(pairs), (folds, repeats)
        chance = np.random.default_rng(0)
        signs = np.array([1.0 if "good" in pair.chosen[0].content else -1.0 for pair in pairs])
        known = signs * (1.0 + self.noise * chance.normal(size=len(pairs)))
        found = known + 0.2 * chance.normal(size=(repeats, len(pairs)))
        return CrossFit(found, chance.integers(folds, size=found.shape))

    def losses(self, pairs: Sequence[Preference], *, answers: int, start: int) -> Losses:
        raise AssertionError("losses are not label noise's to ask for")


def pairs(count: int) -> list[Preference]:
    return [
        Preference((user(f"{n}?"),), (assistant(f"good {n}"),), (assistant(f"bad {n}"),), id=f"pair-{n}")
        for n in range(count)
    ]


def outcome(records: Sequence[Any], judge: Judge | None = None, **settings: Any) -> Outcome:
    check = LabelNoise(judge or Judge(), **settings)
    for index, record in enumerate(records):
        check.see(record, index)
    return check.outcome()


def test_planted_flips_are_found_with_their_share() -> None:
    noisy, flipped = flip(pairs(500), 0.2, seed=1)
    found = outcome(noisy)
    (finding,) = found.findings
    assert (finding.code, finding.severity) == ("labels_flipped", "warning")
    assert finding.figure is not None
    assert abs(finding.figure.value - 0.2) <= 0.05
    assert finding.figure.low <= 0.2 <= finding.figure.high
    assert finding.count == round(finding.figure.value * 500)
    assert f"label_smoothing={finding.figure.value:.2f}" in finding.mend
    assert finding.removes is None
    assert {example.id for example in finding.examples} <= {f"pair-{at}" for at in flipped}
    assert "chosen: bad" in finding.examples[0].text


def test_suspects_are_named_by_id_and_index() -> None:
    noisy, flipped = flip(pairs(500), 0.2, seed=1)
    # Records of other kinds are counted by the index, and not looked at.
    records = [Prompt((user("no pair"),)), *noisy]
    found = outcome(records)
    suspects = found.figures["suspects"]
    named = {suspect["index"] - 1 for suspect in suspects}
    assert len(named & flipped) / len(named) > 0.85
    assert len(named & flipped) / len(flipped) > 0.6
    assert all(suspect["id"] == f"pair-{suspect['index'] - 1}" for suspect in suspects)
    order = [suspect["flipped"] for suspect in suspects]
    assert order == sorted(order, reverse=True)
    assert min(order) > 0.5
    name, likely, mean, spread = found.tables[0].rows[0]
    assert (name, likely) == (suspects[0]["id"], suspects[0]["flipped"])
    # The judge's noise of 0.2 from repeat to repeat, standardised.
    assert float(mean) < -1
    assert 0.0 < float(spread) < 0.5


def test_clean_labels_are_no_finding() -> None:
    found = outcome(pairs(500))
    assert not found.findings
    assert found.figures["share"] < 0.02
    assert found.figures["high"] < 0.05
    assert found.figures["pairs"] == 500


def test_a_judge_that_knows_nothing_gives_a_note_and_no_number() -> None:
    found = outcome(pairs(300), Judge(noise=1000.0))
    (finding,) = found.findings
    assert (finding.code, finding.severity, finding.count) == ("label_noise_unknown", "note", 0)
    assert "learned too little" in finding.why
    assert finding.figure is None
    assert found.figures["share"] is None
    assert not found.figures["suspects"]
    assert not found.tables


def test_few_flips_are_below_the_threshold() -> None:
    noisy, _ = flip(pairs(500), 0.1, seed=1)
    assert outcome(noisy).findings
    assert not outcome(noisy, share=0.2).findings


def test_a_large_file_is_sampled_and_the_finding_says_so() -> None:
    judge = Judge()
    noisy, _ = flip(pairs(600), 0.3, seed=1)
    found = outcome(noisy, judge, pairs=200, folds=4, repeats=2)
    assert len(judge.asked) == 200
    assert judge.cut == (4, 2)
    assert "200 of 600 pairs looked at" in found.findings[0].title
    other = Judge()
    outcome(noisy, other, pairs=200, folds=4, repeats=2, seed=1)
    assert other.asked != judge.asked


def test_ties_are_left_out_and_few_pairs_or_prompts_are_skipped() -> None:
    ties = [replace(pair, probability=0.5) for pair in pairs(100)]
    assert "fewer than 5 prompts" in outcome(ties).skipped
    assert "fewer than 100 pairs" in outcome(pairs(99)).skipped
    same = [replace(pair, prompt=(user("the one"),)) for pair in pairs(100)]
    assert "fewer than 5 prompts" in outcome(same).skipped


def test_pairs_that_no_model_could_score_are_said_to_be_so() -> None:
    class Mute(Judge):
        def cross_fit(self, pairs: Sequence[Preference], *, folds: int, repeats: int) -> CrossFit:
            scores = super().cross_fit(pairs, folds=folds, repeats=repeats)
            return CrossFit(np.full_like(scores.differences, np.nan), scores.folds)

    assert outcome(pairs(200), Mute()).skipped == "no pair could be scored"
