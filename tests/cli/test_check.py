"""`heedful check`: what it prints, what it leaves with, and what it writes."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from heedful.checks import registry
from tests.checks.fakes import Blind, Marked
from tests.cli.command import Command, pair, write


@pytest.fixture
def fakes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "CHECKS", {"marked": Marked, "blind": Blind})


@pytest.fixture
def marked(tmp_path: Path, fakes: None) -> Path:
    """Three pairs of which one is marked, and one that cannot be used."""
    rows = [pair(1), pair(2, chosen="bad thing"), pair(3), pair(4, chosen="")]
    return write(tmp_path / "pairs.jsonl", rows)


def test_the_summary_says_what_was_read_found_and_not_looked_at(heedful: Command, marked: Path) -> None:
    result = heedful("check", marked)

    assert result.out.splitlines() == [
        f"{marked} (trl)",
        "4 read = 3 kept + 1 quarantined (empty_chosen 1)",
        "",
        "1 error in 3 pairs",
        "",
        "error    1 records are marked",
        "         1 of 3 (33%) [marked_error]",
        "why      Marks are learned.",
        "do       Take them out: heedful check FILE --fix OUT.",
        "see      pairs:2",
        "",
        "skipped  blind: no record has eyes",
    ]


@pytest.mark.parametrize(
    ("severity", "fail_on", "code"),
    [
        ("error", None, 1),
        ("warning", None, 1),
        ("note", None, 0),
        ("warning", "error", 0),
        ("error", "error", 1),
        ("note", "note", 1),
        ("error", "never", 0),
    ],
)
def test_the_exit_code_says_whether_something_that_bad_was_found(
    heedful: Command, marked: Path, severity: str, fail_on: str | None, code: int
) -> None:
    options = [] if fail_on is None else ["--fail-on", fail_on]

    assert heedful("check", marked, "--threshold", f"marked.severity={severity}", *options).code == code


def test_clean_data_leave_with_0(heedful: Command, marked: Path) -> None:
    result = heedful("check", marked, "--threshold", "marked.most=1")

    assert result.code == 0
    assert "Nothing found in 3 pairs" in result.out
    assert "clean    marked" in result.out


def test_json_is_all_there_is_on_stdout(heedful: Command, marked: Path, tmp_path: Path) -> None:
    page = tmp_path / "report.html"

    result = heedful("check", marked, "--json", "--html", page)

    found = json.loads(result.out)
    assert result.code == 1
    assert (found["version"], found["rows"]["read"], found["severities"]["error"]) == (1, 4, 1)
    assert result.err == f"Report: {page}\n"


def test_the_page_says_how_to_get_it_again(heedful: Command, marked: Path, tmp_path: Path) -> None:
    page = tmp_path / "new" / "report.html"

    heedful(
        "check", marked, "--html", page, "--threshold", "marked.most=0", "--skip", "blind", "--limit", "3"
    )

    text = page.read_text(encoding="utf-8")
    command = f"heedful check {marked} --html {page} --skip blind --threshold marked.most=0 --limit 3"
    assert command in text
    assert "bad thing" in text


def test_fix_writes_a_cleaned_file_and_what_went_beside_it(
    heedful: Command, marked: Path, tmp_path: Path
) -> None:
    out = tmp_path / "clean.jsonl"

    result = heedful("check", marked, "--fix", out)

    assert result.code == 0  # nothing of what was found is left
    assert (
        f"Fixed: {out} (trl): 4 read = 2 written + 2 removed (empty_chosen 1, marked_error 1)" in result.out
    )
    assert len(out.read_text().splitlines()) == 2
    assert len((tmp_path / "clean.removed.jsonl").read_text().splitlines()) == 2
    assert heedful("check", out).code == 0


def test_fix_takes_nothings_place_unasked(heedful: Command, marked: Path, tmp_path: Path) -> None:
    out = tmp_path / "clean.jsonl"
    (tmp_path / "clean.removed.jsonl").write_text("mine")

    refused = heedful("check", marked, "--fix", out)
    over_itself = heedful("check", marked, "--fix", marked, "--overwrite")
    allowed = heedful("check", marked, "--fix", out, "--overwrite")

    assert (refused.code, over_itself.code, allowed.code) == (2, 2, 0)
    assert "clean.removed.jsonl" in refused.err
    assert "--overwrite" in refused.err
    assert len(marked.read_text().splitlines()) == 4


def test_what_the_cleaned_file_looks_like_is_said_only_with_one(heedful: Command, marked: Path) -> None:
    result = heedful("check", marked, "--to", "heedful")

    assert result.code == 2
    assert "Add --fix OUT" in result.err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--threshold", "marked.moost=1"], "Did you mean marked.most?"),
        (["--threshold", "marked.most"], "NAME=VALUE"),
        (["--threshold", "marked.most=x"], "must be a whole number"),
        (["--only", "marks"], "Did you mean marked?"),
        (["--fail-on", "sometimes"], "sometimes"),
        (["--fix", "/tmp/out.jsonl", "--to", "nothing"], '"nothing"'),
    ],
)
def test_a_mistake_leaves_with_2_and_says_what_is_meant(
    heedful: Command, marked: Path, arguments: list[str], said: str
) -> None:
    result = heedful("check", marked, *arguments)

    assert result.code == 2
    assert said in result.err


def test_no_file_no_record_or_no_such_file_leave_with_2(
    heedful: Command, fakes: None, tmp_path: Path
) -> None:
    empty = write(tmp_path / "pairs.jsonl", [pair(1, chosen="")])

    assert heedful("check").code == 2
    assert "no such file" in heedful("check", tmp_path / "none.jsonl").err
    assert "no record is left to check (empty_chosen 1)" in heedful("check", empty).err


def test_the_list_shows_checks_questions_and_thresholds(heedful: Command, fakes: None) -> None:
    result = heedful("check", "--list")

    assert result.code == 0
    assert result.out.splitlines()[:4] == [
        "marked",
        "  Does a response hold the word?",
        "  marked.word=bad  that marks a record",
        "  marked.severity=error  of the finding",
    ]
    assert result.out.splitlines()[-2:] == ["blind", "  Is there anything?"]


def test_quiet_leaves_the_exit_code_alone(heedful: Command, marked: Path, tmp_path: Path) -> None:
    result = heedful("check", marked, "--quiet", "--html", tmp_path / "report.html")

    assert (result.code, result.out, result.err) == (1, "", "")


def test_a_tokenizer_shows_what_is_cut(heedful: Command, model: Path, tmp_path: Path) -> None:
    path = write(tmp_path / "pairs.jsonl", [pair(n) for n in range(6)])
    options = ["--only", "truncation", "--max-length", "4"]

    without = heedful("check", path, *options)
    cut = heedful("check", path, *options, "--tokenizer", model)

    assert (without.code, cut.code) == (0, 1)
    assert "skipped  truncation: it needs a tokenizer (--tokenizer NAME)" in without.out
    assert "100% of records are cut at 4 tokens" in cut.out


def test_a_model_is_asked_about_the_pairs(heedful: Command, model: Path, tmp_path: Path) -> None:
    path = write(tmp_path / "pairs.jsonl", [pair(n) for n in range(6)])
    few = ["--threshold", "off_distribution.answers=2", "--threshold", "off_distribution.start=4"]

    without = heedful("check", path, "--only", "off_distribution")
    asked = heedful("check", path, "--only", "off_distribution", "--model", model, *few, "--json")

    assert "skipped  off_distribution: it needs a model (--model NAME)" in without.out
    (_, found) = json.loads(asked.out)["checks"]
    assert (found["name"], found["figures"]["pairs"]) == ("off_distribution", 6)


def test_it_runs_without_what_models_need(tmp_path: Path) -> None:
    path = write(tmp_path / "pairs.jsonl", [pair(n) for n in range(3)])
    code = (
        "import sys; from heedful.cli import main;"
        "main(['check', sys.argv[1], '--json', '--fail-on', 'never']);"
        "print(*(n for n in ('torch', 'transformers', 'pandas', 'matplotlib', 'scipy', 'sklearn')"
        " if n in sys.modules), file=sys.stderr)"
    )

    done = subprocess.run([sys.executable, "-c", code, path], capture_output=True, text=True, timeout=120)

    assert (done.returncode, done.stderr.split()) == (0, [])
    assert json.loads(done.stdout)["rows"]["kept"] == 3
