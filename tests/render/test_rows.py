"""Records become rows, and what does not is counted: read = kept + quarantined."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from heedful.objectives import reward
from heedful.records import Demonstration, Message, Preference, Ranking, Rating, assistant, user
from heedful.render import rows as rendering
from heedful.render.chat import Renderer
from heedful.render.rows import Row, render
from heedful.render.truncate import Limits
from tests import tiny
from tests.render.chat_templates import NO_SYSTEM, REASONING, ids


def pair(
    name: str, prompt: str = "hi", chosen: str = "the cat", rejected: str = "a dog", weight: float = 1.0
) -> Preference:
    return Preference((user(prompt),), (assistant(chosen),), (assistant(rejected),), id=name, weight=weight)


def ranking(name: str, responses: Sequence[str], ranks: Sequence[int]) -> Ranking:
    answers = tuple((assistant(response),) for response in responses)
    return Ranking((user("ab"),), answers, tuple(ranks), id=name)


def test_a_preference_has_two_responses_and_a_demonstration_one() -> None:
    tokenizer = tiny.tokenizer()
    prompt = ids(tokenizer, "<|im_start|>user\nhi<|im_end|>\n<|im_start|>assistant\n")
    cat, dog = ids(tokenizer, "the cat<|im_end|>"), ids(tokenizer, "a dog<|im_end|>")
    demonstration = Demonstration((user("hi"),), (assistant("a dog"),), id="d")
    rows = render([pair("p", weight=0.5), demonstration], Renderer(tokenizer), Limits())
    assert list(rows) == [Row("p", prompt, (cat, dog), 0.5), Row("d", prompt, (dog,), 1.0)]
    assert rows[0].tokens == len(prompt) + len(cat) + len(dog)
    assert rows[0].response_tokens == len(cat) + len(dog)
    assert rows.tokens == rows[0].tokens + rows[1].tokens
    assert rows.cuts() == ""


def test_a_ranking_has_as_many_responses_as_it_ranks_and_a_rating_one() -> None:
    tokenizer = tiny.tokenizer()
    prompt = ids(tokenizer, "<|im_start|>user\nab<|im_end|>\n<|im_start|>assistant\n")
    answers = [ids(tokenizer, f"{text}<|im_end|>") for text in ("the cat", "a dog", "the mat")]
    ranked = ranking("k", ["the cat", "a dog", "the mat"], [2, 1, 2])
    rated = Rating((user("ab"),), (assistant("a dog"),), 4.5, id="r")
    rows = render([ranked, rated], Renderer(tokenizer), Limits())
    assert list(rows) == [Row("k", prompt, tuple(answers), 1.0), Row("r", prompt, (answers[1],), 1.0)]
    assert rows[0].tokens == len(prompt) + sum(map(len, answers))


def test_a_row_points_at_the_record_it_was_rendered_from_and_is_compared_without() -> None:
    records = [pair("refused", ""), pair("1"), ranking("2", ["x", "y"], [1, 2])]
    rows = render(records, Renderer(tiny.tokenizer(), "raw"), Limits())
    assert [row.record for row in rows] == records[1:]
    assert rows[0].record is records[1]
    assert rows[0] == Row(rows[0].id, rows[0].prompt, rows[0].responses, rows[0].weight)
    assert "record" not in repr(rows[0])


@pytest.mark.parametrize(
    ("ranks", "reason"),
    [
        ([], "too_few_responses"),
        ([1], "too_few_responses"),
        ([1, 2], None),
        ([1, 1, 1, 1, 1, 1], None),
        ([1, 2, 2, 2, 2, 2, 2, 3], None),
        ([1, 2, 2, 2, 2, 2, 2, 2, 3], "too_many_tied"),
    ],
)
def test_a_ranking_that_no_loss_can_use_is_quarantined(ranks: list[int], reason: str | None) -> None:
    records = [ranking("k", [f"answer {n}" for n in range(len(ranks))], ranks), pair("p")]
    rows = render(records, Renderer(tiny.tokenizer()), Limits())
    assert rows.counts.quarantined == ({reason: 1} if reason else {})
    assert [row.id for row in rows] == (["p"] if reason else ["k", "p"])


def test_render_allows_the_ties_that_the_ranking_loss_allows() -> None:
    assert rendering.MOST_TIED == reward.MOST_TIED


def test_a_refused_record_is_quarantined_with_the_templates_own_words() -> None:
    system = Preference(
        (Message("system", "be brief"), user("hi")), (assistant("a"),), (assistant("b"),), id="refused"
    )
    rows = render([pair("1"), system, pair("2")], Renderer(tiny.tokenizer(chat_template=NO_SYSTEM)), Limits())
    assert [row.id for row in rows] == ["1", "2"]
    (left,) = rows.quarantined
    assert (left.where, left.reason, left.raw) == ("refused", "template_refused", system)
    assert "System role not supported" in left.detail


def test_responses_stay_with_their_prompts_when_a_record_between_them_is_left_out() -> None:
    renderer = Renderer(tiny.tokenizer(), "raw")
    records = [pair("1", "x", "one", "uno"), pair("2", "", "two", "dos"), pair("3", "y", "three", "tres")]
    rows = render(records, renderer, Limits())
    assert [(row.id, [renderer.decode(r) for r in row.responses]) for row in rows] == [
        ("1", ["one", "uno"]),
        ("3", ["three", "tres"]),
    ]
    assert rows.counts.quarantined == {"empty_prompt": 1}


def test_a_pair_that_only_differs_beyond_the_limit_is_quarantined() -> None:
    renderer = Renderer(tiny.tokenizer(), "raw")
    records = [
        pair("late", "ab", "xyzxyzq", "xyzxyzw"),
        pair("early", "ab", "qxyzxyz", "wxyzxyz"),
    ]
    rows = render(records, renderer, Limits(max_length=6))
    assert [row.id for row in rows] == ["early"]
    assert rows.counts.quarantined == {"equal_after_truncation": 1}
    # What was left out does not count among the cut.
    assert (rows.rows_cut, rows.prompts_cut, rows.responses_cut) == (1, 0, 2)


def test_a_ranking_is_left_out_only_where_responses_of_different_rank_become_equal() -> None:
    renderer = Renderer(tiny.tokenizer(), "raw")
    answers = ["xyzxyzq", "qxyzxyz", "xyzxyzw"]
    records = [ranking("ranked", answers, [1, 2, 3]), ranking("tied", answers, [1, 2, 1])]
    rows = render(records, renderer, Limits(max_length=6))
    assert [row.id for row in rows] == ["tied"]
    assert rows[0].responses[0] == rows[0].responses[2] != rows[0].responses[1]
    (left,) = rows.quarantined
    assert (left.where, left.reason) == ("ranked", "equal_after_truncation")
    assert left.detail == "two responses of different rank are equal within 6 tokens"


def test_too_long_rows_are_dropped_where_the_policy_says_so() -> None:
    rows = render([pair("1"), pair("2", "x" * 50)], Renderer(tiny.tokenizer()), Limits(60, None, "drop"))
    assert [row.id for row in rows] == ["1"]
    assert rows.counts.quarantined == {"too_long": 1}
    assert "60 tokens" in rows.quarantined[0].detail


def test_a_prompt_over_its_own_limit_says_which_limit_it_was() -> None:
    rows = render([pair("1", "x" * 50)], Renderer(tiny.tokenizer()), Limits(1000, 20, "drop"))
    assert "20 tokens" in rows.quarantined[0].detail


def test_cuts_are_counted_and_said() -> None:
    records = [pair("1"), pair("2", "x" * 40), pair("3", "x" * 40, "y" * 40, "z" * 41)]
    rows = render(records, Renderer(tiny.tokenizer()), Limits(40))
    assert (rows.rows_cut, rows.prompts_cut, rows.responses_cut) == (2, 2, 2)
    assert rows.cuts() == "2 prompts truncated, 2 responses truncated"
    for row in rows:
        assert all(len(row.prompt) + len(response) <= 40 for response in row.responses)


def test_a_row_knows_how_long_its_responses_were_before_they_were_cut() -> None:
    records = [pair("1", "x", "y" * 4, "z" * 6), pair("2", "x", "y" * 40, "z" * 6), pair("3", "x" * 90)]
    rows = render(records, Renderer(tiny.tokenizer(), "raw"), Limits(20))
    whole = render(records, Renderer(tiny.tokenizer(), "raw"), Limits(1000))
    assert [row.uncut for row in rows] == [(), whole[1].lengths, ()]
    assert [row.lengths for row in rows] == [row.lengths for row in whole]
    assert rows[1].responses[0] != whole[1].responses[0]


def test_a_rewritten_prompt_counts_once_for_its_row() -> None:
    renderer = Renderer(tiny.tokenizer(chat_template=REASONING))
    for _ in range(2):
        rows = render([pair("1"), pair("2")], renderer, Limits())
        assert rows.prompts_rewritten == 2
        assert rows.cuts() == "2 prompts rewritten by the template"
    assert render([pair("1")], Renderer(tiny.tokenizer()), Limits()).prompts_rewritten == 0


def test_read_is_kept_plus_quarantined() -> None:
    records = [
        pair("kept"),
        pair("long", "x" * 100),
        pair("equal", "hi", "same", "same"),
        Preference((Message("system", "s"), user("q")), (assistant("a"),), (assistant("b"),), id="refused"),
    ]
    rows = render(records, Renderer(tiny.tokenizer(chat_template=NO_SYSTEM)), Limits(80, None, "drop"))
    counts = rows.counts
    assert counts.read == len(records) == counts.kept + sum(counts.quarantined.values())
    assert counts.quarantined == {"too_long": 1, "equal_after_truncation": 1, "template_refused": 1}
    assert {row.where for row in rows.quarantined} == {"long", "equal", "refused"}


def test_no_records_give_no_rows() -> None:
    rows = render([], Renderer(tiny.tokenizer()), Limits())
    assert (len(rows), rows.tokens, rows.counts.read) == (0, 0, 0)
