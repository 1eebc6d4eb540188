"""The packed layout, by hand and against the plainest possible reading of what may see what."""

from __future__ import annotations

import random

import pytest
import torch

from heedful.render.packing import Packed, Segment, mask_mod, pack
from heedful.render.rows import Row

PAIR = Row("pair", [10, 11, 12], ([20, 21], [30, 31, 32]), weight=0.5)
DEMONSTRATION = Row("demonstration", [40, 41], ([50, 51],), weight=2.0)


def many(count: int = 40, seed: int = 0) -> list[Row]:
    generator = random.Random(seed)

    def some(low: int = 1) -> list[int]:
        return [generator.randrange(1000) for _ in range(generator.randrange(low, 12))]

    return [
        Row(str(i), some(), tuple(some() for _ in range(generator.randrange(1, 4)))) for i in range(count)
    ]


def test_the_layout_of_a_pair_and_a_demonstration() -> None:
    (packed,) = pack([PAIR, DEMONSTRATION], 100)
    assert packed.input_ids.tolist() == [10, 11, 12, 20, 21, 30, 31, 32, 40, 41, 50, 51]
    # A response goes on where its prompt ended, whichever response it is.
    assert packed.position_ids.tolist() == [0, 1, 2, 3, 4, 3, 4, 5, 0, 1, 2, 3]
    assert packed.segments == (Segment(0, 3, (2, 3)), Segment(8, 2, (2,)))
    assert packed.target_ids.tolist() == [20, 21, 30, 31, 32, 50, 51]
    # Both first tokens of the pair are predicted by the prompt's last.
    assert packed.target_index.tolist() == [2, 3, 2, 5, 6, 9, 10]
    assert packed.target_sequence.tolist() == [0, 0, 1, 1, 1, 2, 2]
    assert packed.weights.tolist() == [0.5, 2.0]
    assert packed.rows == (0, 1)
    assert packed.lengths.tolist() == [2, 3, 2]
    assert (packed.tokens, packed.sequences) == (12, 3)


def test_spans_of_a_segment() -> None:
    segment = Segment(8, 3, (2, 3))
    assert segment.stop == 16
    assert segment.response_spans() == [(11, 13), (13, 16)]


def test_sums_follow_the_sequences() -> None:
    (packed,) = pack([PAIR, DEMONSTRATION], 100)
    values = torch.tensor([1.0, 2, 3, 4, 5, 6, 7])
    assert packed.sum_by_sequence(values).tolist() == [3, 12, 13]


def test_the_padded_twin_by_hand() -> None:
    (packed,) = pack([PAIR, DEMONSTRATION], 100)
    padded = packed.to_padded(pad_id=20)  # also the id of a response token: masks come from lengths
    assert padded.input_ids.tolist() == [
        [10, 11, 12, 20, 21, 20],
        [10, 11, 12, 30, 31, 32],
        [40, 41, 50, 51, 20, 20],
    ]
    assert padded.attention_mask.tolist() == [[1, 1, 1, 1, 1, 0], [1] * 6, [1, 1, 1, 1, 0, 0]]
    assert padded.target_index.tolist() == [2, 3, 8, 9, 10, 13, 14]


def test_every_target_of_the_padded_twin_stands_right_behind_its_source() -> None:
    for packed in pack(many(), 64):
        padded = packed.to_padded(0)
        flat = padded.input_ids.flatten()
        assert torch.equal(flat[padded.target_index + 1], packed.target_ids)
        assert torch.equal(flat[padded.target_index], packed.input_ids[packed.target_index])
        assert int(padded.attention_mask.sum()) == sum(
            segment.prompt + length for segment in packed.segments for length in segment.responses
        )


def test_no_pack_is_over_the_budget_unless_it_is_one_row() -> None:
    rows, budget = many(), 24
    packs = pack(rows, budget)
    assert any(row.tokens > budget for row in rows)
    for packed in packs:
        assert packed.tokens <= budget or len(packed.rows) == 1
        assert packed.tokens == sum(rows[i].tokens for i in packed.rows)


