"""The checks by name: their thresholds are found, taken as text or numbers, and misspelt ones are named."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

import heedful
from heedful.checks import registry
from heedful.checks.registry import CHECKS, arguments, check, chosen, read_thresholds, thresholds_of
from heedful.errors import DataError
from heedful.quarantine import Kept, Quarantined
from heedful.records import Preference
from tests.checks.fakes import Blind, Marked, pair

CHECKOUT = Path(__file__).resolve().parents[2]
FAKES: dict[str, type[Any]] = {"marked": Marked, "blind": Blind}


@pytest.fixture
def fakes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "CHECKS", FAKES)


def lopsided(count: int = 60) -> list[Preference]:
    """Pairs in which the longer response is always chosen."""
    return [pair(n, f"a long answer that says much about {n}", f"short {n}") for n in range(count)]


@pytest.mark.parametrize("name", CHECKS)
def test_every_check_asks_a_question_and_documents_its_thresholds(name: str) -> None:
    kind = CHECKS[name]

    assert (kind.name, kind.asks[-1]) == (name, "?")
    assert [one.full_name for one in thresholds_of(kind) if not one.about] == []


def test_the_docs_name_every_check_and_their_example_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = (CHECKOUT / "docs" / "checks.md").read_text(encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    heedful.write(lopsided(), "pairs.jsonl")

    assert re.findall(r"^\| `(\w+)` \| .* \| .* \| .* \|$", page, re.MULTILINE) == list(CHECKS)
    (block,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    exec(compile(block, "docs/checks.md", "exec"), {})


def test_a_check_that_lacks_what_it_needs_says_so() -> None:
    (leakage,) = check([pair(1)], only=["split_leakage"]).checks
    (compared,) = check([pair(1)], only=["split_leakage"], against=[pair(1)]).checks

    assert leakage[1].skipped == "it needs a test set (--against FILE)"
    assert [one.code for one in compared[1].findings] == ["test_prompt"]


def test_further_checks_may_be_handed_in(fakes: None) -> None:
    own = Marked(word="good")

    found = check([pair(1, "good")], extra=[own]).findings

    assert [one.code for one in found] == ["marked_error"]
    assert own.seen == [0]


def test_thresholds_are_the_keyword_arguments_with_what_their_docstring_says() -> None:
    assert [(one.full_name, one.default, one.about) for one in thresholds_of(Marked)] == [
        ("marked.word", "bad", "that marks a record"),
        ("marked.severity", "error", "of the finding"),
        ("marked.most", 0, "records that may have the word before it is a finding"),
        ("marked.share", 0.5, "of nothing"),
    ]
    assert thresholds_of(Blind) == []


def test_a_threshold_may_be_text_and_takes_its_defaults_type() -> None:
    values = {"marked.most": "3", "marked.share": "1", "marked.word": "3"}

    assert arguments(values, FAKES) == {"marked": {"most": 3, "share": 1.0, "word": "3"}}
    assert arguments({"marked.share": 1}, FAKES) == {"marked": {"share": 1.0}}
    assert arguments({}, FAKES) == {}


@pytest.mark.parametrize("value", ["many", "nan", "inf", ""])
def test_a_value_of_another_type_is_refused_with_the_default(value: str) -> None:
    with pytest.raises(DataError, match=r'marked.share: .* must be a number, not "\w*"\. Its default is 0.5'):
        arguments({"marked.share": value}, FAKES)


@pytest.mark.parametrize("value", [2.5, "2.5", "two"])
def test_a_whole_number_is_not_rounded(value: object) -> None:
    with pytest.raises(DataError, match="must be a whole number"):
        arguments({"marked.most": value}, FAKES)


def test_an_unknown_threshold_or_check_is_named_with_the_nearest() -> None:
    with pytest.raises(DataError, match=r'no threshold "marked.shar"\. Did you mean marked.share\?'):
        arguments({"marked.shar": 1}, FAKES)
    with pytest.raises(DataError, match=r'no check "mark"\. Did you mean marked\?'):
        chosen(FAKES, ["mark"], None)
    with pytest.raises(DataError, match=r"Known: marked, blind"):
        chosen(FAKES, None, ["zzzzzzz"])


def test_only_and_skip_choose_in_the_order_of_the_list() -> None:
    assert chosen(FAKES, None, None) == ["marked", "blind"]
    assert chosen(FAKES, ["blind", "marked"], None) == ["marked", "blind"]
    assert chosen(FAKES, None, ["marked"]) == ["blind"]
    with pytest.raises(DataError, match="no check is left to run"):
        chosen(FAKES, ["blind"], ["blind"])


@pytest.mark.parametrize("pair", ["length_bias.share", "=3", "length_bias.share=", ""])
def test_a_threshold_that_is_no_pair_is_refused(pair: str) -> None:
    with pytest.raises(DataError, match="not of the form NAME=VALUE"):
        read_thresholds([pair])


def test_a_later_threshold_wins() -> None:
    assert read_thresholds(["a.b=1", " a.b = 2 "]) == {"a.b": "2"}


def test_the_face_checks_records_with_thresholds(fakes: None) -> None:
    records = [pair(1, "bad"), pair(2)]

    assert [one.code for one in check(records).findings] == ["marked_error"]
    assert check(records, thresholds={"marked.most": 1}).findings == []
    assert check(records, skip=["marked"]).findings == []


def test_what_reading_left_out_is_shown_too(fakes: None) -> None:
    rows = [Quarantined("f:1", "empty_chosen", "", {})]

    checked = check(Kept([pair(1)], rows))

    assert checked.quarantined == {"empty_chosen": 1}
    assert checked.checks[0][0].left_out == ["empty_chosen"]  # type: ignore[attr-defined]


def test_a_path_is_read_and_checked(tmp_path: Path) -> None:
    path = tmp_path / "pairs.jsonl"
    heedful.write(lopsided(), path)

    found = heedful.check(path, only=["length_bias"])

    assert [one.code for one in found.findings] == ["longer_wins"]
    assert (
        heedful.check(str(path), only=["length_bias"], thresholds={"length_bias.share": 1.0}).findings == []
    )
