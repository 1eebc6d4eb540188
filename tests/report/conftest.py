"""A small report with everything in it, so that a test changes only what it is about."""

import pytest

from heedful.evaluation.behaviour import Behaviour
from heedful.intervals import wilson
from heedful.report import AccuracyRow, Curve, ReportData, SideBySide


def behaviour(ended: float, words: float, preamble: float, n: int = 100) -> Behaviour:
    return Behaviour(
        n=n,
        ended_share=ended,
        ended_interval=wilson(ended * n, n),
        words=words,
        words_interval=(words - 4, words + 4),
        words_median=words,
        words_median_interval=(words - 3, words + 3),
        preamble_share=preamble,
        preamble_interval=wilson(preamble * n, n),
    )


def accuracy(label: str, stage: str, successes: int, n: int = 100) -> AccuracyRow:
    return AccuracyRow(label, stage, successes / n, *wilson(successes, n), n)


@pytest.fixture
def data() -> ReportData:
    return ReportData(
        title="A small run",
        intro="First paragraph.\n\nSecond paragraph.",
        facts={"Model": "tiny", "Machine": "2 cores"},
        stages=["base", "DPO"],
        curves=[Curve("Loss", "nats per pair", {"train": [(float(i), 1 / i) for i in range(1, 60)]})],
        accuracy=[
            accuracy("Implicit reward", "DPO", 80),
            accuracy("Per token", "base", 50),
            accuracy("Per token", "DPO", 55),
            accuracy("Shorter wins", "ruler", 60),
        ],
        behaviour={"base": behaviour(0.1, 150, 0.3), "DPO": behaviour(0.95, 55, 0.02)},
        side_by_side=[
            SideBySide(
                "How do I boil an egg?",
                {"base": "Eggs are eggs are eggs", "DPO": "Eight minutes."},
                {"base": False, "DPO": True},
                "Boil it for eight minutes.",
            )
        ],
        notes=["Only a hundred prompts."],
        quarantine={"equal_sides": 3, "empty_chosen": 1},
    )
