"""What is called near is near, and nearly everything that is near is found."""

from __future__ import annotations

import random
from itertools import combinations

import numpy as np
import pytest

from heedful.checks.near import RECALL, NearIndex, jaccard, normalised

LETTERS = random.Random(0)
WORDS = ["".join(LETTERS.choices("abcdefghijklmnopqrstuvwxyz", k=LETTERS.randint(2, 9))) for _ in range(400)]


def sentence(random: random.Random, words: int) -> list[str]:
    return random.choices(WORDS, k=words)


def variants(count: int, seed: int = 0) -> list[str]:
    """Texts of 20 to 60 words, half of them an earlier one with one to ten words changed."""
    draw = random.Random(seed)
    texts = [sentence(draw, draw.randint(20, 60))]
    while len(texts) < count:
        if draw.random() < 0.5:
            text = list(draw.choice(texts))
            for _ in range(draw.randint(1, 10)):
                text[draw.randrange(len(text))] = draw.choice(WORDS)
            texts.append(text)
        else:
            texts.append(sentence(draw, draw.randint(20, 60)))
    return [" ".join(text) for text in texts]


def index_of(texts: list[str], threshold: float = 0.8) -> NearIndex:
    index = NearIndex(threshold)
    for text in texts:
        index.add(text)
    return index


def test_the_similarity_is_of_runs_of_five_characters() -> None:
    # abcde bcdef cdefg and abcde bcdef cdefh: two of four.
    assert jaccard("abcdefg", "abcdefh") == 0.5
    assert jaccard("abcdefg", "abcdefg") == 1.0
    assert jaccard("abcdefg", "hijklmn") == 0.0
    assert jaccard("aaaaaaaa", "aaaaa") == 1.0  # a set: how often a run comes does not matter
    assert jaccard("hi", "hi") == 1.0
    assert jaccard("hi", "ho") == 0.0
    assert jaccard("", "") == 1.0
    assert jaccard("日本語の質問です", "日本語の質問でした") == pytest.approx(3 / 6)


@pytest.mark.parametrize(
    ("text", "same"),
    [
        ("What is a PRIME?", "what is a prime"),
        ("  what\n is\ta prime ", "what is a prime"),
        ("“What’s a prime…”", "what s a prime"),
        ("ｗｈａｔ", "what"),
        ("3+4", "3+4"),
        ("x < y - 1", "x < y - 1"),
        ("STRASSE straße", "strasse strasse"),
    ],
)
def test_case_width_spaces_and_marks_are_normalised_and_sums_are_not(text: str, same: str) -> None:
    assert normalised(text) == same


@pytest.mark.parametrize("threshold", [0.5, 0.7, 0.8, 0.9])
def test_near_pairs_are_found_and_no_others(threshold: float) -> None:
    texts = variants(200)
    near = {(i, j) for i, j in combinations(range(200), 2) if jaccard(texts[i], texts[j]) >= threshold}
    assert len(near) > 10
    groups = index_of(texts, threshold).groups()
    found = sum(bool(groups[i] == groups[j]) for i, j in near)
    assert found >= RECALL * len(near)
    # Every group holds together: by near pairs alone one gets from each member to each other.
    linked = list(range(200))
    for i, j in sorted(near):
        low, high = sorted((linked[i], linked[j]))
        linked = [low if one == high else one for one in linked]
    assert all(linked[i] == linked[group] for i, group in enumerate(groups.tolist()))


def test_a_group_is_named_after_its_first_text() -> None:
    first = " ".join(sentence(random.Random(1), 40))
    texts = ["something else entirely", first, "and another one yet", f"{first} indeed", first]
    assert index_of(texts).groups().tolist() == [0, 1, 2, 1, 1]


def test_texts_that_only_share_an_opening_are_apart() -> None:
    opening = " ".join(sentence(random.Random(2), 20))
    texts = [f"{opening} {' '.join(sentence(random.Random(seed), 12))}" for seed in range(100)]
    assert len(set(index_of(texts).groups().tolist())) == 100


def test_what_does_not_agree_is_kept_apart() -> None:
    first = " ".join(sentence(random.Random(1), 40))
    asked: list[tuple[int, int]] = []

    def agree(left: int, right: int) -> bool:
        asked.append((left, right))
        return False

    assert index_of(["other", first, f"{first} indeed"]).groups(agree=agree).tolist() == [0, 1, 2]
    assert asked == [(1, 2)]


def test_the_same_text_is_near_at_every_threshold() -> None:
    assert index_of(["a b c", "d", "a b c"], 1.0).groups().tolist() == [0, 1, 0]
    assert index_of([], 0.8).groups().tolist() == []
    assert index_of([""], 0.8).groups().tolist() == [0]


def test_groups_do_not_depend_on_the_order() -> None:
    texts = variants(200, seed=3)
    order = random.Random(4).sample(range(200), 200)
    groups = index_of(texts).groups()
    moved = index_of([texts[n] for n in order]).groups()
    sets = {frozenset(np.flatnonzero(groups == group).tolist()) for group in groups}
    assert sets == {frozenset(order[n] for n in np.flatnonzero(moved == group)) for group in moved}


def test_what_is_near_a_text_is_told() -> None:
    texts = variants(200, seed=5)
    index = index_of(texts[:100])
    answers = index.nearest(texts[100:])
    wanted = [any(jaccard(text, other) >= 0.8 for other in texts[:100]) for text in texts[100:]]
    assert 10 < sum(wanted) < 90
    assert all(
        answer is None or (answer in texts[:100] and jaccard(text, answer) >= 0.8)
        for text, answer in zip(texts[100:], answers, strict=True)
    )
    assert sum(answer is not None for answer in answers) >= RECALL * sum(wanted)
    assert NearIndex().nearest(["a"]) == [None]


def test_an_index_can_be_added_to_after_it_was_asked() -> None:
    index = index_of(["one text of some length"])
    assert index.nearest(["another text of its own"]) == [None]
    index.add("another text of its own")
    assert index.nearest(["another text of its own"]) == ["another text of its own"]


def test_a_text_of_many_blocks_is_one_text() -> None:
    long = " ".join(sentence(random.Random(6), 4000))
    assert index_of([long, f"{long} more", long[: len(long) // 2]]).groups().tolist() == [0, 0, 2]


@pytest.mark.parametrize("threshold", [0, -1, 1.1])
def test_a_threshold_that_is_none_is_refused(threshold: float) -> None:
    with pytest.raises(ValueError, match="similarity"):
        NearIndex(threshold)
