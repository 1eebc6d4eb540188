"""Too long a row is cut by a policy with a name; what survives is known to the token."""

from __future__ import annotations

import itertools

import pytest

from heedful.render.truncate import Limits, Truncated, truncate

BOS = 1
PROMPT = [BOS, 10, 11, 12, 13, 14, 15, 16]
SHORT, LONG = [20, 21, 2], [30, 31, 32, 33, 2]


def cut(policy: str, max_length: int, *, max_prompt: int | None = None, bos: int | None = BOS) -> Truncated:
    found = truncate(PROMPT, [SHORT, LONG], Limits(max_length, max_prompt, policy), bos=bos)  # type: ignore[arg-type]
    assert found is not None
    return found


@pytest.mark.parametrize("policy", ["keep_end", "keep_start", "drop"])
def test_a_row_that_just_fits_is_left_alone(policy: str) -> None:
    assert cut(policy, len(PROMPT) + len(LONG)) == Truncated(PROMPT, (SHORT, LONG), False, 0)


def test_keep_end_keeps_the_bos_and_the_latest_tokens() -> None:
    assert cut("keep_end", 11) == Truncated([BOS, 12, 13, 14, 15, 16], (SHORT, LONG), True, 0)


def test_keep_end_without_a_bos_keeps_the_latest_tokens() -> None:
    assert cut("keep_end", 11, bos=None).prompt == [11, 12, 13, 14, 15, 16]
    assert cut("keep_end", 11, bos=99).prompt == [11, 12, 13, 14, 15, 16]


def test_keep_start_keeps_the_first_tokens() -> None:
    assert cut("keep_start", 11) == Truncated([BOS, 10, 11, 12, 13, 14], (SHORT, LONG), True, 0)


@pytest.mark.parametrize("max_length", [12, 8, 2])
def test_drop_takes_the_whole_row(max_length: int) -> None:
    assert truncate(PROMPT, [SHORT, LONG], Limits(max_length, None, "drop"), bos=BOS) is None


def test_drop_takes_a_prompt_beyond_its_own_limit() -> None:
    assert truncate(PROMPT, [SHORT], Limits(100, 7, "drop"), bos=BOS) is None
    assert truncate(PROMPT, [SHORT], Limits(100, 8, "drop"), bos=BOS) is not None


def test_one_token_too_many_in_one_response_cuts_the_prompt_for_both() -> None:
    """Both sides of a pair are judged on the same prompt."""
    assert cut("keep_end", 12) == Truncated([BOS, 11, 12, 13, 14, 15, 16], (SHORT, LONG), True, 0)


def test_the_prompt_keeps_half_and_the_response_gives_way() -> None:
    # 8 tokens: the prompt keeps 4, and of the responses only the one over 4 is cut.
    assert cut("keep_end", 8) == Truncated([BOS, 14, 15, 16], (SHORT, [30, 31, 32, 33]), True, 1)
    assert cut("keep_end", 4) == Truncated([BOS, 16], ([20, 21], [30, 31]), True, 2)


def test_a_short_prompt_leaves_its_half_to_the_response() -> None:
    assert truncate([BOS, 10], [LONG], Limits(6), bos=BOS) == Truncated([BOS, 10], (LONG[:4],), False, 1)


def test_a_prompt_limit_of_its_own_holds_even_where_the_row_would_fit() -> None:
    assert cut("keep_end", 100, max_prompt=3) == Truncated([BOS, 15, 16], (SHORT, LONG), True, 0)
    assert cut("keep_start", 100, max_prompt=3) == Truncated([BOS, 10, 11], (SHORT, LONG), True, 0)
    assert cut("keep_end", 100, max_prompt=len(PROMPT)).prompt_cut is False


def test_a_prompt_limit_gives_the_response_its_room() -> None:
    assert cut("keep_end", 8, max_prompt=3) == Truncated([BOS, 15, 16], (SHORT, LONG), True, 0)


@pytest.mark.parametrize("policy", ["keep_end", "keep_start"])
def test_limits_hold_and_nothing_is_emptied_whatever_the_lengths(policy: str) -> None:
    for prompt, one, other, limit in itertools.product((1, 2, 5, 9), (1, 4, 9), (1, 7), range(2, 20)):
        for own in (None, 1, 3, 8):
            rows = [[BOS, *range(100, 99 + prompt)], [*range(200, 200 + one)], [*range(300, 300 + other)]]
            limits = Limits(limit, own, policy)  # type: ignore[arg-type]
            found = truncate(rows[0], rows[1:], limits, bos=BOS)
            assert found is not None
            assert 1 <= len(found.prompt) <= min(own or limit, limit)
            assert found.prompt_cut == (len(found.prompt) < prompt)
            assert len(found.prompt) == 1 or found.prompt[0] == BOS
            for before, after in zip(rows[1:], found.responses, strict=True):
                assert 1 <= len(after) <= limit - len(found.prompt)
                assert after == before[: len(after)]
                # A response is cut only where the row is full to the last token.
                assert after == before or len(found.prompt) + len(after) == limit
            cut_responses = [a for b, a in zip(rows[1:], found.responses, strict=True) if a != b]
            assert found.responses_cut == len(cut_responses)
            if cut_responses and own is None:
                assert len(found.prompt) == min(prompt, limit // 2)


def test_any_number_of_responses_shares_the_prompt_that_the_longest_leaves() -> None:
    responses = [SHORT, LONG, [40], [50, 51, 52, 53, 54, 2]]
    found = truncate(PROMPT, responses, Limits(8), bos=BOS)
    assert found == Truncated([BOS, 14, 15, 16], (SHORT, LONG[:4], [40], [50, 51, 52, 53]), True, 2)


def test_what_came_in_is_not_changed() -> None:
    prompt, response = list(PROMPT), list(LONG)
    truncate(prompt, [response], Limits(6), bos=BOS)
    assert (prompt, response) == (PROMPT, LONG)
