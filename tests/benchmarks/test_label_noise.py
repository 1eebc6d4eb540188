"""The study of label noise: its pairs, its trials and its table."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import pytest

from benchmarks import label_noise
from benchmarks.label_noise_table import render
from heedful.models.scoring import end_states
from heedful.render.chat import Renderer
from heedful.render.rows import render as rendered
from heedful.render.truncate import Limits
from tests import tiny
from tests.training.test_cross_fit import cat_pairs


def test_every_pair_is_a_positive_sentence_against_a_negative_one(tmp_path: Path) -> None:
    for name, word in zip(label_noise.FILES, ("good", "bad"), strict=True):
        with gzip.open(tmp_path / name, "wt", encoding="latin-1") as file:
            file.writelines(f"{word}  é{number}\n" for number in range(5))
    found = label_noise.pairs(tmp_path, 3)
    assert len({pair.prompt for pair in found}) == 3
    assert len({pair.chosen for pair in found}) == 3
    for pair in found:
        assert pair.chosen[0].content.startswith("good é")
        assert pair.rejected[0].content.startswith("bad é")


def test_the_published_sentences_are_read(shared_data: Path) -> None:
    assert len(label_noise.pairs(shared_data, 10_000)) == 5331


def test_a_trial_finds_what_it_planted() -> None:
    gold = cat_pairs(300)
    rows = rendered(gold, Renderer(tiny.tokenizer()), Limits(128))
    states = end_states(tiny.backbone().role("reference"), rows)
    found = label_noise.trial(states, gold, "at random", 0.1, seed=0)
    assert found["planted"] == pytest.approx(0.1)
    assert found["found"] == pytest.approx(0.1, abs=0.05)
    assert found["low"] <= 0.1 <= found["high"]
    assert found["contradicted"] > found["found"]
    assert found["accuracy"] > 0.85
    assert 0 < found["suspects_flipped"] <= found["suspects"] <= 60


def run(found: float | None, low: float, high: float, **other: Any) -> dict[str, Any]:
    numbers = {"planted": 0.2, "contradicted": 0.3, "accuracy": 0.875, "suspects": 10, "suspects_flipped": 8}
    return {"kind": "at random", "found": found, "low": low, "high": high, "seconds": 6.0, **numbers, **other}


def test_the_table_counts_estimates_that_are_near_and_intervals_that_hold_the_truth() -> None:
    report = {
        "date": "2026-01-01",
        "machine": {"cpu": "A processor"},
        "precision": "fp32",
        "settings": {"pairs": 1000, "model": "smollm2-135m", "seeds": 3},
        "tokens": 95_000,
        "reading_seconds": 150.0,
        "runs": [run(0.24, 0.18, 0.3), run(0.26, 0.21, 0.31), run(None, 0.0, 0.4)],
    }
    table = render(report)
    assert "(95,000 tokens) took 2.5 minutes of processor time, a draw 6 seconds" in table
    (row,) = [line for line in table.splitlines() if line.startswith("| at random")]
    cells = [cell.strip() for cell in row.strip("|").split("|")]
    assert cells == [
        "at random", "20%", "24%, 26%, none", "1 of 3", "2 of 3", "21 points", "30%", "88%", "24 of 30"
    ]  # fmt: skip
