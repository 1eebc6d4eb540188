"""Tokens for the checks are those of training: the same rendering, the same cuts."""

from __future__ import annotations

import pytest
from transformers import PreTrainedTokenizerFast

from heedful.checks.template_tokens import TemplateTokens
from heedful.checks.tokens import Tokens, TokenStream
from heedful.checks.truncation import Truncation
from heedful.records import (
    Candidates,
    Demonstration,
    Feedback,
    Judgement,
    Preference,
    Prompt,
    Ranking,
    Rating,
    Record,
    assistant,
    user,
)
from heedful.render.chat import Renderer
from heedful.render.rows import render
from heedful.render.token_view import TokenView
from heedful.render.truncate import Limits
from tests import tiny

PROMPT = (user("what is the answer to this question?"),)


def pair(chosen: str, rejected: str, prompt: str = "what is the answer?") -> Preference:
    return Preference((user(prompt),), (assistant(chosen),), (assistant(rejected),))


def view(records: list[Record], tokenizer: PreTrainedTokenizerFast | None = None, **more) -> list[Tokens]:
    found = TokenView(tokenizer or tiny.tokenizer(), **more)(records)
    assert None not in found
    return [tokens for tokens in found if tokens is not None]


def pairs() -> list[Preference]:
    same = "the cat sat on the mat and the dog ran to the house"
    return [
        pair(same[:n] + " yes", same[:n] + " no it is not", "what is " * (n % 7 + 1)) for n in range(0, 50, 3)
    ]


@pytest.mark.parametrize("policy", ["keep_end", "keep_start", "drop"])
@pytest.mark.parametrize("length", [16, 24, 32, 48, 64, 256])
def test_what_is_cut_and_left_out_is_what_training_cuts_and_leaves_out(policy, length: int) -> None:
    records = pairs()
    rows = render(records, Renderer(tiny.tokenizer()), Limits(length, policy=policy))
    cuts = [tokens.within(length) for tokens in view(records, policy=policy)]

    reasons = [cut.left_out for cut in cuts if cut.left_out]
    assert {reason: reasons.count(reason) for reason in reasons} == rows.counts.quarantined
    kept = [cut for cut in cuts if not cut.left_out]
    assert sum(cut.prompt_cut for cut in kept) == rows.prompts_cut
    assert sum(cut.responses_cut for cut in kept) == rows.responses_cut


def test_lengths_are_those_of_training() -> None:
    records = pairs()
    rows = render(records, Renderer(tiny.tokenizer()), Limits(4096))

    assert [(tokens.prompt, tokens.responses) for tokens in view(records)] == [
        (len(row.prompt), row.lengths) for row in rows
    ]


def test_the_tokens_that_both_sides_begin_with_are_counted() -> None:
    one, other, none = view([pair("the cat", "the cat sat"), pair("the cat", "the dog"), pair("a", "b")])
    tokenizer = tiny.tokenizer()

    assert one.alike == len(tokenizer("the cat", add_special_tokens=False)["input_ids"])
    assert 0 < other.alike < one.alike
    assert none.alike == 0


def test_every_kind_of_record_has_tokens_but_a_judgement() -> None:
    answer = (assistant("so it is"),)
    records: list[Record] = [
        Prompt(PROMPT),
        Demonstration(PROMPT, answer),
        Feedback(PROMPT, answer, True),
        Rating(PROMPT, answer, 1.0),
        Candidates(PROMPT, (answer, answer)),
        Ranking(PROMPT, (answer, answer, answer), (1, 2, 3)),
        Judgement("item", "ann", "a"),
    ]
    found = TokenView(tiny.tokenizer())(records)

    assert [None if tokens is None else len(tokens.responses) for tokens in found] == [0, 1, 1, 1, 2, 3, None]
    prompt, candidates, ranking = found[0], found[4], found[5]
    assert prompt is not None
    assert candidates is not None
    assert ranking is not None
    assert [prompt.within(length).prompt_cut for length in (1, prompt.prompt)] == [True, False]
    assert candidates.within(4096).left_out == ""
    assert ranking.within(4096).left_out == "equal_after_truncation"


def test_special_tokens_in_the_text_are_named_and_those_of_the_template_not() -> None:
    clean, planted = view([pair("a", "b"), pair("so<|im_end|>", "no <|im_start|> <|im_end|>")])

    assert (clean.special, planted.special) == ((), ("<|im_end|>", "<|im_start|>"))


def test_a_conversation_that_the_template_refuses_says_why() -> None:
    refusing = "{% if messages|length > 2 %}{{ raise_exception('too many turns') }}{% endif %}" + tiny.CHATML
    long = Preference((user("a"), user("b")), (assistant("c"),), (assistant("d"),))
    refused, fine = view([long, pair("a", "b")], tiny.tokenizer(chat_template=refusing))

    assert (refused.refused, fine.refused) == ("too many turns", "")
    assert fine.prompt > 0


def test_a_reply_that_merges_with_the_end_of_the_prompt_is_noticed() -> None:
    # A word takes the space before it into its first token.
    apart, merged = view(
        [pair(" dog", " cat", "the"), pair("dog", "cat", "the ")], tiny.tokenizer(), template="raw"
    )

    assert (apart.merged, merged.merged) == (False, True)


def test_a_template_that_rewrites_the_prompt_is_noticed() -> None:
    last = "{% if messages[-1].role == 'assistant' %}!{% endif %}" + tiny.CHATML

    assert [tokens.rewritten for tokens in view([pair("a", "b")], tiny.tokenizer(chat_template=last))] == [
        True
    ]
    assert [tokens.rewritten for tokens in view([pair("a", "b")])] == [False]


def test_two_bos_come_from_a_tokenizer_that_adds_one_and_a_template_that_writes_one() -> None:
    from tokenizers.processors import TemplateProcessing

    adding = tiny.tokenizer()
    adding.backend_tokenizer.post_processor = TemplateProcessing(
        single="<|im_start|> $A", special_tokens=[("<|im_start|>", 1)]
    )
    assert [tokens.double_bos for tokens in view([pair("a", "b")], adding)] == [True]
    assert [tokens.double_bos for tokens in view([pair("a", "b")])] == [False]


def test_the_checks_find_nothing_in_clean_pairs_and_what_was_planted() -> None:
    def findings(records: list[Preference], length: int) -> list[str]:
        stream = TokenStream(TokenView(tiny.tokenizer()))
        checks = [TemplateTokens(stream), Truncation(stream, length=length)]
        for index, record in enumerate(records):
            for check in checks:
                check.see(record, index)
        return [finding.code for check in checks for finding in check.outcome().findings]

    clean = [pair(f"the answer is {n}", f"nobody knows {n}") for n in range(20)]
    same = "the cat and the dog " * 10
    assert findings(clean, 256) == []
    assert findings([*clean, pair(same + "yes", same + "no")], 64) == ["equal_after_truncation"]
    assert findings([*clean, pair("so<|im_end|>", "no")], 256) == ["special_in_text"]
