"""Style bias: shares by hand, a planted style found, one that only comes with length not."""

from __future__ import annotations

import random

import pytest

from heedful.checks.style_bias import SIMULTANEOUS, StyleBias
from heedful.checks.styles import STYLES, style_counts
from heedful.intervals import wilson
from heedful.records import Preference
from tests.checks.planted import HH, codes, only, outcome, pair, published, reply

WORDS = ["river", "stone", "cloud", "music", "garden", "window", "paper", "winter", "bread", "light"]


def text(draw: random.Random, words: int = 12) -> str:
    return " ".join(draw.choice(WORDS) for _ in range(words))


@pytest.mark.parametrize(
    ("words", "counts"),
    [
        ("- a\n- b\n\n1. c\n 2) d\n* e", {"lists": 5}),
        ("so: - no list, 1. no list", {}),
        ("# A\n## B\ntext # no heading", {"headings": 2}),
        ("**a** and **b** but 2 * 3", {"bold": 2}),
        ("```py\nx\n```", {"code blocks": 1}),
        ("Why? How?!", {"question marks": 2, "exclamation marks": 1}),
        ("Sorry, my apologies. I’m sorry.", {"apologies": 3, "first person": 1}),
        ("Maybe. I think it might.", {"hedges": 3, "first person": 1}),
        ("I can't, and I won’t.", {"refusals": 2, "first person": 2}),
        ("ok 👍 ☀ 🇫🇷", {"emoji": 4}),
        ("see https://a.org and www.b.org", {"links": 2}),
        ("It is in Italy.", {}),
        ("", {}),
    ],
)
def test_styles_are_counted(words: str, counts: dict[str, int]) -> None:
    found = dict(zip(STYLES, style_counts(words), strict=True))

    assert {name: count for name, count in found.items() if count} == counts


def with_bold(draw: random.Random, share: float, pairs: int) -> list[Preference]:
    """Pairs in which one side alone is bold, and chosen in this share of them."""
    made = []
    for _ in range(pairs):
        bold, plain = f"**{text(draw)}**", text(draw)
        made.append(pair(bold, plain) if draw.random() < share else pair(plain, bold))
    return made


def test_a_style_that_is_chosen_is_found_with_its_share() -> None:
    records = with_bold(random.Random(0), 0.8, 600)
    found = outcome(StyleBias(), records)
    finding = only(found)

    wins = sum("**" in record.chosen[0].content for record in records)
    assert (finding.code, finding.severity, finding.count, finding.of) == (
        "bold_chosen",
        "warning",
        wins,
        600,
    )
    assert finding.figure is not None
    assert finding.figure.value == wins / 600
    assert (finding.figure.low, finding.figure.high) == wilson(wins, 600, level=SIMULTANEOUS)
    assert finding.figure.low < 0.8 < finding.figure.high
    # At equal length, too: the marks make bold texts four letters longer.
    bold = found.figures["styles"]["bold"]
    assert bold["low_at_equal_length"] < 0.8 < bold["high_at_equal_length"]
    assert "**" in finding.examples[0].text


def test_a_style_that_is_rejected_is_found_too() -> None:
    finding = only(outcome(StyleBias(), with_bold(random.Random(1), 0.15, 600)))

    assert finding.code == "bold_rejected"
    assert finding.figure is not None
    assert 0.8 < finding.figure.value < 0.9


def test_a_style_that_only_comes_with_length_is_none() -> None:
    draw = random.Random(2)
    records = []
    for _ in range(3000):
        lengths = draw.randint(5, 60), draw.randint(5, 60)
        # Long texts have a question mark more often; the longer text is chosen, whatever marks it has.
        sides = [text(draw, n) + "?" * (draw.random() < n / 60) for n in lengths]
        longer_wins = draw.random() < 0.5 + 0.45 * (len(sides[0]) - len(sides[1])) / sum(map(len, sides))
        records.append(pair(*sides) if longer_wins else pair(*sides[::-1]))
    marks = outcome(StyleBias(share=0.5), records)

    questions = marks.figures["styles"]["question marks"]
    assert questions["low"] > 0.5
    assert questions["low_at_equal_length"] < 0.5 < questions["high_at_equal_length"]
    assert marks.findings == []


def test_styles_by_lot_are_no_finding() -> None:
    for seed in range(5):
        draw = random.Random(seed)
        extras = [
            "",
            "?",
            "!",
            "**so**",
            "\n- one\n- two",
            " Sorry.",
            " Maybe.",
            " I can't.",
            " 👍",
            "\n# So\n",
        ]
        sides = [text(draw) + "".join(extra for extra in extras if draw.random() < 0.3) for _ in range(2000)]
        records = [pair(one, other) for one, other in zip(sides[::2], sides[1::2], strict=True)]

        assert outcome(StyleBias(share=0.5), records).findings == []


def test_few_pairs_prove_nothing() -> None:
    records = [pair("**so**", "so") for _ in range(49)]

    assert outcome(StyleBias(), records).findings == []
    assert codes(outcome(StyleBias(pairs=49), records)) == ["bold_chosen"]


def test_ties_and_single_replies_are_not_looked_at() -> None:
    ties = [pair("**so**", "so", probability=0.5) for _ in range(100)]

    assert outcome(StyleBias(), [*ties, reply("**so**")]).skipped == "no pair has a preferred side"


def test_published_pairs_show_the_styles_of_their_models(shared_data) -> None:
    assert codes(outcome(StyleBias(), published(shared_data, HH))) == []
    # Vicuna writes no bold and loses to GPT-4, which does.
    vicuna = published(shared_data, "alpaca-eval-vicuna-7b.json.gz")
    assert codes(outcome(StyleBias(), vicuna)) == ["bold_chosen"]
