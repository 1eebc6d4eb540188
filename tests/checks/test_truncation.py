"""Truncation and template trouble by tokens that are handed in: counts by hand."""

from __future__ import annotations

from collections.abc import Sequence

from heedful.checks.template_tokens import TemplateTokens
from heedful.checks.tokens import Cut, Tokens, TokenStream
from heedful.checks.truncation import Truncation
from heedful.records import Judgement, Preference, Record
from tests.checks.planted import CLEAN, codes, only, outcome, pair, reply


class Words:
    """A tokenizer of words that cuts ends; remembers how many records it was asked for at once."""

    def __init__(self, **trouble: dict[str, object]) -> None:
        self.trouble = trouble
        self.sizes: list[int] = []

    def __call__(self, records: Sequence[Record]) -> list[Tokens | None]:
        self.sizes.append(len(records))
        return [None if isinstance(record, Judgement) else self.tokens(record) for record in records]

    def tokens(self, record: Record) -> Tokens:
        sides = (record.chosen, record.rejected) if isinstance(record, Preference) else (record.response,)
        prompt = record.prompt[0].content.split()
        replies = [side[0].content.split() for side in sides]
        alike = 0
        if len(replies) == 2:
            while alike < min(map(len, replies)) and replies[0][alike] == replies[1][alike]:
                alike += 1

        def within(length: int) -> Cut:
            room = length - len(prompt)
            left = [reply[:room] for reply in replies]
            equal = len(left) == 2 and left[0] == left[1]
            return Cut("equal_after_truncation" if equal else "", False, sum(len(r) > room for r in replies))

        lengths = tuple(map(len, replies))
        return Tokens(len(prompt), lengths, alike, within, **self.trouble.get(record.id, {}))


def truncated(records: Sequence[Record], **more):
    return outcome(Truncation(TokenStream(Words()), **more), records)


LONG = "b " * 10


def test_pairs_whose_first_difference_is_cut_away_are_found() -> None:
    records = [
        pair(LONG + "so", LONG + "no", prompt="a a", id="late"),
        pair("so " + LONG, "no " + LONG, prompt="a a"),
    ]
    found = truncated(records, length=8, lengths=(4, 8, 12, 16), cut=1.0)

    finding = only(found)
    assert (finding.code, finding.count, finding.of, finding.removes) == ("equal_after_truncation", 1, 2, {0})
    assert (finding.examples[0].id, finding.examples[0].text) == (
        "late",
        "prompt 2 tokens, the sides alike for 10",
    )
    assert found.tables[0].rows == (
        (4, 2, 1.0, 0, 4, 1, 0, 1),
        (8, 2, 1.0, 0, 4, 1, 0, 1),
        (12, 2, 1.0, 0, 4, 1, 0, 1),
        (16, 0, 0.0, 0, 0, 0, 0, 0),
    )


def test_ties_have_no_difference_to_lose() -> None:
    tie = pair(LONG + "so", LONG + "no", probability=0.5)

    assert truncated([tie], length=8, cut=1.0).findings == []


def test_prompts_that_leave_no_room_for_a_reply_are_found() -> None:
    records = [reply("so", prompt="a " * 8, id="full"), reply("so", prompt="a " * 7), *CLEAN]
    finding = only(truncated(records, length=8, cut=1.0, lengths=()))

    assert (finding.code, finding.count, finding.of) == ("prompt_fills_length", 1, 202)
    assert finding.examples[0].id == "full"


def test_a_share_of_cut_records_above_the_threshold_is_found() -> None:
    records = [*CLEAN[:18], reply("b " * 30), reply("b " * 30)]

    assert codes(truncated(records, length=30)) == ["truncated"]
    assert truncated(records, length=30, cut=0.1).findings == []
    assert truncated(records, length=31).findings == []


def test_records_that_fit_are_no_finding() -> None:
    found = truncated(CLEAN)

    assert found.findings == []
    assert found.plots[0].series["records"] == (200.0, 0, 0, 0, 0, 0, 0, 0)


def test_two_checks_share_one_tokenizer_and_see_every_record_in_order() -> None:
    words = Words()
    stream = TokenStream(words, batch=64)
    seen: list[int] = []
    stream.listen(lambda record, tokens, index: seen.append(index))
    first, second = TemplateTokens(stream), Truncation(stream)
    for index, record in enumerate([*CLEAN, Judgement("item", "ann", "a")]):
        first.see(record, index)
        second.see(record, index)
    figures = first.outcome().figures

    assert words.sizes == [64, 64, 64, 9]
    assert seen == list(range(200))
    assert figures["of"] == 200
    assert second.outcome().figures["of"] == 200


def test_trouble_with_the_template_is_found_by_kind() -> None:
    trouble = {
        "refused": {"refused": "no system turn"},
        "special": {"special": ("<|im_end|>",)},
        "twice": {"double_bos": True},
        "other": {"rewritten": True, "merged": True},
    }
    records = [*CLEAN, *(reply("so", id=name) for name in trouble)]
    found = outcome(TemplateTokens(TokenStream(Words(**trouble))), records)

    by_code = {finding.code: finding for finding in found.findings}
    assert {code: finding.count for code, finding in by_code.items()} == {
        "template_refused": 1,
        "special_in_text": 1,
        "double_bos": 1,
        "prompt_rewritten": 1,
        "boundary_merged": 1,
    }
    assert {finding.severity for finding in found.findings} == {"error", "note"}
    assert (by_code["template_refused"].examples[0].text, by_code["template_refused"].removes) == (
        "no system turn",
        {200},
    )
    assert by_code["special_in_text"].examples[0].text == "<|im_end|>"


def test_a_template_without_trouble_is_no_finding() -> None:
    assert outcome(TemplateTokens(TokenStream(Words())), CLEAN).findings == []