def test_a_row_over_the_budget_is_alone_and_whole() -> None:
    large, small = Row("large", [1] * 20, ([2] * 5,)), Row("small", [1], ([2],))
    packs = pack([small, large, small], 10)
    assert [packed.rows for packed in packs] == [(1,), (0, 2)]
    assert packs[0].tokens == 25


def test_a_budget_is_filled_to_the_last_token() -> None:
    rows = [Row(str(i), [1, 2], ([3],)) for i in range(4)]
    assert [packed.rows for packed in pack(rows, 6)] == [(0, 1), (2, 3)]
    assert [packed.rows for packed in pack(rows, 5)] == [(0,), (1,), (2,), (3,)]


@pytest.mark.parametrize("budget", [1, 16, 64, 10_000])
def test_nothing_is_lost_and_nothing_twice(budget: int) -> None:
    rows = many()
    packs = pack(rows, budget)
    assert sorted(i for packed in packs for i in packed.rows) == list(range(len(rows)))
    for packed in packs:
        parts = packed.target_ids.split(packed.lengths.tolist())
        assert [part.tolist() for part in parts] == [list(r) for i in packed.rows for r in rows[i].responses]
        for segment, i in zip(packed.segments, packed.rows, strict=True):
            whole = [*rows[i].prompt, *(token for response in rows[i].responses for token in response)]
            assert packed.input_ids[segment.start : segment.stop].tolist() == whole


def test_the_same_rows_always_pack_the_same_way() -> None:
    one, other = pack(many(), 50), pack(many(), 50)
    assert [packed.rows for packed in one] == [packed.rows for packed in other]
    assert all(torch.equal(a.input_ids, b.input_ids) for a, b in zip(one, other, strict=True))


def test_packing_wastes_little() -> None:
    rows = many(200)
    budget = 128
    packs = pack(rows, budget)
    assert len(packs) <= -(-sum(row.tokens for row in rows) // budget) + 1


def test_no_rows_give_no_packs() -> None:
    assert pack([], 100) == []


def visible_by_hand(packed: Packed, window: int | None) -> list[list[bool]]:
    """Unpack every sequence, mark what causal attention within it sees, and pack the marks again."""
    seen = [[False] * packed.tokens for _ in range(packed.tokens)]
    for segment in packed.segments:
        prompt = list(range(segment.start, segment.start + segment.prompt))
        for start, stop in segment.response_spans():
            sequence = [*prompt, *range(start, stop)]
            for at, q in enumerate(sequence):
                first = 0 if window is None else max(at - window + 1, 0)
                for k in sequence[first : at + 1]:
                    seen[q][k] = True
    return seen


@pytest.mark.parametrize("window", [None, 1, 3, 100])
def test_the_mask_is_causal_attention_over_each_unpacked_sequence(window: int | None) -> None:
    for packed in pack(many(12), 60):
        visible, zero = mask_mod(packed, window), torch.zeros(())
        at = torch.arange(packed.tokens)
        found = visible(zero, zero, at[:, None], at[None, :])
        assert found.tolist() == visible_by_hand(packed, window)


def test_owners_name_segment_and_branch() -> None:
    (packed,) = pack([PAIR, DEMONSTRATION], 100)
    segment_of, branch_of = packed.owners()
    assert segment_of.tolist() == [0] * 8 + [1] * 4
    assert branch_of.tolist() == [0, 0, 0, 1, 1, 2, 2, 2, 0, 0, 1, 1]


def test_moving_a_pack_moves_all_of_it() -> None:
    (packed,) = pack([PAIR, DEMONSTRATION], 100)
    assert packed.to("cpu") is packed
    moved = packed.to("meta")
    assert {value.device.type for value in vars(moved).values() if isinstance(value, torch.Tensor)} == {
        "meta"
    }
    assert (moved.segments, moved.rows) == (packed.segments, packed.rows)
