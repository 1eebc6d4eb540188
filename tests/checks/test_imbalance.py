"""How records spread over prompts, sources, annotators, languages and scripts."""

from __future__ import annotations

from collections.abc import Iterable

from heedful.checks.finding import Finding, Outcome
from heedful.checks.imbalance import Imbalance
from heedful.records import Judgement, Preference, Record, assistant, user


def pair(prompt: str, source: str = "s", good: str = "good", **metadata: str) -> Preference:
    return Preference(
        (user(prompt),), (assistant(good),), (assistant("bad"),), source=source, metadata=metadata
    )


def checked(records: Iterable[Record], **thresholds: float) -> tuple[Outcome, dict[str, Finding]]:
    check = Imbalance(**thresholds)
    for index, record in enumerate(records):
        check.see(record, index)
    outcome = check.outcome()
    return outcome, {finding.code: finding for finding in outcome.findings}


def test_one_source_alone_and_several_alike_are_no_fault() -> None:
    assert checked(pair(f"p {n}") for n in range(200))[1] == {}
    assert checked(pair(f"p {n}", f"s {n % 3}", annotator=f"a {n % 2}") for n in range(200))[1] == {}


def test_a_source_that_holds_nearly_all_is_a_note() -> None:
    records = [pair(f"p {n}", "wiki" if n % 10 else "web") for n in range(200)]
    outcome, findings = checked(records)
    found = findings["one_source"]
    assert (found.severity, found.count, found.of, found.removes) == ("note", 180, 200, None)
    assert found.title == 'one of 2 sources, "wiki", holds 90% of the records'
    assert outcome.figures["source"] == {"wiki": 180, "web": 20}
    assert checked(records, share=0.95)[1] == {}
    assert checked(records[:50])[1] == {}


def test_an_annotator_who_judged_nearly_all_is_a_note() -> None:
    votes = [pair(f"p {n}", annotator="ann" if n % 10 else "bo") for n in range(200)]
    assert set(checked(votes)[1]) == {"one_annotator"}
    assert set(checked(Judgement(f"i {n}", "ann" if n % 10 else "bo", "a") for n in range(200))[1]) == {
        "one_annotator"
    }


def test_a_prompt_that_holds_a_tenth_is_a_note() -> None:
    records = [pair("hi" if n % 5 == 0 else f"p {n}") for n in range(200)]
    outcome, findings = checked(records)
    assert (findings["one_prompt"].count, findings["one_prompt"].of) == (40, 200)
    assert outcome.figures["most_of_one_prompt"] == 40
    assert checked(records, prompt_share=0.2)[1] == {}


def test_the_tables_count() -> None:
    records = [
        pair("a", "x", language="en"),
        pair("a", "x", language="en"),
        pair("b", "y", "Привет, мир, как дела", language="ru"),
        pair("c", "y", "1 + 1", annotator="ann"),
        pair("d", "", "“quoted”", annotator="bo"),
    ]
    tables = {table.title: table for table in checked(records)[0].tables}
    assert tables["Records per prompt"].rows[:2] == (("prompts", 4), ("records, mean", 1.25))
    assert tables["Records per prompt"].rows[-1] == ("most", 2.0)
    assert tables["Records per source"].rows == (("x", 2, 0.4), ("y", 2, 0.4), ("not named", 1, 0.2))
    assert tables["Records per language"].rows == (("en", 2, 2 / 3), ("ru", 1, 1 / 3))
    assert tables["Records per script"].rows == (("latin", 4, 0.8), ("cyrillic", 1, 0.2))
    assert tables["Records per annotator"].rows == (("ann", 1, 0.5), ("bo", 1, 0.5))


def test_a_long_table_ends_with_the_others() -> None:
    records = [pair(f"p {n}", f"source {n:03}") for n in range(50)]
    (table,) = [table for table in checked(records)[0].tables if table.title == "Records per source"]
    assert len(table.rows) == 21
    assert table.rows[-1] == ("30 others", 30, 0.6)
